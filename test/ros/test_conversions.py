"""Pixels of images as drivers send them: known colours, and garbage."""

import struct
import sys
import zlib
from array import array
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sensor_msgs.msg import CompressedImage, Image

from pose3d_ros.ros.messages import images
from pose3d_ros.ros.messages.camera_info import Calibration
from pose3d_ros.ros.messages.images import (
    ENCODINGS,
    ImageError,
    bgr_array,
    decoded,
    read_camera_image,
)

# An orange: no two channels are alike, so that none can be taken for another.
BLUE, GREEN, RED = BGR = (40, 120, 230)
WIDTH, HEIGHT = 16, 12
GREY = round(0.114 * BLUE + 0.587 * GREEN + 0.299 * RED)
# ITU-R BT.601, as cameras have it: Y 16 to 235, U and V 16 to 240 around 128.
Y = round(16 + 219 / 255 * (0.299 * RED + 0.587 * GREEN + 0.114 * BLUE))
U = round(128 + 224 / 255 * 0.564 * (BLUE - (0.299 * RED + 0.587 * GREEN + 0.114 * BLUE)))
V = round(128 + 224 / 255 * 0.713 * (RED - (0.299 * RED + 0.587 * GREEN + 0.114 * BLUE)))


def plane(*values):
    """(HEIGHT, WIDTH * len(values)) uint8, every pixel the same values."""
    return np.tile(np.array(values, np.uint8), (HEIGHT, WIDTH))


def mosaic(pattern):
    """(HEIGHT, WIDTH) of the colour filters named row by row: 'rggb' has red at the top left."""
    block = [{'r': RED, 'g': GREEN, 'b': BLUE}[c] for c in pattern]
    return np.tile(np.array(block, np.uint8).reshape(2, 2), (HEIGHT // 2, WIDTH // 2))


def planar(first, second):
    return np.concatenate([plane(Y), np.tile([first, second], (HEIGHT // 2, WIDTH // 2))])


EIGHT_BITS = {
    'bgr8': plane(*BGR),
    '8UC3': plane(*BGR),
    'rgb8': plane(RED, GREEN, BLUE),
    'bgra8': plane(*BGR, 7),
    '8UC4': plane(*BGR, 7),
    'rgba8': plane(RED, GREEN, BLUE, 7),
    'mono8': plane(GREY),
    '8UC1': plane(GREY),
    **{f'bayer_{p}8': mosaic(p) for p in ('rggb', 'bggr', 'gbrg', 'grbg')},
}
YUV = {
    'uyvy': np.tile([U, Y, V, Y], (HEIGHT, WIDTH // 2)),
    'yuv422': np.tile([U, Y, V, Y], (HEIGHT, WIDTH // 2)),
    'yuyv': np.tile([Y, U, Y, V], (HEIGHT, WIDTH // 2)),
    'yuv422_yuy2': np.tile([Y, U, Y, V], (HEIGHT, WIDTH // 2)),
    'nv12': planar(U, V),
    'nv21': planar(V, U),
}


def image(encoding, rows, padding=0, **fields):
    """Rows of bytes as a message of the size that all here have."""
    padded = np.pad(rows.astype(np.uint8), ((0, 0), (0, padding)), constant_values=99)
    size = {'height': HEIGHT, 'width': WIDTH, 'step': padded.shape[1]}
    return Image(encoding=encoding, data=padded.tobytes(), **{**size, **fields})


def check(bgr, encoding, tolerance=0):
    assert (bgr.shape, bgr.dtype) == ((HEIGHT, WIDTH, 3), np.uint8)
    grey = encoding.startswith(('mono', '8UC1'))
    expected = (GREY,) * 3 if grey else BGR
    np.testing.assert_allclose(bgr[2:-2, 2:-2].astype(int) - expected, 0, atol=tolerance)
    np.testing.assert_allclose(bgr.astype(int) - expected, 0, atol=tolerance)


def test_every_encoding_is_tested():
    assert set(EIGHT_BITS) | set(YUV) == set(ENCODINGS)


@pytest.mark.parametrize('padding', [0, 5])
@pytest.mark.parametrize('encoding', EIGHT_BITS)
def test_eight_bits(encoding, padding):
    check(bgr_array(image(encoding, EIGHT_BITS[encoding], padding)), encoding)


@pytest.mark.parametrize('is_bigendian', [0, 1])
@pytest.mark.parametrize('padding', [0, 6])
@pytest.mark.parametrize('encoding', [e for e in EIGHT_BITS if e.endswith('8')])
def test_sixteen_bits(encoding, padding, is_bigendian):
    low = np.full_like(EIGHT_BITS[encoding], 200)
    pair = (EIGHT_BITS[encoding], low) if is_bigendian else (low, EIGHT_BITS[encoding])
    rows = np.stack(pair, axis=-1).reshape(HEIGHT, -1)
    deep = f'{encoding[:-1]}16'
    check(bgr_array(image(deep, rows, padding, is_bigendian=is_bigendian)), deep)


@pytest.mark.parametrize('padding', [0, 6])
@pytest.mark.parametrize('encoding', YUV)
def test_yuv(encoding, padding):
    check(bgr_array(image(encoding, YUV[encoding], padding)), encoding, tolerance=3)


def test_bgr_is_not_copied():
    message = image('bgr8', plane(*BGR))
    assert np.shares_memory(bgr_array(message), np.frombuffer(message.data, np.uint8))


@pytest.mark.parametrize(
    ('message', 'says'),
    [
        (image('16UC1', plane(0, 0)), "encoding must be one of bgr8, .* found '16UC1'"),  # depth
        (image('32FC1', plane(0, 0, 0, 0)), "found '32FC1'"),
        (image('nv24', np.zeros((3 * HEIGHT, WIDTH))), "found 'nv24'"),
        (image('nv1216', plane(0, 0)), "found 'nv1216'"),
        (image('nv12', plane(Y)), 'rows x step = 18 x 16 = 288 bytes, found 192'),
        (image('nv12', planar(U, V), height=11), 'nv12 must have even sizes, found 16x11'),
        (image('uyvy', YUV['uyvy'], width=15), 'uyvy must have even sizes, found 15x12'),
        (image('rgb16', plane(*BGR)), 'step must be at least 6 x width = 96 for rgb16, found 48'),
    ],
)
def test_unreadable_message_is_refused(message, says):
    with pytest.raises(ImageError, match=says):
        bgr_array(message)


def compressed(extension, pixels, format_, *flags):
    done, data = cv2.imencode(extension, pixels, flags)
    assert done
    return CompressedImage(format=format_, data=data.tobytes())


COLOUR = plane(*BGR).reshape(HEIGHT, WIDTH, 3)


@pytest.mark.parametrize(
    ('extension', 'pixels', 'format_'),
    [
        ('.jpg', COLOUR, 'jpeg'),
        ('.jpg', COLOUR, ''),
        ('.jpg', COLOUR, 'bgr8; jpeg compressed bgr8'),
        ('.jpg', COLOUR, 'rgb8; jpeg compressed bgr8'),
        ('.jpg', COLOUR[..., ::-1], 'rgb8; jpeg compressed rgb8'),
        ('.jpg', COLOUR, 'bayer_rggb8; jpeg compressed bgr8'),
        ('.png', COLOUR, 'png'),
        ('.png', COLOUR, 'bgr8; png compressed bgr8'),
        ('.png', np.dstack([COLOUR, plane(7)]), 'bgra8; png compressed bgr8'),
        ('.png', COLOUR.astype(np.uint16) * 256 + 99, 'bgr16; png compressed bgr16'),
        ('.png', COLOUR[..., ::-1].astype(np.uint16) * 256, 'rgb16; png compressed rgb16'),
        ('.png', mosaic('rggb'), 'bayer_rggb8; png compressed '),
        ('.png', mosaic('grbg').astype(np.uint16) * 256, 'bayer_grbg16; png compressed '),
        ('.jpg', plane(GREY), 'mono8; jpeg compressed '),
        ('.jpg', plane(GREY), 'mono8; jpeg compressed mono8'),
        ('.png', plane(GREY).astype(np.uint16) * 256, 'mono16; png compressed '),
    ],
)
def test_compressed(extension, pixels, format_):
    check(decoded(compressed(extension, pixels, format_)), format_, tolerance=3)


def test_a_bayer_image_that_was_compressed_as_grey():
    message = compressed('.jpg', plane(GREY), 'bayer_rggb8; jpeg compressed mono8')
    check(decoded(message), 'mono8', tolerance=3)


def test_orientation_in_a_jpeg_does_not_turn_the_pixels():
    """CameraInfo is of the pixels as they are stored. EXIF: orientation (0x112) 6, turn right."""
    jpeg = bytes(compressed('.jpg', COLOUR, 'jpeg').data)
    exif = b'Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0'
    segment = b'\xff\xe1' + (len(exif) + 2).to_bytes(2, 'big') + exif
    turned = jpeg[:2] + segment + jpeg[2:]
    assert cv2.imdecode(np.frombuffer(turned, np.uint8), 1).shape == (WIDTH, HEIGHT, 3)
    check(decoded(CompressedImage(format='jpeg', data=turned)), 'bgr8', tolerance=3)


@pytest.mark.parametrize('extension', ['.jpg', '.png'])
@pytest.mark.parametrize('part', [0, 0.001, 0.1, 0.5, 0.99, 0.9999])
def test_truncated_images_are_refused(extension, part):
    noise = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    data = bytes(compressed(extension, noise, '').data)
    data = data[: int(part * len(data))]
    with pytest.raises(
        ImageError, match=f'complete image file .* found {len(data)} bytes of .*jpeg'
    ):
        decoded(CompressedImage(format='jpeg', data=data))


NOISE = cv2.resize(np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8), (320, 240))
JPEGS = {
    name: bytes(compressed('.jpg', bgr, '').data)
    for name, bgr in (
        ('noise', NOISE), ('black', 0 * NOISE), ('grey', 0 * NOISE + 128),
        ('white', 0 * NOISE + 255),
    )
}  # fmt: skip


@pytest.mark.parametrize('name', JPEGS)
@pytest.mark.parametrize(
    ('cut', 'trailer'),
    [
        (2, b''), (2, bytes(4096)), (0, bytes(4096)), (0, b'\xff\xd9'), (2, b'\xff\xff\xd9'),
        (0, b'MotionPhoto\xff\xda\0\1' + bytes(100)),
    ],
)  # fmt: skip
def test_a_jpeg_as_webcams_send_it_is_read(capfd, name, cut, trailer):
    """Without its end-of-image marker, padded with zeros, or with other data behind it."""
    whole = JPEGS[name]
    sent = whole[: len(whole) - cut] + trailer
    if cut and trailer.startswith(b'\0') and whole.endswith(b'\0\xff\xd9'):
        # Padding cannot be told from the last eight bits of the image.
        with pytest.raises(ImageError, match='marker ff d9 is missing'):
            decoded(CompressedImage(format='jpeg', data=sent))
        return
    found = decoded(CompressedImage(format='jpeg', data=sent))
    assert np.array_equal(found, cv2.imdecode(np.frombuffer(whole, np.uint8), 1))
    assert not capfd.readouterr().err  # libjpeg would print a line for each image


@pytest.mark.parametrize('name', JPEGS)
@pytest.mark.parametrize('part', [0.5, 0.9, 0.97])
@pytest.mark.parametrize('padding', [0, 4096])
def test_a_truncated_jpeg_is_refused_for_the_missing_end(name, part, padding):
    whole = JPEGS[name]
    data = whole[: int(part * len(whole))] + bytes(padding)
    with pytest.raises(ImageError, match=f'marker ff d9 is missing: {len(data)} bytes'):
        decoded(CompressedImage(format='jpeg', data=data))


@pytest.mark.parametrize('cut', range(5, 12))
@pytest.mark.parametrize('padding', [0, 4096])
def test_a_jpeg_without_its_last_bytes_is_refused(cut, padding):
    """Zeros behind it would complete its last blocks with other pixels."""
    data = JPEGS['noise'][:-cut] + bytes(padding)
    with pytest.raises(ImageError, match='marker ff d9 is missing'):
        decoded(CompressedImage(format='jpeg', data=data))


def segment(marker, content):
    return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, 'big') + content


@pytest.mark.parametrize(
    'before',
    [
        b'',
        segment(0xE1, bytes(compressed('.jpg', COLOUR, '').data)),  # a thumbnail
        b'\xff\xff' + segment(0xFE, b'\xff\xc0 a comment'),
        segment(0xFE, b'a comment') + b'no segment \xff\x00',
    ],
)
@pytest.mark.parametrize('kind', [cv2.IMWRITE_JPEG_QUALITY, cv2.IMWRITE_JPEG_PROGRESSIVE])
def test_a_jpeg_of_more_pixels_than_a_camera_has_is_refused_before_it_is_read(before, kind):
    """Four bytes changed, and the file would take gigabytes."""
    jpeg = bytes(compressed('.jpg', np.tile(COLOUR, (2, 2, 1)), '', kind, 1).data)
    jpeg = jpeg[:2] + before + jpeg[2:]
    at = jpeg.rfind(b'\xff\xc2' if kind == cv2.IMWRITE_JPEG_PROGRESSIVE else b'\xff\xc0') + 5
    assert jpeg[at : at + 4] == struct.pack('>HH', 2 * HEIGHT, 2 * WIDTH)
    assert decoded(CompressedImage(format='jpeg', data=jpeg)).shape == (2 * HEIGHT, 2 * WIDTH, 3)
    bomb = jpeg[:at] + struct.pack('>HH', 20_000, 6000) + jpeg[at + 4 :]
    with pytest.raises(ImageError, match='1 to 100000000 pixels, found 6000x20000'):
        decoded(CompressedImage(format='jpeg', data=bomb))


def test_a_png_of_more_pixels_than_a_camera_has_is_refused_before_it_is_read():
    png = bytearray(compressed('.png', COLOUR, '').data)
    png[16:24] = struct.pack('>II', 60_000, 20_000)
    png[29:33] = struct.pack('>I', zlib.crc32(png[12:29]))
    with pytest.raises(ImageError, match='found 60000x20000'):
        decoded(CompressedImage(format='png', data=bytes(png)))


def test_a_gif_of_more_pixels_than_a_camera_has_is_refused_before_it_is_read():
    size = struct.pack('<HH', 60_000, 20_000)
    gif = b'GIF89a' + size + b'\xf0\0\0' + bytes(6) + b',' + bytes(4) + size + b'\0\2\2L\1\0;'
    with pytest.raises(ImageError, match='found 60000x20000'):
        decoded(CompressedImage(format='gif', data=gif))


def test_bayer_of_an_unknown_pattern_is_refused():
    message = compressed('.png', plane(GREY), 'bayer_rgbw8; png compressed ')
    with pytest.raises(ImageError, match="found 'bayer_rgbw8'"):
        decoded(message)


FAST = settings(
    max_examples=2500, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
SIZES = st.one_of(st.integers(0, 9), st.integers(0, 300), st.integers(0, 2**32 - 1))
NAMES = st.one_of(
    st.sampled_from([*ENCODINGS, *(f'{e[:-1]}16' for e in ENCODINGS), '16UC1', '32FC1', 'nv24']),
    st.text(max_size=12),
)


@st.composite
def messages(draw):
    """Images whose numbers fit together, nearly, or not at all."""
    width, height, encoding = draw(SIZES), draw(SIZES), draw(NAMES)
    row = width * draw(st.sampled_from([0, 1, 1, 2, 2, 3, 3, 4, 6, 8]))
    step = draw(st.one_of(SIZES, st.integers(row, row + 3))) % 2**32
    length = step * height * draw(st.sampled_from([1, 1, 1, 2, 3])) // draw(st.integers(1, 2))
    length = min(length + draw(st.integers(-2, 2)), 200_000)
    return Image(
        width=width,
        height=height,
        encoding=encoding,
        step=step,
        is_bigendian=draw(st.integers(0, 255)),
        data=array(
            'B', draw(st.binary(max_size=9)) * (max(length, 0) // 4) + bytes(max(length, 0))
        ),
    )


@FAST
@given(messages())
def test_garbage_is_an_image_or_an_image_error(message):
    try:
        bgr = bgr_array(message)
    except ImageError:
        return
    assert (bgr.shape, bgr.dtype) == ((message.height, message.width, 3), np.uint8)


@settings(FAST, max_examples=500)
@given(st.binary(max_size=400), st.integers(0, 399), st.sampled_from(['.jpg', '.png']), st.text())
def test_compressed_garbage_is_an_image_or_an_image_error(garbage, where, extension, format_):
    data = bytearray(compressed(extension, COLOUR, '').data)
    data[where : where + len(garbage) // 8] = garbage[: len(garbage) // 8]
    for bytes_ in (garbage, bytes(data)):
        try:
            bgr = decoded(CompressedImage(format=format_, data=bytes_))
        except ImageError:
            continue
        assert (bgr.ndim, bgr.shape[2], bgr.dtype) == (3, 3, np.uint8)


class Decoder:
    """Stands in for a library that raises on outside data."""

    def __init__(self, error):
        self.error = error

    def __call__(self, *_):
        raise self.error


ERRORS = [
    cv2.error('assertion'), MemoryError(), SystemError('returned NULL'),
    AttributeError('_ARRAY_API not found'), RuntimeError('x'), KeyError('y'),
]  # fmt: skip


@pytest.mark.parametrize('error', ERRORS, ids=lambda error: type(error).__name__)
def test_any_exception_of_a_decoder_is_an_image_error(monkeypatch, error):
    png = CompressedImage(
        format='png', data=cv2.imencode('.png', np.zeros((4, 4, 3)))[1].tobytes()
    )
    yuv = Image(height=2, width=2, step=4, encoding='uyvy', data=bytes(8))
    rare = Image(height=2, width=2, step=24, encoding='32FC3', data=bytes(48))
    for target, name, message in (
        (images.cv2, 'imdecode', png),
        (images.cv2, 'cvtColor', yuv),
        (images, '_convert', rare),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(target, name, Decoder(error))
            with pytest.raises(ImageError):
                read_camera_image(message, Calibration())


class Bridge:
    """Stands in for a cv_bridge that was built for another NumPy."""

    def imgmsg_to_cv2(self, *_):
        raise AttributeError('_ARRAY_API not found')


@pytest.mark.parametrize('bridge', [Bridge, None])
def test_cv_bridge_that_cannot_convert_is_not_used(monkeypatch, bridge):
    module = bridge and SimpleNamespace(CvBridge=bridge)
    monkeypatch.setitem(sys.modules, 'cv_bridge', module)
    assert images._cv_bridge() is None


def test_cv_bridge_that_converts_is_used(monkeypatch):
    class Working:
        def imgmsg_to_cv2(self, image, encoding):
            assert encoding == 'bgr8'
            return np.full((image.height, image.width, 3), 7, np.uint8)

    monkeypatch.setitem(sys.modules, 'cv_bridge', SimpleNamespace(CvBridge=Working))
    convert = images._cv_bridge()
    assert (convert(Image(height=2, width=3)) == 7).all()
