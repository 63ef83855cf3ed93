"""Training of the lifting network, where torch and the body model are installed."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='needs training/requirements.txt')
pytest.importorskip('anny', reason='needs training/requirements.txt')
pytest.importorskip('nncf', reason='needs training/requirements.txt')

from pose3d_ros.lifting.lifting_network import LiftingNetwork
from pose3d_ros.lifting.person_view import FEATURES, person_views
from pose3d_ros.skeleton import PANOPTIC19
from training import activities, bodies, cameras, poses
from training.lifting import samples, train
from training.lifting.export import Rows, export
from training.lifting.model import Lifter, mirror_features, mirror_outputs

N = 200
K = {name: i for i, name in enumerate(PANOPTIC19.keypoints)}


@pytest.fixture(scope='module')
def model():
    return bodies.BodyModel()


@pytest.fixture(scope='module')
def shapes(model):
    return model.sample(np.random.default_rng(0), N)


def standing(**degrees):
    angles = np.zeros((1, len(poses.ANGLES)))
    for name, value in degrees.items():
        angles[0, poses.INDEX[name]] = value
    return angles


def keypoints(shapes, **degrees):
    """Return keypoints of the first body in one pose."""
    return bodies.posed(shapes.take(np.array([0])), poses.rotations(standing(**degrees)))[1][0]


def test_heights_are_those_of_people(shapes):
    adults = shapes.height_m[shapes.height_m > 1.5]
    assert abs(np.median(adults) - 1.70) < 0.03
    assert 0.03 < (shapes.height_m < 1.5).mean() < 0.2


def test_joints_are_where_the_body_model_has_them(model, shapes):
    """The joints agree with the body model's bones and skin."""
    rng = np.random.default_rng(1)
    turned = poses.rotations(activities.sample(rng, N))
    exact = model.sample(rng, N, annotated=False)
    joints_m, keypoints_m = bodies.posed(exact, turned)
    vertices_m = model.meshes(exact, turned)
    nose = vertices_m[:, model._face_vertices['nose']]
    np.testing.assert_allclose(keypoints_m[:, K['nose']], nose, atol=1e-4)
    for side in ('left', 'right'):
        knee = bodies.JOINTS.index(f'{side}_knee')
        np.testing.assert_allclose(keypoints_m[:, K[f'{side}_knee']], joints_m[:, knee], atol=1e-4)
        nearest = np.linalg.norm(vertices_m - joints_m[:, [knee]], axis=-1).min(1)
        assert nearest.max() < 0.12  # inside the leg


@pytest.mark.parametrize(
    ('degrees', 'keypoint', 'reference', 'direction'),
    [
        ({}, 'left_shoulder', 'right_shoulder', (1, 0, 0)),
        ({}, 'left_wrist', 'left_shoulder', (0, 0, -1)),
        ({'pitch': 60}, 'nose', 'pelvis', (0, -1, 0)),
        ({'spine_flexion': 60}, 'nose', 'neck', (0, -1, 0)),
        ({'left_elbow_flexion': 90}, 'left_wrist', 'left_elbow', (0, -1, 0)),
        ({'left_arm_raised': 90}, 'left_elbow', 'left_shoulder', (1, 0, 0)),
        ({'right_arm_raised': 90}, 'right_elbow', 'right_shoulder', (-1, 0, 0)),
        ({'right_arm_raised': 90, 'right_arm_plane': 90}, 'right_elbow', 'neck', (0, -1, 0)),
        ({'right_hip_flexion': 90}, 'right_knee', 'right_hip', (0, -1, 0)),
        ({'left_hip_abduction': 50}, 'left_knee', 'left_hip', (1, 0, 0)),
        ({'left_knee_flexion': 90}, 'left_ankle', 'left_knee', (0, 1, 0)),
    ],
)
def test_angles_rotate_joints_in_the_stated_direction(
    shapes, degrees, keypoint, reference, direction
):
    points_m = keypoints(shapes, **degrees)
    along = points_m[K[keypoint]] - points_m[K[reference]]
    assert along @ direction > 0.7 * np.linalg.norm(along)


def test_poses_stay_within_limits():
    angles = activities.sample(np.random.default_rng(2), 2000)
    assert (angles >= poses.LIMITS[:, 0]).all()
    assert (angles <= poses.LIMITS[:, 1]).all()


def test_a_mirrored_pose_is_the_mirror_image(shapes):
    angles = activities.sample(np.random.default_rng(3), N)
    joints_m, _ = bodies.posed(shapes, poses.rotations(angles))
    mirrored_m, _ = bodies.posed(shapes, poses.rotations(poses.mirrored(angles)))
    swap = {'left': 'right', 'right': 'left'}
    names = (name.partition('_') for name in bodies.JOINTS)
    other = [bodies.JOINTS.index(swap.get(a, a) + bar + b) for a, bar, b in names]
    off_m = mirrored_m[:, other] * (-1, 1, 1) - joints_m
    assert np.abs(off_m).max() < 0.02  # shapes are not quite symmetric


def test_people_on_their_feet_have_their_weight_over_them(shapes):
    """A bent trunk moves the pelvis behind the feet; lying people are not set upright."""
    rng = np.random.default_rng(9)
    bent = shapes.take(np.zeros(2, int))
    angles = np.concatenate(
        [standing(pitch=70, left_hip_flexion=70, right_hip_flexion=70), standing(pitch=-90)]
    )
    people = samples.stand(rng, bent, angles, np.array([0.0, 0.0]))
    ankles = people.keypoints_m[:, [K['left_ankle'], K['right_ankle']]].mean(1)
    hips_behind_m = -ankles[:, 1]
    assert 0.1 < hips_behind_m[0] < 0.4
    unbalanced_m = samples.stand(rng, bent, angles, np.array([np.nan, np.nan])).keypoints_m
    assert abs(unbalanced_m[0, K['left_ankle'], 1]) < 0.1
    np.testing.assert_allclose(people.keypoints_m[1], unbalanced_m[1], atol=1e-6)


def test_cameras_are_upright_and_have_people_in_view(shapes):
    people = samples.draw_people(np.random.default_rng(4), shapes, N)
    rng = np.random.default_rng(5)
    camera = cameras.sample(rng, people.keypoints_m.mean(1), people.floor_m)
    np.testing.assert_allclose(
        camera.axes @ camera.axes.transpose(0, 2, 1), np.broadcast_to(np.eye(3), (N, 3, 3)),
        atol=1e-6,
    )  # fmt: skip
    np.testing.assert_allclose(np.linalg.det(camera.axes), 1, atol=1e-6)
    assert (camera.up[:, 1] < 0).all()
    xyz_m = camera.see(people.keypoints_m)
    assert camera.inside(xyz_m).any(1).mean() > 0.95


def test_truth_lies_on_the_rays_where_there_is_no_noise(shapes):
    rng = np.random.default_rng(6)
    views = samples.draw_views(rng, samples.draw_people(rng, shapes, 2000))
    labelled = np.where(views.scores > 0, views.scores, 1).min(1) == 1
    off = np.abs(views.rays - views.xyz_m[..., :2] / views.xyz_m[..., 2:])[labelled]
    assert np.nanmedian(off) < 0.003
    np.testing.assert_array_equal(np.isnan(views.rays[..., 0]), views.scores == 0)


def test_targets_are_the_truth_in_the_virtual_camera(shapes):
    rng = np.random.default_rng(7)
    views = samples.draw_views(rng, samples.draw_people(rng, shapes, N))
    _, targets_m, size = samples.features_and_targets(views)
    view = person_views(views.rays, views.scores, views.camera_poses)
    root_m = views.xyz_m[:, [K['pelvis']]]
    np.testing.assert_allclose(targets_m @ view.axes, views.xyz_m - root_m, atol=1e-4)
    along_m = (root_m[:, 0] * view.axes[:, 2]).sum(1)
    far = along_m > 0.5
    np.testing.assert_allclose((np.exp(size) / view.spread)[far], along_m[far], rtol=1e-4)


def mirrored_views(views):
    """Mirror people and images, so that left and right are exchanged."""
    swap = {'left': 'right', 'right': 'left'}
    names = (name.rpartition('_') for name in PANOPTIC19.keypoints)
    other = PANOPTIC19.indices(tuple(swap.get(a, a) + bar + b for a, bar, b in names))
    poses = replace(views.camera_poses, up=views.camera_poses.up * (-1, 1, 1))
    return replace(
        views,
        xyz_m=(views.xyz_m * (-1, 1, 1))[:, other],
        rays=(views.rays * (-1, 1))[:, other],
        scores=views.scores[:, other],
        camera_poses=poses,
    )


def test_features_and_targets_are_mirrored_by_matrices(shapes):
    rng = np.random.default_rng(11)
    views = samples.draw_views(rng, samples.draw_people(rng, shapes, N))
    features, targets, _ = samples.features_and_targets(views)
    mirrored, mirrored_targets, _ = samples.features_and_targets(mirrored_views(views))
    np.testing.assert_allclose(features @ mirror_features().numpy().T, mirrored, atol=1e-4)
    rows = np.zeros((N, len(mirror_outputs())), np.float32)
    rows[:, : targets[0].size] = targets.reshape(N, -1)
    rows = (rows @ mirror_outputs().numpy().T)[:, : targets[0].size]
    np.testing.assert_allclose(rows, mirrored_targets.reshape(N, -1), atol=1e-4)


def test_mirrored_features_give_mirrored_outputs():
    torch.manual_seed(0)
    lifter, features = Lifter(64, 2), torch.randn(N, FEATURES)
    with torch.no_grad():
        outputs, mirrored = (
            torch.cat([out.flatten(1) for out in lifter(rows)], dim=1)
            for rows in (features, features @ mirror_features().T)
        )
    torch.testing.assert_close(outputs @ mirror_outputs().T, mirrored)


def test_the_exported_layers_compute_the_same():
    torch.manual_seed(1)
    lifter, features = Lifter(64, 2), torch.randn(N, FEATURES)
    with torch.no_grad():
        expected = [out.flatten(1) for out in lifter(features)]
        for found, array in zip(Rows(lifter)(features), expected, strict=True):
            torch.testing.assert_close(found, array, atol=1e-5, rtol=1e-4)


def test_a_few_steps_give_a_network_that_the_package_runs(tmp_path, shapes):
    recipe = train.Recipe(views=2560, shapes=50, pool=300, chunk=300, batch=128)
    lifter = train.train(recipe, tmp_path)
    assert (tmp_path / 'weights.pt').is_file()
    export(lifter, tmp_path / 'lifting.xml')
    rng = np.random.default_rng(8)
    views = samples.draw_views(rng, samples.draw_people(rng, shapes, 7))
    features, *_ = samples.features_and_targets(views)
    with torch.no_grad():
        expected = [out.flatten(1).numpy() for out in lifter(torch.from_numpy(features))]
    found = LiftingNetwork(tmp_path / 'lifting.xml').network.infer(features)
    for name, array in zip(('xyz', 'log_scale', 'person'), expected, strict=True):
        # Weights are rounded to int8.
        np.testing.assert_allclose(found[name], array, atol=0.03)


def test_the_same_seed_gives_the_same_network(tmp_path):
    recipe = train.Recipe(views=512, shapes=20, pool=100, chunk=300, batch=128)
    first, second = (train.train(recipe, tmp_path / str(i)) for i in range(2))
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_a_training_starts_from_the_weights_of_another(tmp_path):
    recipe = train.Recipe(views=512, shapes=20, pool=100, chunk=300, batch=128)
    first = train.train(recipe, tmp_path / 'first')
    no_steps = replace(recipe, views=0, seed=1)
    second = train.train(no_steps, tmp_path / 'second', tmp_path / 'first' / 'weights.pt')
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
