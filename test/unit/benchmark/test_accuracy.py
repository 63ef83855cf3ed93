"""Truth: errors made here, of a size that is known."""

import json
from pathlib import Path

import numpy as np
import pytest
from support.figure import BOX, figure_px, off_to

from benchmark import accuracy_2d, accuracy_3d, accuracy_ids
from benchmark.accuracy_2d import Truth
from pose3d_ros.evaluation import oks
from pose3d_ros.people import K, People2D, People3D
from pose3d_ros.skeleton import PANOPTIC19

RNG = np.random.default_rng(5)
FIGURE_M = np.add(RNG.normal(0, 0.4, (K, 3)), (0, 0, 4))


def truth(*people_px, ignore=()):
    """People of equal size; NaN: not labelled."""
    return Truth(
        path=None,
        row='all',
        xy_px=np.array(people_px).reshape(-1, K, 2),
        xyz_m=np.full((len(people_px), K, 3), np.nan),
        visible=np.ones((len(people_px), K), bool),
        boxes=np.tile(BOX, (len(people_px), 1)),
        ignore=np.array(ignore, float).reshape(-1, 4),
        intrinsics=None,
        ids=list(range(len(people_px))),
        sequence='walk',
        time_s=0.0,
    )


def found(*people_px, scores=None):
    xy_px = np.array(people_px).reshape(-1, K, 2)
    score = np.array(scores if scores is not None else [0.8] * len(xy_px))
    return People2D(xy_px, np.isfinite(xy_px[..., 0]) * 0.8, score)


def in_space(people):
    n = len(people)
    unknown = np.full((n, K, 3), np.nan), np.zeros((n, K), np.uint8), np.full((n, 3, 3), np.nan)
    return People3D(people, *unknown)


@pytest.mark.parametrize(
    ('people', 'expected'),
    [
        ([1.0, 1.0], (1, 1, 1, 1)),
        # One of two: precision 1 at the 51 of 101 recalls up to a half.
        ([1.0], (51 / 101, 51 / 101, 51 / 101, 0.5)),
        # Alike by 0.62: found at the thresholds 0.5, 0.55 and 0.6 of ten.
        ([0.62, 0.62], (0.3, 1, 0, 0.3)),
        ([], (0, 0, 0, 0)),
    ],
)
def test_average_precision_of_cases_with_a_known_answer(people, expected):
    pytest.importorskip('pycocotools')
    figures = [figure_px(), figure_px((300, 0))]
    ours = [off_to(s, f) for s, f in zip(people, figures, strict=False)]
    result = accuracy_2d.average_precision([truth(*figures)], [found(*ours)])
    np.testing.assert_allclose(result, expected, atol=1e-9)


def test_false_people_cost_precision_but_not_where_others_are():
    pytest.importorskip('pycocotools')
    figure, false = figure_px(), figure_px((600, 0))
    people = found(figure, false, scores=[0.5, 0.9])  # the false one is surer
    here = truth(figure)
    crowd = truth(figure, ignore=[[700, 40, 90, 220]])
    np.testing.assert_allclose(
        accuracy_2d.average_precision([here], [people]), (0.5, 0.5, 0.5, 1), atol=1e-9
    )
    np.testing.assert_allclose(accuracy_2d.average_precision([crowd], [people]), 1, atol=1e-9)
    assert accuracy_2d.row_2d([here], [people]).startswith('1 | 1/1 | 1 | 17/17 (1.00)')
    assert accuracy_2d.row_2d([crowd], [people]).startswith('1 | 1/1 | 0 | 17/17 (1.00)')


def test_pck_counts_keypoints_of_people_who_are_not_found():
    pytest.importorskip('pycocotools')
    figure = figure_px()
    off = figure.copy()
    off[oks.COCO[:4]] += (21, 0)  # the box is 200 high
    off[oks.COCO[4:6]] += (19, 0)
    cells = accuracy_2d.row_2d([truth(figure, figure_px((300, 0)))], [found(off)])
    assert cells.startswith('1 | 1/2 | 0 | 13/34 (0.38)')


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
    (one,) = accuracy_2d.read(tmp_path)
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


def test_errors_of_somebody_who_stands_ten_centimetres_to_the_side():
    true_m = FIGURE_M.copy()
    true_m[5] = np.nan  # 18 keypoints are left
    errors = accuracy_3d.person_errors(true_m, np.add(FIGURE_M, (0.06, 0.08, 0)))
    assert errors.mpjpe == pytest.approx(0.1)
    assert errors.root_relative == pytest.approx(0, abs=1e-12)
    assert errors.procrustes == pytest.approx(0, abs=1e-12)
    assert errors.frobenius_by_number == pytest.approx(0.1 / np.sqrt(18))
    assert round(100 * errors.frobenius_by_number, 2) == 2.36


def test_root_relative_error_leaves_the_root_out_and_distance_is_the_roots():
    found_m = FIGURE_M.copy()
    found_m[accuracy_3d.ROOT] *= 1.1
    errors = accuracy_3d.person_errors(FIGURE_M, found_m)
    shift_m = 0.1 * np.linalg.norm(FIGURE_M[accuracy_3d.ROOT])
    assert errors.distance == pytest.approx(shift_m)
    assert errors.root_relative == pytest.approx(shift_m)
    assert errors.mpjpe == pytest.approx(shift_m / K)


def test_procrustes_takes_out_turn_scale_and_shift_but_no_mirror():
    turn, _ = np.linalg.qr(RNG.normal(size=(3, 3)))
    turn *= np.linalg.det(turn)
    moved = 1.3 * FIGURE_M @ turn.T + (1, 2, 3)
    assert accuracy_3d.person_errors(FIGURE_M, moved).procrustes == pytest.approx(0, abs=1e-9)
    mirrored = FIGURE_M * (-1, 1, 1)
    assert accuracy_3d.person_errors(FIGURE_M, mirrored).procrustes > 0.05


def test_errors_of_nobody_known_are_nan():
    nothing = np.full((K, 3), np.nan)
    assert np.isnan(accuracy_3d.person_errors(FIGURE_M, nothing)).all()


def test_recordings_are_scored_with_ours_and_the_published_people():
    folder = Path(__file__).resolve().parents[2] / 'golden'
    errors = accuracy_3d.in_recordings(folder)
    assert list(errors) == ['sequences, ours', 'sequences, published']
    ours, published = (np.array(people) for people in errors.values())
    assert len(ours) >= len(published) > 40
    assert (np.nanmedian(ours, axis=0) < np.nanmedian(published, axis=0)).all()


def test_people_are_compared_with_boxes_by_their_middle():
    upper = figure_px()
    upper[0], upper[1] = (100, 50), (180, 250)  # middle (140, 150)
    upper[2:] = np.nan
    boxes = np.array([[100, 50, 80, 200], [120, 50, 80, 200], [160, 50, 80, 200]], float)
    apart = accuracy_ids.apart_in_boxes(boxes, upper[None])
    np.testing.assert_allclose(apart[:, 0], [0, 0.5, np.nan])
    assert accuracy_ids.apart_in_boxes(boxes, np.zeros((0, K, 2))).shape == (3, 0)


def test_baseline_forgets_who_is_missed_once():
    baseline = accuracy_ids.FrameToFrame()
    a, b = figure_px(), figure_px((300, 0))
    half = a.copy()
    half[oks.COCO[:8]] = np.nan
    images = [found(a, b), found(b, half), found(b), found(), found(b), found(a, b)]
    ids = [baseline.update(in_space(people)) for people in images]
    assert ids == [[0, 1], [1, 0], [1], [], [2], [3, 2]]


def test_figures_of_ids_that_are_swapped_and_of_people_who_do_not_count():
    pytest.importorskip('motmetrics')
    here = truth(figure_px(), figure_px((300, 0)), ignore=[[600, 0, 300, 300]])
    people = in_space(found(figure_px(), figure_px((300, 0)), figure_px((600, 0))))
    ((name, images),) = accuracy_ids.in_sequences([here] * 4, [people] * 4)
    assert name == 'walk'
    swapped = [[0, 1, 2], [0, 1, 2], [1, 0, 3], [1, 0, 4]]
    mota, idf1, *counts = accuracy_ids.figures(images, swapped)
    assert (mota, idf1) == ('0.750', '0.500')  # 2 switches of 8; each id is right half the time
    assert counts == ['2', '0', '0', '0', '2']  # nobody missed or false, and two ids that count
