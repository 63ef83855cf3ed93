"""Networks of one stage: drawn people in, their keypoints out, in every published layout."""

from dataclasses import replace

import numpy as np
import pytest

from pose3d_ros import CameraImage, Intrinsics, Thresholds
from pose3d_ros.detection.keypoint_sets import KEYPOINT_SETS, to_panoptic19
from pose3d_ros.detection.letterbox import Letterbox
from pose3d_ros.detection.one_stage.candidates import Candidates
from pose3d_ros.detection.one_stage.detector import select_people
from pose3d_ros.detection.open_detector import find_spec, open_detector
from pose3d_ros.detection.resizing import MAX_SHAPES
from pose3d_ros.inference import InferenceOptions
from pose3d_ros.models import ModelError
from pose3d_ros.network_graph import Graph
from pose3d_ros.network_spec import NetworkSpec
from synthetic import contract_networks as networks

INPUT_HW = (256, 320)
YOLO = NetworkSpec(
    'one_stage', 'coco17', {'rows': 'output0'}, colour='rgb', scale=(255.0,) * 3, padding=114,
    row=('box', 'score', 'keypoints'), box='centre', nms_iou=0.65, resizable=False,
)  # fmt: skip
# A builder, and the contract of what it builds; None: it is inferred.
LAYOUTS = {
    'rows of shares': (networks.rows_of_shares, None),
    'boxes and keypoints': (networks.boxes_and_keypoints, None),
    'scores and keypoints': (networks.scores_and_keypoints, None),
    'transposed rows': (networks.transposed_rows, YOLO),
}
COLUMNS, PITCH = 5, 12  # of the grid that a person's keypoints are drawn on, and its pitch
# Left top corners of people, in units of the space that is left of the image.
CORNERS = np.array([(0, 0), (1, 1), (1, 0), (0, 1), (0.5, 0.5), (0.5, 0), (0.5, 1)])


def people_px(number, image_hw, pitch_px):
    """Place people ``(N, 17, 2)`` whose discs touch the borders of the image, each in a grid."""
    k = np.arange(networks.KEYPOINTS)
    grid = np.stack([k % COLUMNS, k // COLUMNS], axis=1) * pitch_px
    room = np.array(image_hw[::-1]) - 1 - grid.max(0) - 2 * radius_px(pitch_px)
    return grid + radius_px(pitch_px) + CORNERS[:number, np.newaxis] * room


def radius_px(pitch_px):
    return 0.42 * pitch_px


def open_cpu(model, spec=None, **options):
    return open_detector(model, InferenceOptions('CPU', 'f32'), spec=spec, **options)


def detect(detector, bgr):
    camera = Intrinsics.guess(bgr.shape[1], bgr.shape[0])
    return detector.detect([CameraImage(bgr, camera)])[0].people


def check_found(people, truth_px, tolerance_px):
    """Assert that people, in any order, are those drawn, exact in each keypoint."""
    assert len(people) == len(truth_px)
    wanted, _ = to_panoptic19('coco17', truth_px, np.ones(truth_px.shape[:2]))
    for person in wanted:
        off = np.linalg.norm(people.xy_px - person, axis=-1).max(1)
        assert off.min() <= tolerance_px
    assert people.keypoint_set == 'coco17'


@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize('image_hw', [(480, 640), (600, 450), (256, 320), (233, 511)])
@pytest.mark.parametrize('number', [0, 1, 6])
def test_people_up_to_the_borders_are_exact(layout, image_hw, number):
    build, spec = LAYOUTS[layout]
    detector = open_cpu(build(INPUT_HW), spec)
    scale = min(n / m for n, m in zip(INPUT_HW, image_hw, strict=True))
    truth_px = people_px(number, image_hw, PITCH / scale)
    bgr = networks.draw(truth_px, image_hw, radius_px(PITCH / scale))
    check_found(detect(detector, bgr), truth_px, 0.3 / scale)


@pytest.mark.parametrize('layout', [name for name in LAYOUTS if name != 'rows of shares'])
def test_seven_people_are_exact(layout):
    build, spec = LAYOUTS[layout]
    truth_px = people_px(7, (480, 640), 2 * PITCH)
    bgr = networks.draw(truth_px, (480, 640), radius_px(2 * PITCH))
    check_found(detect(open_cpu(build(INPUT_HW), spec), bgr), truth_px, 1.2)


@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize('colour', ['bgr', 'rgb'])
def test_the_order_of_the_channels_is_that_of_the_contract(layout, colour):
    build, spec = LAYOUTS[layout]
    model = build(INPUT_HW, colour)
    right = replace(spec or find_spec(Graph(model)), colour=colour)
    wrong = replace(right, colour='rgb' if colour == 'bgr' else 'bgr')
    truth_px = people_px(2, (480, 640), 2 * PITCH)
    bgr = networks.draw(truth_px, (480, 640), radius_px(2 * PITCH))
    check_found(detect(open_cpu(model, right), bgr), truth_px, 1.2)
    assert len(detect(open_cpu(model, wrong), bgr)) == 0


@pytest.mark.parametrize('fit', ['centred', 'top_left', 'stretched'])
def test_every_fit_is_undone(fit):
    spec = replace(find_spec(Graph(networks.boxes_and_keypoints(INPUT_HW))), fit=fit)
    truth_px = people_px(3, (600, 450), 26)
    bgr = networks.draw(truth_px, (600, 450), radius_px(26))
    found = detect(open_cpu(networks.boxes_and_keypoints(INPUT_HW), spec), bgr)
    check_found(found, truth_px, 0.6 * 600 / 256)


def test_keypoints_that_are_not_drawn_are_missing():
    truth_px = people_px(1, (480, 640), 2 * PITCH)
    nose, left_hip = (KEYPOINT_SETS['coco17'].index(name) for name in ('nose', 'left_hip'))
    truth_px[0, [nose, left_hip]] = np.nan
    bgr = networks.draw(truth_px, (480, 640), radius_px(2 * PITCH))
    people = detect(open_cpu(networks.boxes_and_keypoints(INPUT_HW)), bgr)
    named = dict(zip(KEYPOINT_SETS['panoptic19'], people.scores[0], strict=True))
    missing = {name for name, score in named.items() if score == 0}
    assert missing == {'nose', 'left_hip', 'pelvis'}
    assert np.isnan(people.xy_px[0, people.scores[0] == 0]).all()


def test_keypoints_outside_the_image_are_missing():
    """A network may extrapolate beyond the image, into the bars of the letterbox."""
    spec = find_spec(Graph(networks.boxes_and_keypoints(INPUT_HW)))
    letterbox = Letterbox.fit((480, 480), INPUT_HW)
    xy = np.tile(np.linspace((40, 40), (200, 200), networks.KEYPOINTS), (1, 1, 1))
    xy[0, 0, 0], xy[0, 1, 1], xy[0, 2] = 20, -4, np.nan  # left of the image, above it, unknown
    found = Candidates(xy, np.ones((1, networks.KEYPOINTS)), np.ones(1), None)
    people = select_people(found, spec, letterbox, (480, 480), Thresholds())
    named = dict(zip(KEYPOINT_SETS['panoptic19'], people.scores[0], strict=True))
    assert {n for n, score in named.items() if not score} == {'nose', 'left_eye', 'right_eye'}


@pytest.mark.parametrize(('threshold', 'number'), [(None, 0), (0.25, 1)])
def test_the_person_threshold_is_0_3_unless_it_is_set(threshold, number):
    spec = find_spec(Graph(networks.boxes_and_keypoints(INPUT_HW)))
    xy = np.tile(np.linspace((40, 40), (200, 200), networks.KEYPOINTS), (1, 1, 1))
    found = Candidates(xy, np.ones((1, networks.KEYPOINTS)), np.array([0.28]), None)
    letterbox = Letterbox.fit((480, 480), INPUT_HW)
    people = select_people(found, spec, letterbox, (480, 480), Thresholds(person=threshold))
    assert len(people) == number


def test_thresholds_hold_from_the_next_image_on():
    truth_px = people_px(2, (480, 640), 2 * PITCH)
    bgr = networks.draw(truth_px, (480, 640), radius_px(2 * PITCH))
    detector = open_cpu(networks.boxes_and_keypoints(INPUT_HW))
    assert len(detect(detector, bgr)) == 2
    detector.thresholds = Thresholds(person=0.95)
    assert len(detect(detector, bgr)) == 0
    detector.thresholds = Thresholds(keypoint=0.85)
    assert len(detect(detector, bgr)) == 0


def test_the_input_of_any_size_follows_the_images():
    detector = open_cpu(networks.rows_of_shares())
    for width, expected in (
        (640, (320, 416)),
        (860, (320, 576)),
        (480, (320, 320)),
        (270, (448, 256)),
        (1000, (320, 672)),
    ):
        truth_px = people_px(1, (480, width), 30)
        bgr = networks.draw(truth_px, (480, width), radius_px(30))
        check_found(detect(detector, bgr), truth_px, 0.6 * 1.5 * width / max(width - 31, 1))
        assert detector.input_hw == expected
    assert len(detector.network._compiled) == MAX_SHAPES


def test_a_height_alone_sets_the_lines():
    detector = open_cpu(networks.rows_of_shares(), input_hw=(256, None))
    assert detector.input_hw == (256, 352)
    for width, expected in ((100, 256), (50, 128)):
        detect(detector, np.zeros((100, width, 3), np.uint8))
        assert detector.input_hw == (256, expected)
    with pytest.raises(ModelError, match=r'multiples of 32, found 250'):
        open_cpu(networks.rows_of_shares(), input_hw=(250, None))
    with pytest.raises(ModelError, match=r'one input size, 320x256.*found a height of 320'):
        open_cpu(networks.boxes_and_keypoints(INPUT_HW), input_hw=(320, None))


def test_rows_of_a_float_image_need_a_contract():
    with pytest.raises(ModelError, match=r'no known family.*output0 \(1, 56, 14\).*one_stage'):
        open_cpu(networks.transposed_rows(INPUT_HW))


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'keypoint_set': 'halpe26'}, r'output0 \(rows\) must be.*halpe26, found \(1, 56, 14\)'),
        ({'row': ('box', 'keypoints')}, r'rows\) must be .* found \(1, 56, 14\)'),
        ({'outputs': {'rows': 'output1'}}, r'no output output1; found.*output0'),
        ({'outputs': {'keypoints': 'output0'}}, r'outputs must name rows, or keypoints and boxes'),
        ({'keypoint_set': 'coco18'}, r"keypoint_set must be one of coco17.*found 'coco18'"),
        ({'family': 'yolo'}, r"family must be one of openpose, one_stage.*found 'yolo'"),
        ({'size_input': 'sizes'}, r'must have the input sizes.*found images'),
        ({'layout': 'NHWC'}, r'one image input \(1, height, width, 3\), found images'),
    ],
)
def test_a_contract_that_is_not_that_of_the_network_is_refused(changes, message):
    with pytest.raises(ModelError, match=message):
        open_cpu(networks.transposed_rows(INPUT_HW), replace(YOLO, **changes))


def test_what_is_of_one_network_is_refused_for_a_pair():
    pair = networks.boxes_and_keypoints(INPUT_HW), networks.boxes_and_keypoints(INPUT_HW)
    for options in ({'spec': YOLO}, {'input_hw': (256, None)}, {'normalisation': (128.0, 1.0)}):
        with pytest.raises(ModelError, match=r'of one network: of a pair.*spec\.json beside each'):
            open_cpu(pair, **options)
