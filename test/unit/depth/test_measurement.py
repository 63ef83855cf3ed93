"""Correction by depth images, on synthetic scenes with known truth."""

from dataclasses import replace

import numpy as np
import pytest

from benchmark.depth import CONDITIONS, run
from pose3d_ros.camera import Intrinsics
from pose3d_ros.depth.measurement import measure
from pose3d_ros.images import DepthImage
from pose3d_ros.people import K, People2D, People3D, Source
from pose3d_ros.skeleton import PANOPTIC19
from synthetic.depth_scene import (
    CAMERA,
    IMAGE_HW,
    depth_image,
    estimated_without_depth,
    figure_m,
    half,
    person_m,
    with_board,
)

index = PANOPTIC19.index
HEIGHT_M = 1.8  # assumed for all people
PLACE = (0.3, 0.1, 3.0)


@pytest.fixture
def child():
    """Return a person of 1.20 m at 3 m: the truth, the estimate without depth, the depth image."""
    truth = person_m(figure_m(), 1.2, PLACE)[np.newaxis]
    return (
        truth,
        estimated_without_depth(truth, [1.2], np.random.default_rng(0)),
        depth_image(truth, [1.2]),
    )


def errors_m(people, truth):
    return np.linalg.norm(people.xyz_m - truth, axis=-1)


@pytest.mark.parametrize('name', [name for name in CONDITIONS if name != 'all of it'])
def test_median_error_under_three_centimetres_at_three_metres(name):
    """Children and tall adults, thin and fat, in nine poses; `name`: fault of the sensor."""
    tally = run(CONDITIONS[name], 9, 3.0)
    assert tally.found == tally.people
    before, after = np.concatenate(tally.before_m), np.concatenate(tally.after_m)
    assert np.nanmedian(after) < 0.03 < 0.15 < np.nanmedian(before)
    measured = np.concatenate(tally.source) == Source.DEPTH
    assert np.mean(after[measured] > 0.2) < 0.01


def test_depth_corrects_the_distance_of_a_child(child):
    truth, lifted, depth = child
    assert errors_m(lifted, truth).min() > 1.0
    found = measure(lifted, depth, CAMERA, HEIGHT_M)
    assert np.median(errors_m(found, truth)) < 0.03
    root = index('pelvis')
    assert errors_m(found, truth)[0, root] < 0.05
    # The midpoint of the hips in the image, where its distance is measured.
    assert found.source[0, root] == Source.DEPTH
    off = found.xyz_m[0, root] - truth[0, root]
    # The covariance covers the truth and is decimetres, where the child was wrong by a metre.
    assert off @ np.linalg.solve(found.root_covariance_m2[0], off) < 6.25
    assert np.sqrt(np.linalg.eigvalsh(found.root_covariance_m2[0])).max() < 0.15


def test_measured_keypoints_lie_on_their_rays(child):
    _, lifted, depth = child
    found = measure(lifted, depth, CAMERA, HEIGHT_M)
    measured = found.source == Source.DEPTH
    assert measured.sum() >= 16
    np.testing.assert_allclose(
        # The pelvis is the midpoint of the hips in 3D, and in the image of their pixels.
        CAMERA.project(found.xyz_m[measured]),
        lifted.people_2d.xy_px[measured],
        atol=0.01,
    )
    assert (found.source[~lifted.people_2d.detected] == Source.INFERRED).all()
    assert found.people_2d is lifted.people_2d


def test_undetected_keypoints_follow_the_fitted_pose():
    truth = person_m(figure_m(), 1.95, PLACE)[np.newaxis]
    legs = [(0, f'{side}_{part}') for side in ('left', 'right') for part in ('knee', 'ankle')]
    lifted = estimated_without_depth(truth, [1.95], np.random.default_rng(0), hidden=legs)
    found = measure(lifted, depth_image(truth, [1.95]), CAMERA, HEIGHT_M)
    rows = PANOPTIC19.indices(tuple(name for _, name in legs))
    assert (found.source[0, rows] == Source.INFERRED).all()
    assert errors_m(lifted, truth)[0, rows].min() > 0.15
    assert errors_m(found, truth)[0, rows].max() < 0.15


@pytest.mark.parametrize('name', ['left_wrist', 'right_ankle', 'nose'])
def test_background_readings_are_rejected(child, name):
    truth, lifted, depth = child
    x, y = np.rint(lifted.people_2d.xy_px[0, index(name)]).astype(int)
    depth_m = depth.depth_m.copy()
    depth_m[y - 25 : y + 25, x - 25 : x + 25] = 4.2
    found = measure(lifted, replace(depth, depth_m=depth_m), CAMERA, HEIGHT_M)
    assert found.source[0, index(name)] == Source.OBSERVED
    assert errors_m(found, truth)[0, index(name)] < 0.15


def test_a_reading_that_makes_a_limb_too_long_is_rejected():
    """A surface 33 cm behind the wrist could be the wrist, but not with the measured elbow."""
    truth = person_m(figure_m(turn_rad=np.pi), 1.8, PLACE)[np.newaxis]
    lifted = estimated_without_depth(truth, [1.8], np.random.default_rng(0), along_m=0)
    depth = depth_image(truth, [1.8])
    wrist, elbow = PANOPTIC19.indices(('left_wrist', 'left_elbow'))
    x, y = np.rint(lifted.people_2d.xy_px[0, wrist]).astype(int)
    depth_m = depth.depth_m.copy()
    depth_m[y - 20 : y + 20, x - 12 : x + 20] = truth[0, wrist, 2] + 0.33
    found = measure(lifted, replace(depth, depth_m=depth_m), CAMERA, HEIGHT_M)
    assert found.source[0, elbow] == Source.DEPTH
    assert found.source[0, wrist] == Source.OBSERVED
    assert errors_m(found, truth)[0, wrist] < 0.1


def test_one_wrong_pixel_at_each_keypoint_changes_little(child):
    truth, lifted, depth = child
    depth_m = depth.depth_m.copy()
    for x, y in np.rint(lifted.people_2d.xy_px[0][lifted.people_2d.detected[0]]).astype(int):
        depth_m[y, x] = 0.7
    found = measure(lifted, replace(depth, depth_m=depth_m), CAMERA, HEIGHT_M)
    assert np.median(errors_m(found, truth)) < 0.03
    assert errors_m(found, truth).max() < 0.15


def test_the_edge_of_a_table_in_front_of_the_hips_is_rejected(child):
    truth, lifted, depth = child
    table = with_board(depth, truth[0])
    hips = PANOPTIC19.indices(('left_hip', 'right_hip'))
    np.testing.assert_allclose(
        table.at(CAMERA.unproject(lifted.people_2d.xy_px[0, hips])),
        truth[0, index('pelvis'), 2] - 0.5,
    )
    found = measure(lifted, table, CAMERA, HEIGHT_M)
    assert errors_m(found, truth)[0, hips].max() < 0.1


def test_the_depth_of_a_person_in_front_is_not_given_to_the_person_behind():
    """Most of the person behind is covered, and the network detects those keypoints anyway."""
    front, behind = (
        person_m(figure_m(), height_m, place)
        for height_m, place in ((1.95, (0.0, 0.1, 2.6)), (1.2, (0.25, 0.3, 3.4)))
    )
    truth, heights_m = np.stack([front, behind]), [1.95, 1.2]
    lifted = estimated_without_depth(truth, heights_m, np.random.default_rng(1))
    found = measure(lifted, depth_image(truth, heights_m), CAMERA, HEIGHT_M)
    order = np.argsort(found.xyz_m[:, index('nose'), 2])
    measured = found.source[order] == Source.DEPTH
    assert measured.sum(1).min() >= 4
    wrong = measured & (errors_m(replace(found, xyz_m=found.xyz_m[order]), truth) > 0.2)
    assert not wrong.any()


@pytest.mark.parametrize(
    ('camera', 'hw'),
    [
        (half(CAMERA), (240, 320)),
        (Intrinsics(700, 690, 500, 380), (768, 1024)),
    ],
)
def test_depth_images_of_other_resolutions_and_focal_lengths(child, camera, hw):
    truth, lifted, _ = child
    depth = depth_image(truth, [1.2], intrinsics=camera, hw=hw)
    found = measure(lifted, depth, CAMERA, HEIGHT_M)
    assert np.median(errors_m(found, truth)) < 0.03


def test_people_without_readings_are_unchanged(child):
    _, lifted, _ = child
    nothing = DepthImage(np.full(IMAGE_HW, np.nan, np.float32), CAMERA)
    found = measure(lifted, nothing, CAMERA, HEIGHT_M)
    np.testing.assert_array_equal(found.xyz_m, lifted.xyz_m)
    np.testing.assert_array_equal(found.source, lifted.source)
    np.testing.assert_array_equal(found.root_covariance_m2, lifted.root_covariance_m2)


def test_a_person_with_too_few_readings_is_unchanged(child):
    _, lifted, depth = child
    xy_px = lifted.people_2d.xy_px[0]
    depth_m = np.full_like(depth.depth_m, np.nan)
    for name in ('left_knee', 'right_elbow', 'left_wrist'):
        x, y = np.rint(xy_px[index(name)]).astype(int)
        around = slice(y - 15, y + 15), slice(x - 15, x + 15)
        depth_m[around] = depth.depth_m[around]
    found = measure(lifted, DepthImage(depth_m, CAMERA), CAMERA, HEIGHT_M)
    np.testing.assert_array_equal(found.xyz_m, lifted.xyz_m)
    assert not (found.source == Source.DEPTH).any()


def test_a_person_without_a_position_stays_without_one(child):
    truth, _, depth = child
    beside = truth - np.array([0.9, 0, 0])
    both = estimated_without_depth(
        np.concatenate([truth, beside]), [1.2, 1.2], np.random.default_rng(0)
    )
    xyz_m = both.xyz_m.copy()
    left = int(np.argmin(np.nanmean(both.people_2d.xy_px[..., 0], axis=1)))
    xyz_m[left] = np.nan
    found = measure(replace(both, xyz_m=xyz_m), depth, CAMERA, HEIGHT_M)
    assert np.isnan(found.xyz_m[left]).all()
    assert np.median(errors_m(found, truth)[1 - left]) < 0.03


def test_no_people(child):
    _, lifted, depth = child
    no_people = replace(
        lifted,
        people_2d=replace(
            lifted.people_2d,
            xy_px=lifted.people_2d.xy_px[:0],
            scores=lifted.people_2d.scores[:0],
            score=lifted.people_2d.score[:0],
        ),
        xyz_m=lifted.xyz_m[:0],
        source=lifted.source[:0],
        root_covariance_m2=lifted.root_covariance_m2[:0],
    )
    assert len(measure(no_people, depth, CAMERA, HEIGHT_M)) == 0


def test_inputs_are_not_modified(child):
    _, lifted, depth = child
    before = lifted.xyz_m.copy(), lifted.source.copy(), depth.depth_m.copy()
    measure(lifted, depth, CAMERA, HEIGHT_M)
    for old, new in zip(before, (lifted.xyz_m, lifted.source, depth.depth_m), strict=True):
        np.testing.assert_array_equal(old, new)


def test_the_result_does_not_depend_on_the_assumed_height(child):
    truth, lifted, depth = child
    taller = replace(lifted, xyz_m=lifted.xyz_m * (1.4 / HEIGHT_M))
    found = measure(taller, depth, CAMERA, 1.4)
    assert np.median(errors_m(found, truth)) < 0.03


@pytest.mark.filterwarnings('error')
def test_meaningless_input_raises_no_error_and_gives_no_false_measurement():
    """Random positions, pixels and depths."""
    rng = np.random.default_rng(0)
    cameras = [CAMERA, Intrinsics(300, 400, 100, 100, (-0.3, 0.1, 0, 0))]
    for i in range(100):
        number = int(rng.integers(0, 5))
        hidden = rng.random((number, K)) < rng.random()
        xy_px = np.where(hidden[..., None], np.nan, rng.uniform(-400, 1100, (number, K, 2)))
        scores = np.where(hidden, 0, rng.random((number, K)))
        xyz_m = rng.normal(0, 10 ** rng.uniform(-3, 3), (number, K, 3))
        xyz_m[..., 2] = np.abs(xyz_m[..., 2]) + 10 ** rng.uniform(-6, 2)
        xyz_m[rng.random((number, K)) < 0.3 * rng.random()] = np.nan
        source = np.where(hidden, Source.INFERRED, Source.OBSERVED).astype(np.uint8)
        people_2d = People2D(xy_px, scores, np.ones(number))
        people = People3D(people_2d, xyz_m, source, np.zeros((number, 3, 3)))
        hw = rng.integers(1, 480, 2)
        depth_m = np.where(rng.random(hw) < 0.3, np.nan, rng.uniform(-1, 5, hw))
        if i % 3 == 0:
            depth_m = np.full(hw, rng.uniform(0.3, 6))
        camera = cameras[i % 2]
        depth = DepthImage(depth_m.astype(np.float32), camera)
        found = measure(people, depth, camera, HEIGHT_M)
        measured = found.source == Source.DEPTH
        assert not (measured & hidden).any()
        assert np.isfinite(found.xyz_m[measured]).all()
        assert (found.xyz_m[measured][:, 2] > 0).all()
