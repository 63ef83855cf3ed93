"""The tables of `benchmark.lifting`: known people and errors, and a perfect lifter."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmark import lifting, lifting_baselines, lifting_data, lifting_measures
from benchmark.lifting_data import Scene
from pose3d_ros.camera import CameraPose
from pose3d_ros.evaluation import oks
from pose3d_ros.evaluation.annotations import LabelledImage
from pose3d_ros.evaluation.pose_errors import ROOT, PoseErrors
from pose3d_ros.people import K
from pose3d_ros.skeleton import PANOPTIC19
from synthetic.scene import CAMERA, figure_m, people_m

LABELLED = lifting_data.CONDITIONS[0]


def scene_of(xyz_m, group='here', camera_pose=None, image=None):
    people = lifting_data.people_from_labels(CAMERA.project(xyz_m))
    visible = np.ones(xyz_m.shape[:2], bool)
    return Scene(group, people, visible, xyz_m, CAMERA, camera_pose, image)


def perfect(scene, people, camera_pose):
    return lifting_baselines.people_at(people, scene.xyz_m)


def image_of(scene, sequence=None, time_s=0.0):
    return LabelledImage(
        path=None,
        group='all',
        xy_px=scene.people.xy_px,
        xyz_m=scene.xyz_m,
        visible=scene.visible,
        boxes=oks.bounding_boxes(scene.people.xy_px),
        ignore=np.zeros((0, 4)),
        intrinsics=CAMERA,
        ids=list(range(len(scene.people))),
        sequence=sequence,
        time_s=time_s,
    )


def test_noise_scales_with_the_person_and_depends_on_the_seed_only():
    near, far = (scene_of(people_m((0, 0, z))) for z in (2.0, 4.0))
    noise = lifting_data.Condition('2 %', lifting_data.add_noise(0.02))
    first = [p.xy_px for _, p in lifting_data.degraded([near, far], noise, 7)]
    again = [p.xy_px for _, p in lifting_data.degraded([near, far], noise, 7)]
    other = [p.xy_px for _, p in lifting_data.degraded([near, far], noise, 8)]
    np.testing.assert_array_equal(first, again)
    assert not np.isclose(first, other).any()
    for scene in (near, far):
        (size,) = lifting_data.size_px(scene.people)
        feet_to_eyes_m = np.ptp(figure_m()[:, 1])
        assert size == pytest.approx(CAMERA.fy * feet_to_eyes_m / scene.xyz_m[0, ROOT, 2], rel=0.1)
        rng = np.random.default_rng(0)
        many = [noise.degrade(scene, rng).xy_px - scene.people.xy_px for _ in range(200)]
        assert np.nanstd(many) == pytest.approx(0.02 * size, rel=0.05)


def test_missing_keypoints_are_nan_without_a_score():
    scene = scene_of(people_m(*[(0, 0, 4.0)] * 50))
    people = lifting_data.remove_at_random(0.3)(scene, np.random.default_rng(0))
    assert people.detected[:, np.arange(K) != ROOT].mean() == pytest.approx(0.7, abs=0.03)
    assert np.array_equal(np.isfinite(people.xy_px[..., 0]), people.detected)
    hidden = replace(scene, visible=people.detected)
    np.testing.assert_array_equal(
        lifting_data.visible_only(hidden, np.random.default_rng(1)).scores, people.scores
    )


def test_upper_body_removes_hips_and_legs():
    (seen,) = lifting_data.upper_body(scene_of(people_m((0, 0, 4.0))), None).detected
    legs = {f'{s}_{k}' for s in ('left', 'right') for k in ('hip', 'knee', 'ankle')}
    hidden = {k for k, known in zip(PANOPTIC19.keypoints, seen, strict=True) if not known}
    assert hidden == legs | {'pelvis'}


def test_conditions_with_a_camera_pose_skip_scenes_without_one():
    poses = [None, CameraPose(np.array([0, -1.0, 0]), 1.2)]
    scenes = [scene_of(people_m((0, 0, 4.0)), f'group {pose}', pose) for pose in poses]
    given = []

    def lift(scene, people, camera_pose):
        given.append(camera_pose)
        return perfect(scene, people, camera_pose)

    for condition in lifting_data.CONDITIONS[:2]:
        lifting.in_labels(scenes, condition, lift)
    assert given == [None, None, poses[1]]


def write_data(folder: Path) -> None:
    """Write an image of Panoptic and a frame of motion capture, of the same camera and person.

    The camera is 2 m above the floor and looks along the studio's x axis; the person's pelvis is
    4 m in front of it, 1 m above the floor; the left wrist is far to the left, outside the image.
    """
    person = {'pelvis': [400, -100, 0], 'neck': [400, -150, 0], 'l_wri': [400, -100, 900]}
    camera = {
        'name': '00_03', 'width': 640, 'height': 480,
        'K': [[500, 0, 320], [0, 500, 240], [0, 0, 1]],
        'R': [[0, 0, -1], [0, 1, 0], [1, 0, 0]], 't_cm': [0, 200, 0],
    }  # fmt: skip
    frame = {'frame': 0, 'people': [{'keypoints_3d_world_cm': person}]}
    image = {
        'file': 'images/panoptic_1_00_03_7.jpg', 'group': 'panoptic_1',
        'width': 640, 'height': 480, 'K': camera['K'],
        'all_people_labelled': True, 'ignore_boxes': [],
        'people': [{
            'keypoints_2d': {'pelvis': [320, 365, 1], 'neck': [320, 302.5, 0]},
            'keypoints_3d_cm': {'pelvis': [0, 100, 400], 'neck': [0, 50, 400]},
        }],
    }  # fmt: skip
    unknown = {**image, 'file': 'images/coco.jpg', 'group': 'coco', 'K': None}
    (folder / 'sequences_3d').mkdir()
    recording = {'cameras': [camera], 'frames': [frame]}
    (folder / 'sequences_3d' / 'a.json').write_text(json.dumps(recording))
    (folder / 'annotations.json').write_text(json.dumps({'images': [image, unknown]}))


def test_motion_capture_and_images_are_read_in_metres_with_the_camera_pose(tmp_path):
    write_data(tmp_path)
    capture, image = lifting_data.read_scenes(tmp_path)
    assert (capture.group, image.group) == ('motion capture', 'Panoptic')
    neck, wrist = (PANOPTIC19.index(name) for name in ('neck', 'left_wrist'))
    for scene in (capture, image):
        np.testing.assert_allclose(scene.xyz_m[0, ROOT], (0, 1, 4))
        np.testing.assert_allclose(scene.people.xy_px[0, neck], (320, 302.5))
        np.testing.assert_allclose(scene.camera_pose.up, (0, -1, 0))
        assert scene.camera_pose.height_m == pytest.approx(2)
        assert np.flatnonzero(scene.people.detected[0]).tolist() == [neck]  # no pelvis
    np.testing.assert_allclose(capture.xyz_m[0, wrist], (-9, 1, 4))
    assert capture.visible[0, neck]
    assert not image.visible[0, neck]


def test_the_perfect_lifter_makes_no_error_in_real_data(shared):
    scenes = lifting_data.read_scenes(shared / 'data/real')
    for condition in lifting_data.CONDITIONS:
        rows = lifting.in_labels(scenes, condition, perfect)
        assert {'motion capture', 'Panoptic', 'Pose2Sim'} <= rows.keys()
        errors = np.concatenate([row.errors for row in rows.values()])
        assert len(errors) == sum(row.people for row in rows.values())
        assert np.nanmax(errors) == pytest.approx(0, abs=1e-9)


def test_feet_of_real_people_are_on_the_floor_of_the_camera_pose(shared):
    ankles = PANOPTIC19.indices(('left_ankle', 'right_ankle'))
    heights_m: dict[str, list[float]] = {}
    for scene in lifting_data.read_scenes(shared / 'data/real'):
        if scene.camera_pose is not None:
            above = scene.camera_pose.height_m + scene.xyz_m[:, ankles] @ scene.camera_pose.up
            heights_m.setdefault(scene.group, []).extend(above[np.isfinite(above)])
    assert heights_m.keys() == {'motion capture', 'Panoptic', 'Pose2Sim'}
    for above in heights_m.values():
        assert -0.05 < np.min(above) < np.median(above) < 0.15  # one man balances on a beam


def test_detections_count_with_twelve_keypoints_and_a_matching_label():
    scene = scene_of(people_m((-1, 0, 4.0), (0, 0, 4.0), (1, 0, 4.0)))
    scene = replace(scene, image=image_of(scene))
    kept = np.ones((3, K), bool)
    kept[0, :8] = False  # eleven are left
    people = lifting_data.keep_keypoints(scene.people, kept)
    people.xy_px[2] += 5
    rows = lifting.in_detections([scene], [people], perfect)
    assert (len(rows['here'].errors), rows['here'].people) == (2, 3)
    people.xy_px[2] += 100
    assert len(lifting.in_detections([scene], [people], perfect)['here'].errors) == 1
    rows = lifting.in_detections([scene], [people], perfect, min_visible=K + 1)
    assert rows['here'] == lifting.Row([], 0)
    assert lifting.in_detections([scene], [people], perfect, with_camera_pose=True) == {}


def test_detections_in_sequences_are_smoothed_and_those_of_single_images_are_not():
    rng = np.random.default_rng(3)
    scene = scene_of(people_m((0, 0, 4.0)))

    def shaking(scene, people, camera_pose):
        return lifting_baselines.people_at(
            people, scene.xyz_m + rng.normal(0, 0.05, scene.xyz_m.shape)
        )

    errors = {}
    for sequence in (None, 'walk'):
        scenes = [replace(scene, image=image_of(scene, sequence, t / 30)) for t in range(60)]
        rows = lifting.in_detections(scenes, [scene.people] * 60, shaking)
        errors[sequence] = np.mean([e.root_relative for e in rows['here'].errors])
    assert errors['walk'] < 0.8 * errors[None]


def test_the_mean_of_rotated_copies_of_a_pose_is_that_pose():
    poses = np.concatenate([people_m((0, 0, 0), turn_rad=turn) for turn in (0.3, 1.0, 2.0)])
    mean = lifting_baselines.mean_pose(poses)
    np.testing.assert_allclose(mean, figure_m(0.3), atol=1e-9)
    rows = lifting.in_labels(
        [scene_of(people_m((1, 0, 4.0), turn_rad=-2))],
        LABELLED,
        lifting_baselines.by_mean_pose(mean),
    )
    (errors,) = rows['here'].errors
    np.testing.assert_allclose(errors, 0, atol=1e-4)


def test_nearest_neighbour_finds_the_pose_and_the_view():
    rng = np.random.default_rng(4)
    others = [figure_m() + rng.normal(0, 0.2, (K, 3)) for _ in range(5)]
    neighbour = lifting_baselines.NearestNeighbour(np.array([*others, figure_m()]))
    c, s = np.cos(np.radians(30)), np.sin(np.radians(30))
    down = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    far_m = figure_m(np.radians(40)) @ down.T + (0, 0, 40.0)  # hardly any perspective
    lift = lifting_baselines.by_nearest_neighbour(neighbour)
    (errors,) = lifting.in_labels([scene_of(far_m[None])], LABELLED, lift)['here'].errors
    columns = (*lifting.COLUMNS, 'root_distance_share')
    np.testing.assert_allclose([getattr(errors, name) for name in columns], 0, atol=0.01)


def test_recordings_compare_both_lifters_on_the_same_people():
    class Nowhere:
        def lift_people(self, people, intrinsics, assumed_person_height_m, camera_pose=None):
            figures = people_m(*[(0, 0, 50.0)] * len(people))
            return lifting_baselines.people_at(people, figures)

    folder = Path(__file__).resolve().parents[2] / 'golden'
    table = lifting.in_recordings(folder, Nowhere())
    (maps,), (network,) = (rows.values() for rows in table.values())
    assert len(maps.errors) == len(network.errors) > 40
    assert maps.people == network.people
    assert np.nanmedian([e.root_distance_share for e in maps.errors]) < 0.05
    assert np.nanmedian([e.root_distance_share for e in network.errors]) > 1


def test_rows_are_printed_in_millimetres_and_per_cent(capsys):
    errors = [PoseErrors(*[0.05] * 8), PoseErrors(0.07, 0.07, np.nan, 0.07, 0.07, 0.07, 1, 0.15)]
    lifting.print_rows('labelled', 'network', {'here': lifting.Row(errors, 3)})
    lifting.print_rows('labelled', 'network', {'there': lifting.Row([], 1)})
    one = lifting.Row(errors[:1], 2)
    lifting.print_rows('labelled', 'network', {'all': lifting.all_people({'a': one, 'b': one})})
    assert capsys.readouterr().out == (
        '| here | labelled | network | 2/3 | 60 | 50 | 60 | 60 | 10.0 / 10.0 |\n'
        '| there | labelled | network | 0/1 | - | - | - | - | - |\n'
        '| all | labelled | network | 2/4 | 50 | 50 | 50 | 50 | 5.0 / 5.0 |\n'
    )


def test_measures_of_a_known_error():
    """A person 0.1 m to the right and 0.2 m further away, whose left wrist is 0.3 m too high."""
    true_m = people_m((0, 0, 4.0))[0]
    found_m = true_m + np.array([0.1, 0, 0.2])
    wrist = PANOPTIC19.index('left_wrist')
    found_m[wrist] -= (0, 0.3, 0)
    people = lifting_baselines.people_at(scene_of(true_m[None]).people, found_m[None])
    covariance_m2 = np.diag([0.1, 0.1, 0.2])[None] ** 2
    people = replace(people, root_covariance_m2=covariance_m2, sd_m=np.full((1, K), 0.1))
    measures = lifting_measures.measure(true_m, people, 0)
    np.testing.assert_allclose(measures.root_m, (0.1, 0, 0.2), atol=1e-9)
    assert measures.correct == pytest.approx(1 - 1 / (K - 1))
    assert measures.correct_absolute == 0
    # Of eleven keypoints above the hips beside the neck.
    assert measures.upper_m == pytest.approx(0.3 / 10, rel=0.15)
    assert measures.root_squared == pytest.approx(2)
    assert measures.keypoints_squared[wrist] == pytest.approx(9)
    assert np.isnan(measures.keypoints_squared[ROOT])
    cells = lifting_measures.cells([measures])
    assert cells[:4] == ['224', '100 / 0 / 200', '94', '0']
    assert cells[5] == '100 / 100'


def test_people_without_a_position_have_no_measures():
    true_m = people_m((0, 0, 4.0))[0]
    nowhere = np.full((1, K, 3), np.nan)
    people = lifting_baselines.people_at(scene_of(true_m[None]).people, nowhere)
    assert lifting_measures.measure(true_m, people, 0) is None


def test_acceleration_of_a_person_who_is_found_shaking():
    """A shift of 1 cm in every second image: 2 cm per square of the interval."""
    pose = CameraPose(np.array([0.0, -1.0, 0.0]), 1.2)
    scenes = [scene_of(people_m((0.01 * t, 0, 4.0)), 'motion capture', pose) for t in range(12)]
    number = iter(range(12))

    def shaking(scene, people, camera_pose):
        shift = np.zeros((K, 3))
        shift[ROOT, 0] = 0.01 * (next(number) % 2)
        return lifting_baselines.people_at(people, scene.xyz_m + shift)

    relative, root = lifting_measures.acceleration_errors(scenes, LABELLED, shaking)
    # Only the root shakes, so everything else does relative to it.
    for lifted, smoothed in (relative, root):
        assert lifted == pytest.approx(0.02 * 29.97**2, rel=0.01)
        assert smoothed < 0.7 * lifted
    exact = lifting_measures.acceleration_errors(scenes, LABELLED, perfect)
    np.testing.assert_allclose(exact[:, 0], 0, atol=1e-6)
