"""Recorded motion as poses of the body model, where torch and the body model are installed."""

import numpy as np
import pytest

pytest.importorskip('torch', reason='needs training/requirements.txt')
pytest.importorskip('anny', reason='needs training/requirements.txt')

from training import activities, bodies, poses, recordings
from training.poses import ANGLES, INDEX
from training.recordings import NAMES, Recordings

# A skeleton of straight limbs that stands with its arms sideways: name, offset, children; y is up.
TREE = ('hip', (0, 0, 0), (
    ('{left_hip}', (1, 0, 0), (('{left_knee}', (0, -4, 0), (('{left_ankle}', (0, -4, 0), ()),)),)),
    ('{right_hip}', (-1, 0, 0), (
        ('{right_knee}', (0, -4, 0), (('{right_ankle}', (0, -4, 0), ()),)),)),
    ('chest', (0, 5, 0), (
        ('{head}', (0, 2, 0), ()),
        ('{left_shoulder}', (2, 0, 0), (
            ('{left_elbow}', (3, 0, 0), (('{left_wrist}', (3, 0, 0), ()),)),)),
        ('{right_shoulder}', (-2, 0, 0), (
            ('{right_elbow}', (-3, 0, 0), (('{right_wrist}', (-3, 0, 0), ()),)),)),
    )),
))  # fmt: skip


def bvh(turned, times=1, interval_s=0.1, names=0, without=''):
    """Write a BVH file: the reference pose, then `times` the rotations, degrees about z, y, x."""
    ours = {name: theirs[names] for name, theirs in NAMES.items()}
    lines, order = ['HIERARCHY'], []

    def add(joint, depth):
        name, offset, children = joint
        order.append(name.strip('{}'))
        pad = '  ' * depth
        shown = 'other' if without and without in name else name.format(**ours)
        lines.extend([f'{pad}{"JOINT" if depth else "ROOT"} {shown}', pad + '{'])
        lines.append('OFFSET {} {} {}'.format(*offset))
        position = 'Xposition Yposition Zposition ' if depth == 0 else ''
        count = 3 if depth else 6
        lines.append(f'CHANNELS {count} {position}Zrotation Yrotation Xrotation')
        for child in children:
            add(child, depth + 1)
        if not children:
            lines.extend(['End Site', '{', 'OFFSET 0 0 0', '}'])
        lines.append(pad + '}')

    add(TREE, 0)
    frames = [{}] + [turned] * times
    lines += ['MOTION', f'Frames: {len(frames)}', f'Frame Time: {interval_s}']
    for frame in frames:
        values = [0, 0, 0] + [v for joint in order for v in frame.get(joint, (0, 0, 0))]
        lines.append(' '.join(map(str, values)))
    return '\n'.join(lines)


@pytest.fixture(scope='module')
def fit():
    return recordings.Fit(bodies.BodyModel().sample(np.random.default_rng(0), 50))


@pytest.mark.parametrize('names', [0, 1])
def test_joints_turn_about_their_parents_in_the_order_of_the_channels(names, tmp_path):
    """The left arm points forward, then its forearm up."""
    path = tmp_path / 'a.bvh'
    path.write_text(bvh({'left_shoulder': (0, -90, 0), 'left_elbow': (90, 0, 0)}, names=names))
    joints = recordings.read_bvh(path)
    # x to the left of a person who faces -y, z up.
    np.testing.assert_allclose(joints['left_shoulder'], [[2, 0, 5]], atol=1e-9)
    np.testing.assert_allclose(joints['left_elbow'], [[2, -3, 5]], atol=1e-9)
    np.testing.assert_allclose(joints['left_wrist'], [[2, -3, 8]], atol=1e-9)
    np.testing.assert_allclose(joints['right_ankle'], [[-1, 0, -8]], atol=1e-9)


def test_poses_are_a_tenth_of_a_second_apart_and_the_first_is_left_out(tmp_path):
    path = tmp_path / 'a.bvh'
    path.write_text(bvh({}, times=60, interval_s=1 / 120))
    assert len(recordings.read_bvh(path)['head']) == 5


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('nothing', 'a.bvh is not a BVH file'),
        (bvh({}) + '\n1 2 3', 'a.bvh is not a BVH file'),
        (bvh({}, interval_s=0), 'a.bvh is not a BVH file .*: the frame time is 0 s'),
        (bvh({}, without='left_knee'), 'a.bvh has no joint lShin or LeftLeg; it has'),
    ],
)
def test_a_file_that_cannot_be_used_is_named(text, message, tmp_path):
    path = tmp_path / 'a.bvh'
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        recordings.read_bvh(path)


def test_the_angles_of_sampled_poses_are_found(fit):
    """Limbs point where they did, although angles that they do not determine may differ."""
    rng = np.random.default_rng(1)
    angles = activities.draw(rng, 100)[0]
    yaw = rng.uniform(-180, 180, (100, 1))
    wanted = fit.directions(np.concatenate([angles, yaw], axis=1))
    found, error_deg = fit(wanted)
    assert np.percentile(error_deg, 80) < 8
    knees = [INDEX['left_knee_flexion'], INDEX['right_knee_flexion']]
    assert np.median(np.abs(found[:, knees] - angles[:, knees])) < 3
    assert (found >= poses.LIMITS[:, 0]).all()
    assert (found <= poses.LIMITS[:, 1]).all()


def test_recordings_are_sampled_equally_often_and_mirrored():
    angles = np.zeros((100, len(ANGLES)))
    angles[:, INDEX['left_knee_flexion']] = np.arange(100)
    recorded = Recordings(angles, np.repeat([3, 7], [90, 10]))
    drawn = recorded.sample(np.random.default_rng(2), 4000)
    left, right = (drawn[:, INDEX[f'{side}_knee_flexion']] for side in ('left', 'right'))
    assert abs((left > 0).mean() - 0.5) < 0.05
    assert abs((np.maximum(left, right) >= 90).mean() - 0.5) < 0.05


def test_walking_people_are_mostly_in_recorded_poses():
    """No activity gives exactly this knee, and sitting people keep theirs."""
    recorded = Recordings(np.zeros((1, len(ANGLES))), np.zeros(1, np.intp))
    recorded.angles[0, INDEX['left_knee_flexion']] = 100
    recorded.angles[0, INDEX['right_knee_flexion']] = 100
    angles, off_m = activities.draw(np.random.default_rng(3), 5000, recorded)
    knees = angles[:, [INDEX['left_knee_flexion'], INDEX['right_knee_flexion']]]
    like = (np.abs(knees - 100) < 16).all(1) & np.isnan(off_m)
    expected = sum(share * replaced for _, share, _, replaced in activities.ACTIVITIES)
    assert expected - 0.03 < like.mean() < expected + 0.06


def test_the_command_writes_a_file_that_can_be_read(tmp_path, capsys, fit):
    folder = tmp_path / 'walk'
    folder.mkdir()
    down = {'left_shoulder': (-80, 0, 0), 'right_shoulder': (80, 0, 0)}
    for name in ('a', 'b'):
        (folder / f'{name}.bvh').write_text(bvh({**down, 'left_knee': (0, 0, 60)}, times=3))
    out = tmp_path / 'recordings.npz'
    recordings.main([str(tmp_path), '--out', str(out)])
    assert '6 poses of 2 recordings; 0 poses' in capsys.readouterr().out
    found = Recordings.load(out)
    assert found.recording.tolist() == [0, 0, 0, 1, 1, 1]
    # The knees of the body model are a little bent at 0.
    np.testing.assert_allclose(found.angles[:, INDEX['left_knee_flexion']], 60, atol=12)
    np.testing.assert_allclose(found.angles[:, INDEX['right_arm_raised']], 10, atol=10)


@pytest.mark.parametrize(
    ('texts', 'message'),
    [
        ([], 'has no .bvh files'),
        (['nothing'], '0.bvh is not a BVH file'),
        ([bvh({}, times=0)], 'no recording has a pose after its first'),
    ],
)
def test_the_command_says_what_is_wrong_with_a_folder(texts, message, tmp_path, capsys):
    for i, text in enumerate(texts):
        (tmp_path / f'{i}.bvh').write_text(text)
    with pytest.raises(SystemExit):
        recordings.main([str(tmp_path), '--out', str(tmp_path / 'out.npz')])
    assert message in capsys.readouterr().err
    assert not (tmp_path / 'out.npz').exists()


def test_a_file_with_other_angles_is_an_error(tmp_path):
    path = tmp_path / 'old.npz'
    np.savez(path, angles=np.zeros((1, 2)), recording=[0], names=('pitch', 'roll'))
    with pytest.raises(ValueError, match=r'old\.npz has other angles'):
        Recordings.load(path)
