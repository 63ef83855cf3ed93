"""CameraInfo tested with 3D points projected by a full camera, then binned, cropped and scaled."""

import re

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sensor_msgs.msg import CameraInfo, RegionOfInterest
from std_msgs.msg import Header

from pose3d_ros.camera import Intrinsics, IntrinsicsSource
from pose3d_ros.ros.messages.camera_info import (
    Calibration,
    camera_info_msg,
    intrinsics_of,
    read_camera_info,
)

WIDTH, HEIGHT = 1280, 960
K = np.array([[900.0, 0, 650], [0, 920, 470], [0, 0, 1]])
P = np.array([[850.0, 0, 630, -85], [0, 850, 490, 0], [0, 0, 1, 0]])
LENSES = {
    'plumb_bob': (-0.25, 0.08, 0.001, -0.002, 0.01),
    'rational_polynomial': (0.1, -0.05, 0.001, -0.002, 0.01, 0.2, -0.02, 0.003),
    'equidistant': (0.05, -0.01, 0.003, -0.001),
}
# m, in front of the camera and inside the image.
XYZ_M = np.random.default_rng(0).uniform((-0.5, -0.4, 1.2), (0.5, 0.4, 2), (40, 3))
RAYS = XYZ_M[:, :2] / XYZ_M[:, 2:]


def camera_info(model='plumb_bob', d=LENSES['plumb_bob'], **fields):
    defaults = {'width': WIDTH, 'height': HEIGHT, 'distortion_model': model, 'd': list(d)}
    return CameraInfo(**{**defaults, 'k': K.ravel(), 'p': P.ravel(), **fields})


def projected(model='plumb_bob', d=LENSES['plumb_bob']):
    """(40, 2) px of the raw image in full resolution."""
    project = cv2.fisheye.projectPoints if model == 'equidistant' else cv2.projectPoints
    xy, _ = project(XYZ_M.reshape(-1, 1, 3), np.zeros(3), np.zeros(3), K, np.array(d))
    return xy.reshape(-1, 2)


def smaller(xy, first_xy, pixels_xy):
    """Return points of the full image, px, in one whose pixels are blocks of it from `first_xy`.

    The edge of the first pixel is at -0.5 in both.
    """
    return (xy + 0.5 - first_xy) / pixels_xy - 0.5


def test_centre_of_a_binned_block():
    full = np.zeros((8, 12), np.float32)
    full[2:4, 6:9] = 1  # rows 2 and 3, columns 6 to 8: a block around (7, 2.5)
    binned = full.reshape(4, 2, 4, 3).mean((1, 3))
    ((y, x),) = np.argwhere(binned)
    np.testing.assert_allclose(smaller(np.array([7, 2.5]), (0, 0), (3, 2)), (x, y))


@pytest.mark.parametrize('model', LENSES)
def test_raw_images_have_k_and_the_distortion(model):
    d = LENSES[model]
    camera = intrinsics_of(camera_info(model, d), WIDTH, HEIGHT)
    np.testing.assert_allclose(camera.unproject(projected(model, d)), RAYS, atol=2e-5)
    assert camera.source == IntrinsicsSource.CAMERA_INFO


ROI = {'x_offset': 200, 'y_offset': 100, 'width': 960, 'height': 720}


@pytest.mark.parametrize('model', LENSES)
@pytest.mark.parametrize(
    ('fields', 'size', 'first_xy', 'pixels_xy'),
    [
        ({}, (1280, 960), (0, 0), (1, 1)),
        ({'binning_x': 1, 'binning_y': 1}, (1280, 960), (0, 0), (1, 1)),
        ({'binning_x': 2, 'binning_y': 2}, (640, 480), (0, 0), (2, 2)),
        ({'binning_x': 4, 'binning_y': 2}, (320, 480), (0, 0), (4, 2)),
        ({'binning_x': 3, 'binning_y': 3}, (426, 320), (0, 0), (3, 3)),  # two columns left over
        ({'roi': ROI}, (960, 720), (200, 100), (1, 1)),
        ({'roi': ROI, 'binning_x': 2, 'binning_y': 2}, (480, 360), (200, 100), (2, 2)),
        ({'roi': {'width': WIDTH, 'height': HEIGHT}}, (1280, 960), (0, 0), (1, 1)),
        # Scaled by the driver, which left CameraInfo as it was.
        ({}, (640, 480), (0, 0), (2, 2)),
        ({}, (1920, 1440), (0, 0), (2 / 3, 2 / 3)),
        ({'roi': ROI, 'binning_x': 2, 'binning_y': 2}, (240, 180), (200, 100), (4, 4)),
        # Size and K are those of the binned image, although `binning` is set, too.
        ({'binning_x': 2, 'binning_y': 2}, (1280, 960), (0, 0), (1, 1)),
    ],
)
def test_binning_roi_and_scale(model, fields, size, first_xy, pixels_xy):
    d = LENSES[model]
    if 'roi' in fields:
        fields = {**fields, 'roi': RegionOfInterest(**fields['roi'])}
    for rectified, full in ((False, projected(model, d)), (True, rectified_xy())):
        camera = intrinsics_of(camera_info(model, d, **fields), *size, rectified)
        rays = camera.unproject(smaller(full, first_xy, pixels_xy))
        np.testing.assert_allclose(rays, RAYS, atol=2e-5)


def rectified_xy():
    """(40, 2) px of the rectified image: P without its fourth column."""
    xyw = XYZ_M @ P[:, :3].T
    return xyw[:, :2] / xyw[:, 2:]


def test_an_image_that_opencv_scaled_down():
    """The centre of a white block, measured in an image scaled with cv2.resize."""
    full = np.zeros((HEIGHT, WIDTH), np.float32)
    full[400:420, 800:840] = 1  # around (819.5, 409.5)
    small = cv2.resize(full, (WIDTH // 4, HEIGHT // 4), interpolation=cv2.INTER_AREA)
    y, x = np.mgrid[: HEIGHT // 4, : WIDTH // 4]
    centre = np.array([(x * small).sum(), (y * small).sum()]) / small.sum()
    info = camera_info(d=())
    expected = intrinsics_of(info, WIDTH, HEIGHT).unproject(np.array([819.5, 409.5]))
    camera = intrinsics_of(info, WIDTH // 4, HEIGHT // 4)
    np.testing.assert_allclose(camera.unproject(centre), expected, atol=1e-6)


def test_a_size_rounded_to_whole_pixels_is_the_same_shape():
    info = camera_info(d=(), width=1920, height=1080)
    camera = intrinsics_of(info, 854, 480)
    assert camera.fy == pytest.approx(920 * 480 / 1080)


@pytest.mark.parametrize('do_rectify', [False, True])
def test_a_rectified_image_is_cut_where_the_raw_one_is(do_rectify):
    info = camera_info(roi=RegionOfInterest(**ROI, do_rectify=do_rectify))
    camera = intrinsics_of(info, 960, 720, rectified=True)
    assert (camera.cx, camera.cy, camera.distortion) == (630 - 200, 490 - 100, ())


def test_zeros_are_no_calibration():
    assert intrinsics_of(CameraInfo(width=WIDTH, height=HEIGHT), WIDTH, HEIGHT) is None
    assert intrinsics_of(CameraInfo(), WIDTH, HEIGHT) is None
    assert intrinsics_of(CameraInfo(), WIDTH, HEIGHT, rectified=True) is None
    # sensor_msgs/CameraInfo: K[0] == 0 is enough.
    k = [0.0, *K.ravel()[1:]]
    assert intrinsics_of(camera_info(k=k), WIDTH, HEIGHT) is None


@pytest.mark.parametrize('model', ['', 'none', 'plumb_bob', 'equidistant'])
@pytest.mark.parametrize('d', [(), (0,) * 4, (0,) * 5])
def test_zeros_are_no_distortion(model, d):
    camera = intrinsics_of(camera_info(model, map(float, d)), WIDTH, HEIGHT)
    assert camera.distortion == ()


def with_k(index, value):
    return {'k': [value if i == index else old for i, old in enumerate(K.ravel())]}


@pytest.mark.parametrize(
    ('fields', 'text'),
    [
        (with_k(0, float('nan')), 'must be finite'),
        (with_k(5, float('inf')), 'must be finite'),
        (with_k(0, -900.0), 'must be positive'),
        (with_k(4, 0.0), 'must be positive'),
        (with_k(0, 1e-3), 'focal lengths must be 64 to 128000 px .* found fx=0.001'),
        (with_k(4, 1e30), 'found fx=900, fy=1e.30'),
        (with_k(2, 1e9), 'cx must be -1280 to 2560 px, found 1e.09'),
        (with_k(5, -5000.0), 'cy must be -960 to 1920 px, found -5000'),
        ({'k': K.T.ravel()}, 'K is transposed'),
        ({'k': [900, 650, 0, 920, 470, 0, 0, 0, 1]}, r'must be .fx 0 cx 0 fy cy 0 0 1., found'),
        ({'k': np.eye(3).ravel()}, 'found fx=1, fy=1'),
        ({'roi': RegionOfInterest(x_offset=10, width=9)}, 'within 1280x960, found 9x0'),
        ({'roi': RegionOfInterest(width=2000, height=9)}, 'found 2000x9 at'),
        ({'roi': RegionOfInterest(width=10)}, 'found 10x0 at'),
        ({'roi': RegionOfInterest(**{**ROI, 'y_offset': 4000000000})}, r'\(200, 4000000000\)'),
        ({'binning_x': 2000}, r'binning must leave pixels, found \(2000, 1\)'),
        ({'width': 1280, 'height': 720}, 'images of 1280x720, .* has 1280x960'),
        ({'binning_x': 2}, 'images of 640x960, .* has 1280x960'),
    ],
)  # fmt: skip
def test_invalid_camera_info_is_refused(fields, text):
    with pytest.raises(ValueError, match=text):
        intrinsics_of(camera_info(**fields), WIDTH, HEIGHT)


def test_rectified_images_need_p():
    with pytest.raises(ValueError, match='P is zero'):
        intrinsics_of(camera_info(p=np.zeros(12)), WIDTH, HEIGHT, rectified=True)


def test_order_of_intrinsics_sources():
    calibration = Calibration(focal_length_px=700)
    assert calibration.intrinsics(640, 480)[0].source == IntrinsicsSource.PARAMETER
    calibration.update(camera_info())
    assert calibration.intrinsics(640, 480)[0].fx == 450
    assert calibration.intrinsics(1280, 960)[0].fx == 900
    calibration.update(camera_info(**with_k(0, 1000.0)))
    assert calibration.intrinsics(1280, 960)[0].fx == 1000
    intrinsics, problem = calibration.intrinsics(640, 640)
    assert (intrinsics.source, intrinsics.fx) == (IntrinsicsSource.PARAMETER, 700)
    assert problem.startswith('CameraInfo is not used: it is for images of 1280x960')
    calibration.update(CameraInfo())
    assert calibration.intrinsics(640, 480)[0].source == IntrinsicsSource.PARAMETER
    assert Calibration().intrinsics(640, 480)[0].source == IntrinsicsSource.GUESSED


def test_the_same_calibration_with_another_stamp_is_not_read_again():
    calibration = Calibration()
    calibration.update(camera_info())
    first, _ = calibration.intrinsics(640, 480)
    again = camera_info()
    again.header.stamp.sec = 7
    calibration.update(again)
    assert calibration.intrinsics(640, 480)[0] is first
    assert (again.header.stamp.sec, calibration.info) == (7, again)


D5 = (-0.05, 0.02, 0.0003, -0.0002, -0.004)
FISHEYE = (-0.01, 0.04, -0.04, 0.008)


@pytest.mark.parametrize(
    ('model', 'd', 'problem'),
    [
        ('plum_bob', D5, "'plum_bob' is unknown; did you mean plumb_bob?"),
        ('Inverse Brown Conrady', D5, 'is unknown; known are plumb_bob'),
        ('plumb_bob', (-0.05, 0.02, 0.1), 'has 4, 5, 8, 12, 14 coefficients, found 3'),
        ('plumb_bob', [0.01] * 15, 'found 15'),
        ('equidistant', (*FISHEYE, 0.1), 'has 4 coefficients, found 5'),
        ('plumb_bob', [float('nan')] * 5, 'must be finite'),
        ('plumb_bob', (1e9, 0.0, 0.0, 0.0, 0.0), 'plumb_bob distortion .* no ray reaches'),
        ('plumb_bob', [1e300] * 5, 'no ray reaches'),
    ],
)
def test_k_is_used_without_a_distortion_that_cannot_be_read(model, d, problem):
    info = camera_info(model, map(float, d))
    intrinsics, note, error = read_camera_info(info, WIDTH, HEIGHT)
    assert (intrinsics.fx, intrinsics.cy, intrinsics.distortion) == (900, 470, ())
    assert intrinsics.source == IntrinsicsSource.CAMERA_INFO
    assert note == ''
    assert re.search(f'CameraInfo is used without its distortion: .*{problem}', error)


def cropped_info(k, **roi):
    fields = {'width': 640, 'height': 400, 'roi': RegionOfInterest(**roi), 'd': []}
    return camera_info(**{**fields, 'k': k})


@pytest.mark.parametrize(
    ('k', 'expected', 'note'),
    [
        # Of the full resolution of 1280x800, and of the region itself.
        ([410.0, 0, 650, 0, 410, 390, 0, 0, 1], (410, 330, 190), 'K taken as that of the full'),
        ([410.0, 0, 330, 0, 410, 190, 0, 0, 1], (410, 330, 190), 'that of the region of interest'),
    ],
)
@pytest.mark.parametrize('size', [{}, {'width': 640, 'height': 400}])
def test_camera_info_with_the_size_of_its_region_of_interest(k, expected, note, size):
    info = cropped_info(k, x_offset=320, y_offset=200, **size)
    intrinsics, found_note, problem = read_camera_info(info, 640, 400)
    assert (intrinsics.fx, intrinsics.cx, intrinsics.cy) == expected
    assert note in found_note
    assert problem == ''


def test_camera_info_without_a_size_is_that_of_the_images():
    info = camera_info(width=0, height=0)
    intrinsics, note, problem = read_camera_info(info, WIDTH, HEIGHT)
    assert (intrinsics.fx, intrinsics.cx) == (900, 650)
    assert intrinsics.distortion == LENSES['plumb_bob']
    assert 'size 0x0' in note
    assert problem == ''
    with pytest.raises(ValueError, match='found fx=900'):  # absurd for such images
        intrinsics_of(info, 8, 6)


def test_the_centre_of_a_larger_calibration():
    """A camera of 1280x960 sends 1280x720: the upper and lower 120 rows are missing."""
    intrinsics, note, problem = read_camera_info(camera_info(), 1280, 720)
    assert (intrinsics.fx, intrinsics.cx, intrinsics.cy) == (900, 650, 470 - 120)
    assert 'taken as the centre of 1280x960' in note
    assert problem == ''


def test_an_image_that_is_turned_against_its_calibration():
    intrinsics, note, problem = read_camera_info(camera_info(), HEIGHT, WIDTH)
    found = (intrinsics.fx, intrinsics.fy, intrinsics.cx, intrinsics.cy)
    assert found == (920, 900, (HEIGHT - 1) / 2, (WIDTH - 1) / 2)
    assert intrinsics.distortion == ()
    assert note == ''
    assert 'is turned by 90 degrees' in problem


numbers = st.one_of(
    st.floats(), st.sampled_from([0.0, 1.0, -1.0, 1e-300, 1e300, 640.0]), st.floats(0, 2000)
)
sizes = st.one_of(st.sampled_from([0, 1, 640, 1280, 2**32 - 1]), st.integers(0, 2**32 - 1))


@st.composite
def camera_infos(draw):
    model = draw(st.one_of(st.sampled_from(['', *LENSES, 'fisheye', 'plum']), st.text(max_size=9)))
    matrix = st.one_of(st.just(K.ravel()), st.lists(numbers, min_size=9, max_size=9))
    size = draw(st.one_of(st.just((WIDTH, HEIGHT)), st.tuples(sizes, sizes)))
    fields = {'width': size[0], 'height': size[1], 'k': np.array(draw(matrix), float)}
    info = camera_info(model, draw(st.lists(numbers, max_size=16)), **fields)
    if draw(st.booleans()):
        info.roi = RegionOfInterest(**{name: draw(sizes) for name in ROI})
        info.binning_x, info.binning_y = draw(sizes), draw(sizes)
    return info


@settings(max_examples=500, deadline=None)
@given(camera_infos(), st.booleans())
def test_any_camera_info_gives_valid_intrinsics_or_a_reason(info, rectified):
    calibration = Calibration(rectified=rectified)
    calibration.update(info)
    intrinsics, problem = calibration.intrinsics(WIDTH, HEIGHT)
    assert np.isfinite([intrinsics.fx, intrinsics.fy, intrinsics.cx, intrinsics.cy]).all()
    assert '\n' not in problem + calibration.note
    if intrinsics.source == IntrinsicsSource.GUESSED:
        assert problem or not (info.p if rectified else info.k)[0]


def test_plumb_bob_is_published_with_five_coefficients():
    intrinsics = Intrinsics(900, 920, 650, 470, D5[:4])
    info = camera_info_msg(intrinsics, WIDTH, HEIGHT, Header())
    assert list(info.d) == [*D5[:4], 0]
    assert intrinsics_of(info, WIDTH, HEIGHT).distortion == D5[:4]
