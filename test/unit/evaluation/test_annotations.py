"""Labelled images are read by the names of their keypoints."""

import json
from pathlib import Path

import numpy as np
import pytest
from support.figure import figure_px

from pose3d_ros.evaluation import oks
from pose3d_ros.evaluation.annotations import LabelledImage, read_bgr, read_images
from pose3d_ros.people import K
from pose3d_ros.skeleton import PANOPTIC19


def test_annotations_are_read_by_name_and_in_metres(tmp_path):
    person = {
        'keypoints_2d': {'l_sho': [10, 20, 1], 'r_ank': [30, 60, 0], 'neck': [15, 18, 1]},
        'keypoints_3d_cm': {'pelvis': [1, 2, 300]},
        'id': 7,
    }
    image = {
        'file': 'images/a.jpg', 'width': 64, 'height': 48, 'group': 'mpii',
        'K': [[50, 0, 31], [0, 51, 23], [0, 0, 1]], 'people': [person],
        'all_people_labelled': False, 'ignore_boxes': [[1, 2, 3, 4]],
    }  # fmt: skip
    (tmp_path / 'annotations.json').write_text(json.dumps({'images': [image]}))
    (one,) = read_images(tmp_path)
    known = {
        PANOPTIC19.keypoints[k]: xy.tolist()
        for k, xy in enumerate(one.xy_px[0])
        if np.isfinite(xy).all()
    }
    assert known == {'left_shoulder': [10, 20], 'right_ankle': [30, 60], 'neck': [15, 18]}
    np.testing.assert_allclose(one.xyz_m[0, PANOPTIC19.index('pelvis')], (0.01, 0.02, 3))
    assert np.isfinite(one.xyz_m).sum() == 3
    assert one.visible[0].sum() == 2
    np.testing.assert_allclose(one.boxes, [[10, 18, 20, 42]])
    np.testing.assert_allclose(one.ignore, [[1, 2, 3, 4], [0, 0, 64, 48]])
    assert (one.intrinsics.fy, one.intrinsics.cx, one.ids) == (51, 31, [7])


def labelled(visible):
    """Label one figure with its visible keypoints (K,), and a region to ignore."""
    return LabelledImage(
        path=Path('none.png'),
        group='all',
        xy_px=figure_px()[np.newaxis],
        xyz_m=np.full((1, K, 3), np.nan),
        visible=visible[np.newaxis],
        boxes=np.array([[90.0, 40.0, 100.0, 220.0]]),
        ignore=np.array([[500.0, 0.0, 20.0, 20.0]]),
        intrinsics=None,
        ids=[0],
        sequence=None,
        time_s=0.0,
    )


def test_visible_labels_keep_visible_keypoints_and_the_whole_persons_box():
    visible = np.zeros(K, bool)
    visible[oks.COCO[:5]] = True
    labels = labelled(visible).visible_labels(5)
    assert np.flatnonzero(np.isfinite(labels.xy_px[0, :, 0])).tolist() == sorted(oks.COCO[:5])
    np.testing.assert_allclose(labels.boxes, [[90, 40, 100, 220]])
    np.testing.assert_allclose(labels.ignore, [[500, 0, 20, 20]])


def test_people_with_too_few_visible_keypoints_are_ignored_regions():
    visible = np.zeros(K, bool)
    visible[oks.COCO[:4]] = True
    labels = labelled(visible).visible_labels(5)
    assert labels.xy_px.shape == (0, K, 2)
    assert labels.boxes.shape == (0, 4)
    np.testing.assert_allclose(labels.ignore, [[500, 0, 20, 20], [90, 40, 100, 220]])
    assert len(oks.match(labels, figure_px()[np.newaxis]).false) == 0


def test_a_file_that_is_no_image_is_named(tmp_path):
    (tmp_path / 'a.jpg').write_text('no image')
    with pytest.raises(ValueError, match=r'a\.jpg: expected an image'):
        read_bgr(tmp_path / 'a.jpg')
