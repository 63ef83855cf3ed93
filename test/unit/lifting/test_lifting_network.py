"""The bundled lifting network on bodies whose truth is known by construction.

`lifting_bodies.npz`, written by `python -m training.lifting.fixture`, holds bodies of each
activity: root-relative keypoints in a world whose z is up, the floor's height, and the person's.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from pose3d_ros.camera import CameraPose, Intrinsics
from pose3d_ros.lifting.lifting_network import BUNDLED, LiftingNetwork
from pose3d_ros.models import ModelError
from pose3d_ros.people import People2D, Source
from pose3d_ros.skeleton import PANOPTIC19

CAMERA = Intrinsics(600, 600, 639.5, 359.5)
CAMERA_HEIGHT_M = 1.2
DOWN = np.array([0.0, 0.0, -1.0])
ROOT = PANOPTIC19.index(PANOPTIC19.root)
NECK = PANOPTIC19.index('neck')
LEGS = PANOPTIC19.indices(
    tuple(f'{side}_{part}' for side in ('left', 'right') for part in ('hip', 'knee', 'ankle'))
)


class Scene(NamedTuple):
    """People in front of a level camera: the truth, and its projection."""

    xyz_m: np.ndarray
    people: People2D
    height_m: np.ndarray


def detected(xyz_m, scores=1.0, camera=CAMERA):
    """Project people as 2D networks detect them, which have no pelvis."""
    scores = np.broadcast_to(scores, xyz_m.shape[:2]).copy()
    scores[:, ROOT] = 0
    xy_px = np.where(scores[..., None] > 0, camera.project(xyz_m), np.nan)
    return People2D(xy_px, scores, np.ones(len(xyz_m)))


def scene(*activities, distance_m=3.5, hidden=(), adults=True):
    """People of some activities, each turned another way, `CAMERA_HEIGHT_M` below the camera."""
    with np.load(Path(__file__).with_name('lifting_bodies.npz')) as archive:
        arrays = {
            part: np.concatenate([archive[f'{a}_{part}'] for a in activities]).astype(float)
            for part in ('keypoints_m', 'floor_m', 'height_m')
        }
    some = (arrays['height_m'] > 1.5) == adults
    world_m, floor_m, height_m = (array[some] for array in arrays.values())
    yaw = np.linspace(0, 2 * np.pi, len(world_m), endpoint=False)
    c, s = np.cos(yaw)[:, None], np.sin(yaw)[:, None]
    x, y, z = np.moveaxis(world_m, -1, 0)
    z = z - floor_m[:, None]
    # The camera looks along the world's y.
    xyz_m = np.stack([c * x - s * y, CAMERA_HEIGHT_M - z, s * x + c * y + distance_m], axis=-1)
    scores = np.ones(xyz_m.shape[:2])
    scores[:, list(hidden)] = 0
    return Scene(xyz_m, detected(xyz_m, scores), height_m)


@pytest.fixture(scope='module')
def network():
    return LiftingNetwork()


def relative(xyz_m):
    return xyz_m - xyz_m[:, [ROOT]]


def errors_m(found, truth_m):
    """Mean distance of keypoints relative to the root, of each person."""
    return np.linalg.norm(relative(found.xyz_m) - relative(truth_m), axis=-1).mean(1)


def distance_errors(found, truth_m):
    """By how much of their distance people are too near or too far."""
    return np.linalg.norm(found.xyz_m[:, ROOT], axis=1) / np.linalg.norm(truth_m[:, ROOT], axis=1)


def trunk_angles_deg(found, truth_m):
    a, b = relative(found.xyz_m)[:, NECK], relative(truth_m)[:, NECK]
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    return np.rad2deg(np.arccos(cosine))


@pytest.mark.parametrize(
    ('activity', 'bound_m'),
    [('standing', 0.065), ('walking', 0.065), ('sitting', 0.075), ('crouching', 0.075)],
)
def test_pose_and_distance_are_correct(network, activity, bound_m):
    """The bounds are a quarter above the errors of the bundled network."""
    truth = scene(activity)
    found = network.lift_people(truth.people, CAMERA, 1.70)
    assert errors_m(found, truth.xyz_m).mean() < bound_m
    assert np.median(np.abs(distance_errors(found, truth.xyz_m) - 1)) < 0.06
    assert np.median(trunk_angles_deg(found, truth.xyz_m)) < 10


def test_left_is_on_the_left(network):
    truth = scene('standing', 'walking')
    found = network.lift_people(truth.people, CAMERA, 1.70)
    for part in ('shoulder', 'hip'):
        left, right = PANOPTIC19.indices((f'left_{part}', f'right_{part}'))
        across = truth.xyz_m[:, left] - truth.xyz_m[:, right]
        found_across = found.xyz_m[:, left] - found.xyz_m[:, right]
        assert ((across * found_across).sum(1) > 0).mean() > 0.97


def test_a_person_at_a_desk_is_upright_and_at_the_right_distance(network):
    truth = scene('sitting', 'standing', distance_m=2.0, hidden=LEGS)
    found = network.lift_people(truth.people, CAMERA, 1.70)
    assert np.isfinite(found.xyz_m).all()
    assert (found.source[:, LEGS] == Source.INFERRED).all()
    assert np.median(trunk_angles_deg(found, truth.xyz_m)) < 15
    # Upright: the neck is above the pelvis, which is not detected.
    assert (found.xyz_m[:, NECK, 1] < found.xyz_m[:, ROOT, 1] - 0.2).mean() > 0.97
    assert np.median(np.abs(distance_errors(found, truth.xyz_m) - 1)) < 0.1


def test_undetected_keypoints_are_more_uncertain(network):
    truth = scene('sitting', 'standing', distance_m=2.0)
    hidden = scene('sitting', 'standing', distance_m=2.0, hidden=LEGS)
    full = network.lift_people(truth.people, CAMERA, 1.70).sd_m
    partial = network.lift_people(hidden.people, CAMERA, 1.70).sd_m
    ankles = PANOPTIC19.indices(('left_ankle', 'right_ankle'))
    assert np.median(partial[:, ankles]) > 1.5 * np.median(full[:, ankles])


def test_most_truths_are_within_the_uncertainty(network):
    """Three standard deviations along each axis hold nearly all of a Laplace distribution."""
    truth = scene('standing', 'walking', 'sitting', 'bending')
    found = network.lift_people(truth.people, CAMERA, 1.70)
    off_m = np.abs(relative(found.xyz_m) - relative(truth.xyz_m)).max(-1)
    others = np.arange(len(PANOPTIC19)) != ROOT
    assert 0.9 < (off_m < 3 * found.sd_m)[:, others].mean() < 0.9999


def test_attitude_and_height_of_the_camera_reduce_errors(network):
    truth = scene('standing', 'walking', 'sitting', 'bending', 'crouching')
    view = CameraPose(np.array([0.0, -1.0, 0.0]), CAMERA_HEIGHT_M)
    without = network.lift_people(truth.people, CAMERA, 1.70)
    known = network.lift_people(truth.people, CAMERA, 1.70, view)
    assert errors_m(known, truth.xyz_m).mean() < 0.95 * errors_m(without, truth.xyz_m).mean()
    off, known_off = (np.abs(distance_errors(f, truth.xyz_m) - 1) for f in (without, known))
    assert np.median(known_off) < 0.8 * np.median(off)


def test_a_known_tilt_of_the_camera_does_not_change_the_pose(network):
    """The camera is rotated about its own axes; the people stay in place."""
    truth = scene('standing', 'walking')
    tilt = np.deg2rad(25)
    c, s = np.cos(tilt), np.sin(tilt)
    turn = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    level = network.lift_people(
        truth.people, CAMERA, 1.70, CameraPose(np.array([0.0, -1.0, 0.0]), CAMERA_HEIGHT_M)
    )
    tilted = network.lift_people(
        detected(truth.xyz_m @ turn.T),
        CAMERA,
        1.70,
        CameraPose(turn @ (0.0, -1.0, 0.0), CAMERA_HEIGHT_M),
    )
    off_m = np.linalg.norm(relative(tilted.xyz_m @ turn) - relative(level.xyz_m), axis=-1)
    assert off_m.mean() < 0.03


def test_everything_scales_with_the_assumed_height(network):
    truth = scene('standing')
    found = network.lift_people(truth.people, CAMERA, 1.70)
    half = network.lift_people(truth.people, CAMERA, 0.85)
    # Except for the placement, whose cutoff of outliers is in metres.
    np.testing.assert_allclose(half.xyz_m, found.xyz_m / 2, atol=0.01)
    np.testing.assert_allclose(half.sd_m, found.sd_m / 2, rtol=1e-6)


@pytest.mark.parametrize(
    'pose', [None, CameraPose(np.array([0.0, -1.0, 0.0]), CAMERA_HEIGHT_M, 0.02, 0.1)]
)
def test_each_person_may_have_an_assumed_height(network, pose):
    truth = scene('standing')
    heights_m = np.linspace(1.2, 1.9, len(truth.people))
    found = network.lift_people(truth.people, CAMERA, heights_m, pose)
    for i in (0, 11, -1):
        alone = network.lift_people(detected(truth.xyz_m[[i]]), CAMERA, heights_m[i], pose)
        np.testing.assert_allclose(found.xyz_m[i], alone.xyz_m[0], atol=1e-4)
        np.testing.assert_allclose(found.sd_m[i], alone.sd_m[0], rtol=1e-3)
        np.testing.assert_allclose(
            found.root_covariance_m2[i], alone.root_covariance_m2[0], rtol=1e-3, atol=1e-6
        )


def test_as_many_assumed_heights_as_people_are_needed(network):
    truth = scene('standing')
    with pytest.raises(ValueError, match='broadcast'):
        network.lift_people(truth.people, CAMERA, np.array([1.6, 1.7]))


def test_one_wrong_keypoint_does_not_move_the_person(network):
    """With the scores of a detector; keypoints with a score of 1 count as exact."""
    truth = scene('standing')
    scores = 0.7 * truth.people.scores
    people = People2D(truth.people.xy_px, scores, np.ones(len(scores)))
    xy_px = truth.people.xy_px.copy()
    xy_px[:, PANOPTIC19.index('left_wrist'), 0] += 100
    wrong = network.lift_people(People2D(xy_px, scores, np.ones(len(scores))), CAMERA, 1.70)
    right = network.lift_people(people, CAMERA, 1.70)
    moved = np.linalg.norm(wrong.xyz_m[:, ROOT] - right.xyz_m[:, ROOT], axis=1)
    assert np.median(moved) < 0.2  # the wrist is half a metre off
    trunk = PANOPTIC19.indices(
        ('neck', 'left_hip', 'right_hip', 'left_shoulder', 'right_shoulder')
    )
    moved = np.linalg.norm(relative(wrong.xyz_m) - relative(right.xyz_m), axis=-1)[:, trunk]
    assert np.median(moved) < 0.05


def test_no_people_give_empty_arrays(network):
    none = detected(np.zeros((0, 19, 3)))
    found = network.lift_people(none, CAMERA, 1.70)
    assert found.xyz_m.shape == (0, 19, 3)
    assert found.source.shape == (0, 19)
    assert found.sd_m.shape == (0, 19)


def test_people_with_too_few_keypoints_have_no_position(network):
    truth = scene('standing')
    few = detected(truth.xyz_m[:3], np.arange(19) < 2)  # neck and nose
    found = network.lift_people(few, CAMERA, 1.70)
    assert np.isnan(found.xyz_m).all()
    assert np.isnan(found.root_covariance_m2).all()
    assert (found.source == Source.NONE).all()


def test_keypoints_without_a_ray_count_as_undetected(network):
    """A lens model that is not monotonic has no ray for some pixels."""
    folding = Intrinsics(600, 600, 639.5, 359.5, (-0.4, 0.0, 0.0, 0.0))
    truth = scene('standing')
    xy_px = truth.people.xy_px.copy()
    xy_px[:, LEGS] = (5000, 4000)
    people = People2D(xy_px, truth.people.scores, np.ones(len(xy_px)))
    assert np.isnan(folding.unproject(people.xy_px)[:, LEGS]).all()
    found = network.lift_people(people, folding, 1.70)
    assert np.isfinite(found.xyz_m).all()
    assert (found.source[:, LEGS] == Source.INFERRED).all()


def test_people_do_not_depend_on_each_other(network):
    truth = scene('standing', 'sitting')
    together = network.lift_people(truth.people, CAMERA, 1.70)
    for i in (0, 7, -1):
        alone = network.lift_people(detected(truth.xyz_m[[i]]), CAMERA, 1.70)
        np.testing.assert_allclose(alone.xyz_m[0], together.xyz_m[i], atol=1e-4)
    again = network.lift_people(truth.people, CAMERA, 1.70)
    np.testing.assert_array_equal(again.xyz_m, together.xyz_m)


def test_mirrored_keypoints_give_the_mirrored_pose(network):
    truth = scene('standing', 'sitting')
    swap = {'left': 'right', 'right': 'left'}
    names = (name.partition('_') for name in PANOPTIC19.keypoints)
    other = PANOPTIC19.indices(tuple(swap.get(a, a) + bar + b for a, bar, b in names))
    camera = Intrinsics(600, 600, 0, 0)
    found = network.lift_people(detected(truth.xyz_m, camera=camera), camera, 1.70)
    mirrored = network.lift_people(
        detected((truth.xyz_m * (-1, 1, 1))[:, other], camera=camera), camera, 1.70
    )
    off_m = np.linalg.norm((mirrored.xyz_m * (-1, 1, 1))[:, other] - found.xyz_m, axis=-1)
    assert np.median(off_m) < 0.002


def test_the_bundled_model_is_small():
    size = BUNDLED.stat().st_size + BUNDLED.with_suffix('.bin').stat().st_size
    assert size < 2.5e6


def test_another_kind_of_network_is_refused(two_people_xml):
    with pytest.raises(ModelError, match='features'):
        LiftingNetwork(two_people_xml)


@pytest.mark.parametrize(
    ('up', 'height_m'),
    [((0, -2, 0), 1.0), ((0, 1), 1.0), ((0, -1, 0), -1.0), ((0, -1, 0), np.inf)],
)
def test_an_invalid_camera_pose_is_refused(up, height_m):
    with pytest.raises(ValueError, match='must be'):
        CameraPose(np.array(up, float), height_m)


@pytest.mark.parametrize('sds', [(-0.1, 0.0), (0.0, np.nan), (np.inf, 0.0)])
def test_invalid_standard_deviations_of_a_camera_pose_are_refused(sds):
    with pytest.raises(ValueError, match='must be finite'):
        CameraPose(np.array([0.0, -1.0, 0.0]), 1.0, *sds)


def test_an_uncertain_camera_pose_counts_less(network):
    """A pitch that is wrong by 8 degrees puts the floor at a wrong distance."""
    truth = scene('standing', 'walking', 'sitting', 'bending')
    pitch = np.deg2rad(8)
    up = np.array([0.0, -np.cos(pitch), -np.sin(pitch)])
    certain, uncertain = (
        network.lift_people(truth.people, CAMERA, 1.70, CameraPose(up, CAMERA_HEIGHT_M, *sds))
        for sds in ((0.0, 0.0), (pitch, 0.3))
    )
    certain_m, uncertain_m = (errors_m(f, truth.xyz_m).mean() for f in (certain, uncertain))
    assert uncertain_m < 0.75 * certain_m
    certain_share, uncertain_share = (
        np.median(np.abs(distance_errors(f, truth.xyz_m) - 1)) for f in (certain, uncertain)
    )
    assert uncertain_share < 0.75 * certain_share


def test_a_wrong_camera_pose_that_keeps_the_floor_does_no_harm_if_it_is_uncertain(network):
    """Estimates from people have such errors: the height compensates the pitch at 3.5 m."""
    truth = scene('standing', 'walking', 'sitting', 'bending')
    without_m = errors_m(network.lift_people(truth.people, CAMERA, 1.70), truth.xyz_m).mean()
    for pitch in np.deg2rad((-5, 5)):
        up = np.array([0.0, -np.cos(pitch), -np.sin(pitch)])
        height_m = CAMERA_HEIGHT_M * np.cos(pitch) + 3.5 * np.sin(pitch)
        pose = CameraPose(up, height_m, abs(pitch), 0.3)
        found = network.lift_people(truth.people, CAMERA, 1.70, pose)
        assert errors_m(found, truth.xyz_m).mean() < 1.05 * without_m


@pytest.mark.parametrize('distance_m', [2.0, 8.0, 16.0, 24.0, 40.0])
def test_distances_are_unbiased(network, distance_m):
    truth = scene('standing', 'walking', distance_m=distance_m)
    found = network.lift_people(truth.people, CAMERA, 1.70)
    assert np.median(distance_errors(found, truth.xyz_m)) == pytest.approx(1, abs=0.05)
    assert errors_m(found, truth.xyz_m).mean() < 0.075


def test_noise_neither_biases_the_distance_nor_reduces_the_uncertainty(network):
    """The noise is 2 % of the height, and the scores are as low as such a network's."""
    rng = np.random.default_rng(3)
    truth = scene('standing', 'walking', 'sitting', distance_m=6.0)
    noise_px = 0.02 * 1.7 / 6.0 * CAMERA.fx * rng.normal(size=truth.people.xy_px.shape)
    people = People2D(truth.people.xy_px + noise_px, 0.6 * truth.people.scores, truth.people.score)
    found = network.lift_people(people, CAMERA, 1.70)
    assert np.median(distance_errors(found, truth.xyz_m)) == pytest.approx(1, abs=0.05)
    off_m = (found.xyz_m - truth.xyz_m)[:, ROOT]
    inverse = np.linalg.inv(found.root_covariance_m2)
    squared = (off_m[:, None] @ inverse @ off_m[..., None]).ravel()
    # Nine in ten should be inside; the sample is small.
    assert (squared < 6.25).mean() > 0.8


def test_the_network_is_not_bound_to_a_core():
    """The thread that calls it would wait for whatever else runs on that core."""
    pool = LiftingNetwork().network._requests
    compiled = pool._free.get().get_compiled_model()
    assert compiled.get_property('ENABLE_CPU_PINNING') is False
