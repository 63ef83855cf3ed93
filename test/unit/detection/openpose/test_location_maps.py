"""Location maps: which point of the body they are relative to does not matter."""

import numpy as np
import pytest

from pose3d_ros.camera import Intrinsics
from pose3d_ros.detection.detector import Thresholds
from pose3d_ros.detection.letterbox import Letterbox
from pose3d_ros.detection.openpose.channels import LOCATION_MAP_CHANNELS
from pose3d_ros.detection.openpose.detector import decode
from pose3d_ros.detection.openpose.fragments import merge_fragments
from pose3d_ros.detection.openpose.grouping import group
from pose3d_ros.detection.openpose.location_map_lifter import LocationMapLifter
from pose3d_ros.detection.openpose.location_maps import BODY_HEIGHT_M, LocationMaps
from pose3d_ros.detection.openpose.outputs import Outputs
from pose3d_ros.skeleton import PANOPTIC19
from synthetic.scene import CAMERA, draw_outputs, people_m

LETTERBOX = Letterbox(1.0)
PEOPLE_M = people_m((-0.35, 0, 3.0), (0.4, 0.1, 3.3), turn_rad=0.4)
# A hip, a knee, an elbow that nothing shows: limbs are cut off and merged again.
HIDDEN = [(0, 'left_hip'), (1, 'right_elbow'), (1, 'left_knee')]


@pytest.fixture(scope='module', params=[(), HIDDEN], ids=['whole', 'hidden keypoints'])
def both(request):
    """Return the outputs for one scene, with maps relative to the pelvis and to the neck."""
    grid_xy = LETTERBOX.to_grid(CAMERA.project(PEOPLE_M))
    return [
        draw_outputs(
            grid_xy,
            (PEOPLE_M - PEOPLE_M[:, [PANOPTIC19.index(origin)]]) / BODY_HEIGHT_M,
            PEOPLE_M[:, PANOPTIC19.index('pelvis'), 2],
            request.param,
        )
        for origin in ('pelvis', 'neck')
    ]


def test_grouping_does_not_depend_on_the_origin(both):
    of_pelvis, of_neck = (group(out, LETTERBOX, Thresholds()) for out in both)
    np.testing.assert_array_equal(of_neck.xy_px, of_pelvis.xy_px)
    np.testing.assert_allclose(of_neck.score, of_pelvis.score, atol=1e-5)


def test_merging_does_not_depend_on_the_origin(both):
    of_pelvis, of_neck = (
        merge_fragments(
            group(out, LETTERBOX, Thresholds()), LocationMaps(out.features, LETTERBOX), CAMERA
        )
        for out in both
    )
    assert len(of_pelvis) == 2
    np.testing.assert_array_equal(of_neck.xy_px, of_pelvis.xy_px)


def test_lifting_and_its_covariance_do_not_depend_on_the_origin(both):
    of_pelvis, of_neck = (
        LocationMapLifter().lift(decode(out, LETTERBOX, CAMERA, Thresholds()), CAMERA)
        for out in both
    )
    assert len(of_pelvis) == 2
    np.testing.assert_allclose(of_neck.xyz_m, of_pelvis.xyz_m, atol=1e-3)
    np.testing.assert_allclose(
        of_neck.root_covariance_m2, of_pelvis.root_covariance_m2, rtol=0.02, atol=1e-6
    )


@pytest.fixture(scope='module')
def recorded(shared):
    """Return outputs of the published network for an image without people."""
    with np.load(shared / 'golden/official_nobody.npz') as arrays:
        maps = {
            name: np.squeeze(arrays[name]).astype(np.float32)
            for name in ('heatmaps', 'pafs', 'features')
        }
    return Outputs(**maps)


def test_the_published_network_locates_keypoints_relative_to_the_neck(recorded):
    locations_m = BODY_HEIGHT_M * np.median(recorded.features.reshape(19, 3, -1), axis=2)
    below_m = dict(zip(LOCATION_MAP_CHANNELS, locations_m[:, 1], strict=True))
    neck = LOCATION_MAP_CHANNELS.index('neck')
    assert np.abs(recorded.features.reshape(19, 3, -1)[neck]).max() < 2e-3
    for side in ('left', 'right'):
        assert abs(below_m[f'{side}_shoulder']) < 0.05
        assert below_m[f'{side}_ankle'] > below_m[f'{side}_hip'] + 0.4
    assert 0.3 < below_m['pelvis'] < 0.6


def test_no_people_are_found_where_the_published_network_sees_none(recorded):
    camera = Intrinsics.guess(448, 256)
    for thresholds in (Thresholds(), Thresholds(person=0.1)):
        assert len(decode(recorded, LETTERBOX, camera, thresholds).people) == 0
