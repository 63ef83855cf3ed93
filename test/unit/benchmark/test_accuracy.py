"""The tables of `benchmark.accuracy`, on people whose errors are known by construction."""

from pathlib import Path

import numpy as np
import pytest
from support.figure import BOX, at_similarity, figure_px

from benchmark import accuracy_2d, accuracy_3d, accuracy_ids
from pose3d_ros.evaluation import oks
from pose3d_ros.evaluation.annotations import LabelledImage
from pose3d_ros.people import K, People2D, People3D


def labelled(*people_px, ignore=()):
    """Label people of equal size; NaN: not labelled."""
    return LabelledImage(
        path=None,
        group='all',
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


def detected(*people_px, scores=None):
    xy_px = np.array(people_px).reshape(-1, K, 2)
    score = np.array(scores if scores is not None else [0.8] * len(xy_px))
    return People2D(xy_px, np.isfinite(xy_px[..., 0]) * 0.8, score)


def without_3d(people):
    n = len(people)
    unknown = np.full((n, K, 3), np.nan), np.zeros((n, K), np.uint8), np.full((n, 3, 3), np.nan)
    return People3D(people, *unknown)


@pytest.mark.parametrize(
    ('people', 'expected'),
    [
        ([1.0, 1.0], (1, 1, 1, 1)),
        # One of two: precision 1 at the 51 of 101 recalls up to a half.
        ([1.0], (51 / 101, 51 / 101, 51 / 101, 0.5)),
        # An OKS of 0.62: found at the thresholds 0.5, 0.55 and 0.6 of ten.
        ([0.62, 0.62], (0.3, 1, 0, 0.3)),
        ([], (0, 0, 0, 0)),
    ],
)
def test_average_precision_of_cases_with_a_known_answer(people, expected):
    pytest.importorskip('pycocotools')
    figures = [figure_px(), figure_px((300, 0))]
    ours = [at_similarity(s, f) for s, f in zip(people, figures, strict=False)]
    result = accuracy_2d.average_precision([labelled(*figures)], [detected(*ours)])
    np.testing.assert_allclose(result, expected, atol=1e-9)


def test_false_people_lower_precision_except_in_ignored_regions():
    pytest.importorskip('pycocotools')
    figure, false = figure_px(), figure_px((600, 0))
    people = detected(figure, false, scores=[0.5, 0.9])  # the false person has the higher score
    here = labelled(figure)
    crowd = labelled(figure, ignore=[[700, 40, 90, 220]])
    np.testing.assert_allclose(
        accuracy_2d.average_precision([here], [people]), (0.5, 0.5, 0.5, 1), atol=1e-9
    )
    np.testing.assert_allclose(accuracy_2d.average_precision([crowd], [people]), 1, atol=1e-9)
    assert accuracy_2d.table_row([here], [people]).startswith('1 | 1/1 | 1 | 17/17 (1.00)')
    assert accuracy_2d.table_row([crowd], [people]).startswith('1 | 1/1 | 0 | 17/17 (1.00)')


def test_pck_includes_people_who_were_not_found():
    pytest.importorskip('pycocotools')
    figure = figure_px()
    off = figure.copy()
    off[oks.COCO[:4]] += (21, 0)  # the box is 200 high
    off[oks.COCO[4:6]] += (19, 0)
    cells = accuracy_2d.table_row([labelled(figure, figure_px((300, 0)))], [detected(off)])
    assert cells.startswith('1 | 1/2 | 0 | 13/34 (0.38)')


def test_recordings_compare_this_package_with_the_published_implementation():
    folder = Path(__file__).resolve().parents[2] / 'golden'
    errors = accuracy_3d.in_recordings(folder)
    assert list(errors) == ['sequences, ours', 'sequences, published']
    ours, published = errors.values()
    assert len(ours) >= len(published) > 40
    for field in accuracy_3d.COLUMNS.values():
        a, b = (np.nanmedian([getattr(e, field) for e in es]) for es in (ours, published))
        assert a < b


def test_distance_from_boxes_is_measured_between_centres():
    upper = figure_px()
    upper[0], upper[1] = (100, 50), (180, 250)  # centre (140, 150)
    upper[2:] = np.nan
    boxes = np.array([[100, 50, 80, 200], [120, 50, 80, 200], [160, 50, 80, 200]], float)
    distance = accuracy_ids.distance_in_boxes(boxes, upper[None])
    np.testing.assert_allclose(distance[:, 0], [0, 0.5, np.nan])
    assert accuracy_ids.distance_in_boxes(boxes, np.zeros((0, K, 2))).shape == (3, 0)


def test_the_baseline_gives_a_new_id_to_a_person_missed_once():
    baseline = accuracy_ids.FrameToFrameMatcher()
    a, b = figure_px(), figure_px((300, 0))
    half = a.copy()
    half[oks.COCO[:8]] = np.nan
    images = [
        detected(a, b),
        detected(b, half),
        detected(b),
        detected(),
        detected(b),
        detected(a, b),
    ]
    ids = [baseline.update(without_3d(people)) for people in images]
    assert ids == [[0, 1], [1, 0], [1], [], [2], [3, 2]]


def test_id_metrics_of_swapped_ids_ignore_people_in_ignored_regions():
    pytest.importorskip('motmetrics')
    here = labelled(figure_px(), figure_px((300, 0)), ignore=[[600, 0, 300, 300]])
    people = without_3d(detected(figure_px(), figure_px((300, 0)), figure_px((600, 0))))
    ((name, images),) = accuracy_ids.in_sequences([here] * 4, [people] * 4)
    assert name == 'walk'
    swapped = [[0, 1, 2], [0, 1, 2], [1, 0, 3], [1, 0, 4]]
    mota, idf1, *counts = accuracy_ids.metrics(images, swapped)
    assert (mota, idf1) == (
        '0.750',
        '0.500',
    )  # 2 switches in 8; each id is correct half of the time
    assert counts == ['2', '0', '0', '0', '2']  # no misses, no false people, two ids that count
