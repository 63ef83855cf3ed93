"""A figure in pixels, and copies of it with a given similarity."""

import numpy as np

from pose3d_ros.evaluation import oks
from pose3d_ros.people import K

BOX = [100.0, 50.0, 80.0, 200.0]
AREA_PX2 = 0.53 * 80 * 200


def figure_px(at=(0.0, 0.0)):
    """Return random keypoints (K, 2) inside BOX, shifted by `at`."""
    return np.random.default_rng(2).uniform((100, 50), (180, 250), (K, 2)) + at


def at_similarity(similarity, figure):
    """Move each keypoint of a figure so that all have the same similarity in OKS."""
    moved = figure.copy()
    moved[oks.COCO, 0] += 2 * oks.SIGMAS * np.sqrt(-2 * np.log(similarity) * AREA_PX2)
    return moved
