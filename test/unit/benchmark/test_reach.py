"""Share found by distance: people scaled by known factors."""

import cv2
import numpy as np
import pytest

from benchmark import reach
from benchmark.reach import CAMERA, FOCAL_PX, SIZE_HW, AtDistance
from pose3d_ros.camera import Intrinsics
from pose3d_ros.detections import Detections
from pose3d_ros.evaluation.annotations import LabelledImage
from pose3d_ros.people import K, People2D
from synthetic.scene import people_m

INTRINSICS = Intrinsics(400, 400, 159.5, 119.5)
TRUE_M = people_m((0.2, 0, 3.0))


@pytest.fixture
def image(tmp_path):
    """Return a labelled image of one figure at 3 m, on noise."""
    path = tmp_path / 'a.png'
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
    cv2.imwrite(str(path), noise)
    xy_px = INTRINSICS.project(TRUE_M)
    boxes, ignore = np.array([[0.0, 0, 320, 240]]), np.zeros((0, 4))
    visible = np.ones((1, K), bool)
    return LabelledImage(
        xy_px, boxes, ignore, path, 'all', TRUE_M, visible, INTRINSICS, [0], None, 0.0
    )


class KnownPeople:
    """A detector of the figure at a distance that is known beforehand."""

    def __init__(self):
        self.distances_m = iter(reach.DISTANCES_M)
        self.offset_px = 0.0

    def detect(self, images, boxes=None):
        (one,) = images
        assert one.bgr.shape == (*SIZE_HW, 3)
        z_m = next(self.distances_m)
        # Scaling an image changes the depth, but not the person's proportions in the image.
        xy_px = INTRINSICS.project(TRUE_M) * (3.0 * FOCAL_PX / 400 / z_m)
        centre = (xy_px[0].min(axis=0) + xy_px[0].max(axis=0)) / 2
        xy_px = xy_px - centre + (CAMERA.cx, CAMERA.cy) + self.offset_px
        return [Detections(People2D(xy_px, np.ones((1, K)), np.ones(1)))]


def test_people_have_the_size_of_their_distance(image):
    found = reach.by_distance(KnownPeople(), [image])
    assert list(found) == list(reach.DISTANCES_M)
    assert all(result.found == result.people == 1 for result in found.values())
    # Whole pixels, and the rounding of the scaled image's size.
    assert all(r.error_cm < 100 * 1.5 * z / FOCAL_PX for z, r in found.items())


def test_errors_are_in_centimetres_at_the_person(image):
    detector = KnownPeople()
    detector.offset_px = 3.0
    error_cm = reach.by_distance(detector, [image])[4].error_cm
    assert error_cm == pytest.approx(100 * 3 * np.sqrt(2) * 4 / FOCAL_PX, rel=0.3)


def test_people_of_unknown_distance_or_too_few_visible_keypoints_are_not_used(image):
    hidden = np.zeros((1, K), bool)
    unknown = LabelledImage(**{**vars(image), 'xyz_m': np.full((1, K, 3), np.nan)})
    covered = LabelledImage(**{**vars(image), 'visible': hidden})
    uncalibrated = LabelledImage(**{**vars(image), 'intrinsics': None})
    found = reach.by_distance(KnownPeople(), [unknown, covered, uncalibrated])
    assert all(result.people == 0 for result in found.values())


@pytest.mark.parametrize('scale', [0.3, 0.5, 1.7])
def test_placed_keypoints_follow_the_pixels(scale):
    bgr = np.zeros((400, 500, 3), np.uint8)
    cv2.circle(bgr, (300, 150), 9, (255, 255, 255), cv2.FILLED)
    xy_px = np.full((K, 2), np.nan)
    xy_px[0], xy_px[1] = (300, 150), (290, 160)
    placed, xy = reach.place(bgr, xy_px, scale)
    rows, columns = np.nonzero(placed[..., 0] > 127)
    np.testing.assert_allclose(xy[0], (columns.mean(), rows.mean()), atol=0.5)
    assert np.isnan(xy[2:]).all()


def test_keypoints_outside_the_scaled_image_are_unknown():
    xy_px = np.full((K, 2), np.nan)
    xy_px[0], xy_px[1] = (0, 0), (499, 399)
    _, xy = reach.place(np.zeros((400, 500, 3), np.uint8), xy_px, 4.0)
    assert np.isnan(xy).all()


@pytest.mark.parametrize(
    ('shares', 'expected'),
    [([0.1, 1, 0.9, 0.8, 0.7, 0.69, 0.9, 1], 6), ([1, 0.5, 1, 1, 1, 1, 1, 1], 0), ([1] * 8, 12)],
)
def test_the_reach_ends_where_the_share_falls_below_the_limit(shares, expected):
    found = {
        distance_m: AtDistance(100, round(100 * share), 1.0)
        for distance_m, share in zip(reach.DISTANCES_M, shares, strict=True)
    }
    assert reach.reach_m(found) == expected
