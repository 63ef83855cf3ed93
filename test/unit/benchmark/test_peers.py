"""The comparison with peers: their answers, scores and tables, and a real process."""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmark import peer_environments, peer_runs, peer_tables
from benchmark.golden import Tally
from benchmark.peer_process import Peer, PeerProcess, read_answer
from benchmark.peer_runs import Costs
from benchmark.peer_score import Score, in_common, score
from pose3d_ros.detection.keypoint_sets import KEYPOINT_SETS
from pose3d_ros.evaluation.annotations import LabelledImage
from pose3d_ros.evaluation.oks import bounding_boxes
from pose3d_ros.evaluation.pose_errors import PoseErrors
from pose3d_ros.people import K, People2D, People3D
from pose3d_ros.skeleton import PANOPTIC19
from synthetic.scene import CAMERA, people_m

TRUE_M = people_m((-0.5, 0.1, 3.0), (0.6, 0, 3.5))
COCO17 = KEYPOINT_SETS['coco17']


def labelled(path=Path('a.png'), xyz_m=TRUE_M):
    xy_px = CAMERA.project(xyz_m)
    n = len(xyz_m)
    return LabelledImage(
        xy_px=xy_px, boxes=bounding_boxes(xy_px), ignore=np.zeros((0, 4)), path=path, group='all',
        xyz_m=xyz_m, visible=np.ones((n, K), bool), intrinsics=CAMERA, ids=list(range(n)),
        sequence=None, time_s=0.0,
    )  # fmt: skip


def detected(image, xyz_m, rows):
    n = len(rows)
    people_2d = People2D(image.xy_px[rows], np.full((n, K), 0.9), np.full(n, 0.9))
    return People3D(people_2d, xyz_m, np.zeros((n, K), np.uint8), np.full((n, 3, 3), np.nan))


def answer(people):
    costs = {'seconds': 0.5, 'cpu_seconds': 0.75, 'peak_mb': 100.0}
    return read_answer(json.dumps({**costs, 'people': people}))


def coco_person(xyz):
    columns = PANOPTIC19.indices(COCO17)
    xy = CAMERA.project(TRUE_M)[0, columns]
    scores = np.full(17, 0.5)
    return {
        'keypoint_set': 'coco17', 'xy': xy.tolist(), 'scores': scores.tolist(), 'score': 0.5,
        'xyz': None if xyz is None else xyz[columns].tolist(),
    }  # fmt: skip


def test_an_answer_in_the_order_of_coco_gets_midpoints_in_2d_and_in_3d():
    read = answer([coco_person(TRUE_M[0])])
    assert (read.seconds, read.cpu_seconds, read.peak_mb) == (0.5, 0.75, 100.0)
    hips = PANOPTIC19.indices(('left_hip', 'right_hip'))
    pelvis, knee = PANOPTIC19.index('pelvis'), PANOPTIC19.index('left_knee')
    people = read.people
    np.testing.assert_allclose(people.xyz_m[0, knee], TRUE_M[0, knee])
    np.testing.assert_allclose(people.xyz_m[0, pelvis], TRUE_M[0, hips].mean(0))
    xy_px = CAMERA.project(TRUE_M)[0]
    np.testing.assert_allclose(people.people_2d.xy_px[0, pelvis], xy_px[hips].mean(0))


def test_an_answer_without_3d_has_no_positions_and_nobody_is_no_rows():
    assert np.isnan(answer([coco_person(None)]).people.xyz_m).all()
    assert len(answer([]).people) == 0


def test_errors_are_relative_to_the_root_and_compared_over_the_same_people():
    image, alone = labelled(), labelled(xyz_m=TRUE_M[:1])
    relative = TRUE_M - TRUE_M[:, PANOPTIC19.index('pelvis'), np.newaxis]
    first = score(
        [image, alone], [detected(image, relative, [0, 1]), detected(image, TRUE_M[:0], [])]
    )
    assert (first.people, first.found, first.false) == (3, 2, 0)
    assert (first.alone, first.found_alone) == ([1], 0)
    assert first.mean_mm('root_relative') == pytest.approx(0, abs=1e-6)
    larger = score(
        [image, alone], [detected(image, 1.1 * TRUE_M[1:], [1]), detected(alone, TRUE_M[:1], [0])]
    )
    assert in_common([first, larger]) == [(0, 1)]
    limbs = np.delete(relative[1], PANOPTIC19.index('pelvis'), axis=0)
    expected_mm = 100 * np.linalg.norm(limbs, axis=-1).mean()
    assert larger.mean_mm('root_relative', [(0, 1)]) == pytest.approx(expected_mm)


def test_people_with_few_visible_keypoints_have_no_3d_error():
    image = labelled()
    image.visible[0, :] = False
    found = score([image], [detected(image, TRUE_M, [0, 1])])
    assert list(found.errors) == [(0, 1)]


def test_rows_have_ratios_to_the_first_peer():
    error = PoseErrors(*[0.1] * len(PoseErrors._fields))
    scores = [Score(10, 9, 1, [0], 1, {(0, 0): error, (1, 0): error}), Score(10, 5, 2, [0], 1)]
    spent = [
        Costs(np.array([[0.02, 0.04]]), np.array([[0.04, 0.08]]), 200.0),
        Costs(np.array([[0.04, 0.08]]), np.array([[0.02, 0.02]]), 100.0),
    ]
    starts_s = np.array([[2.0, 1.0], [2.0, 4.0], [2.0, 1.0]])
    _, first, second = peer_tables.images(['a', 'b'], scores, spent, starts_s)
    assert first == (
        '| a | 9/10 | 1 | 1/1 | 100 / 100 (2) | 100 / 100 (2) | 30 (1.00) | 60 (1.00) | 40 (1.00) '
        '| 200 (1.00) | 2.00 (1.00) |'
    )
    assert second == (
        '| b | 5/10 | 2 | 1/1 | - | - | 60 (2.00) | 20 (0.33) | 20 (0.50) '
        '| 100 (0.50) | 1.00 (0.50) |'
    )


def test_rows_of_a_clip_count_images_with_people():
    image = labelled()
    people = [detected(image, TRUE_M, [0, 1]), detected(image, TRUE_M[:0], [])]
    spent = Costs(np.array([[0.02, 0.04]]), np.array([[0.04, 0.08]]), 200.0)
    _, row = peer_tables.clip(['a'], [people], [spent])
    assert row == '| a | 1/2 | 1.00 | 30 (1.00) | 60 (1.00) |'


def test_the_rows_of_runtimes_and_parsers_name_each():
    spent = Costs(np.array([[0.02]]), np.array([[0.04]]), 200.0)
    (row,) = peer_tables.runtimes(['a'], [spent], np.array([[2.0]]))
    assert row == '| a | 20 (1.00) | 40 (1.00) | 200 (1.00) | 2.00 (1.00) |'
    _, ours, published = peer_tables.parsers(Tally(people=3, found=2), Tally(people=3, found=1))
    assert ours.startswith('| ours | 2/3 |')
    assert published.startswith('| published | 1/3 |')


def test_each_turn_begins_with_another_peer():
    assert [peer_runs.rotated(3, turn) for turn in range(4)] == [
        [0, 1, 2], [1, 2, 0], [2, 0, 1], [0, 1, 2],
    ]  # fmt: skip


def our_peer(model, folder):
    options = {'model': [str(model)], 'cache': str(folder / 'cache')}
    return Peer('ours', Path(sys.executable), 'peer_ours', options)


def test_a_process_finds_the_people_of_each_image(two_people_xml, tmp_path):
    image = labelled(tmp_path / 'a.png')
    cv2.imwrite(str(image.path), np.full((256, 448, 3), 200, np.uint8))
    requests = peer_runs.requests_of([image])
    peers = [our_peer(two_people_xml, tmp_path)]
    (found,), (spent,) = peer_runs.run_in_turns(peers, requests, rounds=2)
    assert score([image], found).found == 2
    assert spent.seconds.shape == spent.cpu_seconds.shape == (2, 1)
    assert spent.peak_mb > 10


def test_a_process_that_fails_says_why(tmp_path):
    reason = r'ours has ended(.|\n)*absent\.xml does not exist'
    absent = our_peer(tmp_path / 'absent.xml', tmp_path)
    with PeerProcess(absent) as process, pytest.raises(SystemExit, match=reason):
        process.ask({'image': 'a.png'})


def test_an_environment_is_made_once_for_the_same_requirements(tmp_path, monkeypatch):
    commands = []

    def run(command, check):
        commands.append(command)
        (tmp_path / 'mediapipe').mkdir(exist_ok=True)

    monkeypatch.setattr(peer_environments.subprocess, 'run', run)
    for _ in range(2):
        python = peer_environments.python_of(tmp_path, 'mediapipe')
    assert python == tmp_path / 'mediapipe' / 'bin' / 'python'
    assert len(commands) == 2  # the environment, and its packages
    assert commands[1][-1] == 'mediapipe==0.10.14'
    monkeypatch.setitem(peer_environments.REQUIREMENTS, 'mediapipe', ('mediapipe==1',))
    peer_environments.python_of(tmp_path, 'mediapipe')
    assert len(commands) == 4
