"""Sources made here: images of one colour each, so that a colour says which image it is."""

from itertools import islice

import cv2
import numpy as np
import pytest

from pose3d_ros.sources import webcam
from pose3d_ros.sources.open_source import open_source
from pose3d_ros.sources.playback import frames
from pose3d_ros.sources.video import DEFAULT_RATE_HZ, VideoError


def plain(value, width=48, height=32):
    """Return an image of one grey value with a white left column."""
    bgr = np.full((height, width, 3), value, np.uint8)
    bgr[:, 0] = 255
    return bgr


def values(images):
    return [int(bgr[0, 20, 0]) for _, bgr in images]


def times(images):
    return [time_s for time_s, _ in images]


def gif_bytes(values, delays_cs, width=8, height=8):
    """A GIF of plain images, each 0, 80, 160 or 240; a clear code before every pixel."""

    def image(value, delay_cs):
        bits = ''.join(
            format(code, '03b')[::-1] for code in [4, value // 80] * width * height + [5]
        )
        bits += '0' * (-len(bits) % 8)
        data = bytes(int(bits[i : i + 8][::-1], 2) for i in range(0, len(bits), 8))
        size = width.to_bytes(2, 'little') + height.to_bytes(2, 'little')
        control = b'\x21\xf9\x04\x00' + delay_cs.to_bytes(2, 'little') + b'\x00\x00'
        return (
            control + b'\x2c' + bytes(4) + size + b'\x00\x02' + bytes([len(data)]) + data + b'\x00'
        )

    size = width.to_bytes(2, 'little') + height.to_bytes(2, 'little')
    palette = b''.join(bytes([v] * 3) for v in (0, 80, 160, 240))
    header = b'GIF89a' + size + b'\x91\x00\x00' + palette
    return header + b''.join(map(image, values, delays_cs)) + b'\x3b'


@pytest.fixture
def folder(tmp_path):
    """Images 1.png .. 12.png of the values 10, 20 .. 120."""
    for i in range(1, 13):
        cv2.imwrite(str(tmp_path / f'{i}.png'), plain(10 * i))
    return tmp_path


@pytest.fixture
def movie(tmp_path):
    """Ten images of the values 20, 40 .. 200 at 25 Hz, as Motion JPEG."""
    path = tmp_path / 'movie.avi'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 25, (48, 32))
    for i in range(1, 11):
        writer.write(np.full((32, 48, 3), 20 * i, np.uint8))
    writer.release()
    return path


def test_a_video_gives_its_images_at_its_own_rate(movie):
    opened = open_source(str(movie))
    assert (opened.rate_hz, opened.count, opened.live) == (25.0, 10, False)
    images = list(frames(opened))
    np.testing.assert_allclose(values(images), 20 * np.arange(1, 11), atol=3)  # JPEG
    np.testing.assert_allclose(times(images), np.arange(10) / 25, atol=1e-6)
    assert {(bgr.shape, bgr.dtype.name) for _, bgr in images} == {((32, 48, 3), 'uint8')}


def test_a_gif_keeps_the_delay_of_each_image(tmp_path):
    path = tmp_path / 'a.gif'
    path.write_bytes(gif_bytes([0, 240, 80, 160], [10, 30, 5, 20]))
    opened = open_source(str(path))
    images = list(frames(opened))
    assert [int(bgr[4, 4, 0]) for _, bgr in images] == [0, 240, 80, 160]
    np.testing.assert_allclose(times(images), [0, 0.10, 0.40, 0.45], atol=1e-6)
    assert opened.count == 4
    assert not opened.live


def test_a_folder_is_in_natural_order_and_sizes_may_differ(folder):
    cv2.imwrite(str(folder / '2b.BMP'), plain(25, width=64))
    (folder / 'notes.txt').write_text('not an image')
    (folder / '._3.png').write_text('what macOS leaves')
    opened = open_source(str(folder))
    images = list(frames(opened))
    assert values(images) == [10, 20, 25, *range(30, 121, 10)]
    assert images[2].bgr.shape == (32, 64, 3)
    assert opened.count == 13
    np.testing.assert_allclose(times(images), np.arange(13) / DEFAULT_RATE_HZ)


def test_images_that_cannot_be_read_are_named_once_and_left_out(folder):
    (folder / '3.png').write_bytes(b'no image')
    warnings = []
    images = list(islice(frames(open_source(str(folder), warn=warnings.append), loop=True), 22))
    assert values(images) == [10, 20, *range(40, 121, 10)] * 2
    assert len(warnings) == 1
    assert '3.png' in warnings[0]


def test_a_single_image_is_not_a_sequence_of_files(folder):
    assert values(frames(open_source(str(folder / '2.png')))) == [20]


def test_grey_and_transparent_images_become_bgr(tmp_path):
    cv2.imwrite(str(tmp_path / 'grey.png'), np.full((4, 5), 7, np.uint8))
    cv2.imwrite(str(tmp_path / 'with_alpha.png'), np.full((4, 5, 4), 9, np.uint8))
    assert [bgr.shape for _, bgr in frames(open_source(str(tmp_path)))] == [(4, 5, 3)] * 2


@pytest.mark.parametrize('kind', ['folder', 'movie'])
def test_skip_leaves_out_the_first_images_and_time_begins_with_the_next(kind, request):
    opened = open_source(str(request.getfixturevalue(kind)))
    everything, rest = values(frames(opened)), list(frames(opened, skip=4))
    assert values(rest) == everything[4:]
    assert rest[0].time_s == 0


@pytest.mark.parametrize('kind', ['folder', 'movie'])
def test_loop_begins_again_and_time_goes_on(kind, request):
    opened = open_source(str(request.getfixturevalue(kind)))
    once = values(frames(opened, skip=2))
    images = list(islice(frames(opened, skip=2, loop=True), 3 * len(once)))
    assert values(images) == 3 * once
    np.testing.assert_allclose(np.diff(times(images)), 1 / opened.rate_hz, atol=1e-6)


def test_mirror_swaps_left_and_right_and_leaves_the_source_as_it_is(folder):
    opened = open_source(str(folder))
    [seen], [mirrored] = ([*islice(frames(opened, mirror=m), 1)] for m in (False, True))
    assert (seen.bgr[:, 0] == 255).all()
    assert (mirrored.bgr[:, -1] == 255).all()
    np.testing.assert_array_equal(mirrored.bgr, seen.bgr[:, ::-1])


def test_a_source_that_does_not_open_is_named(tmp_path):
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'text.mp4').write_text('no video')
    for source, problem in (
        (tmp_path / 'missing.mp4', 'no file or folder .*missing.mp4'),
        (tmp_path / 'text.mp4', 'text.mp4 is not a video'),
        (tmp_path / 'empty', 'empty holds no image'),
        ('', 'no source'),
        ('/dev/video97', 'webcam /dev/video97 does not open'),
        ('97', 'webcam 97 does not open'),
        ('http://127.0.0.1:9/a.mp4', 'http://127.0.0.1:9/a.mp4 does not open'),
    ):
        with pytest.raises(VideoError, match=problem):
            open_source(str(source))


def test_a_source_without_a_single_image_is_an_error(folder, tmp_path):
    with pytest.raises(VideoError, match='no image after the first 12 were skipped'):
        list(frames(open_source(str(folder)), skip=12, loop=True))
    path = tmp_path / 'broken.png'
    path.write_bytes(b'no image')
    with pytest.raises(VideoError, match=r'broken\.png gave no image'):
        list(frames(open_source(str(path), warn=lambda text: None)))


class FakeCapture:
    """A webcam of three images at 15 Hz that is then unplugged; notes what it is opened with."""

    opened_with = None

    def __init__(self, target, *_):
        FakeCapture.opened_with = target
        self.left, self.open = 3, True

    def isOpened(self):
        return self.open

    def get(self, prop):
        return {cv2.CAP_PROP_FPS: 15.0, cv2.CAP_PROP_FRAME_COUNT: -1.0}.get(prop, 0.0)

    def grab(self):
        self.left -= 1
        return self.left >= 0

    def retrieve(self):
        return True, plain(50)

    def release(self):
        self.open = False


@pytest.mark.parametrize(('source', 'index'), [('0', 0), (0, 0), ('/dev/video7', 7)])
def test_a_webcam_is_live_and_unplugging_it_is_an_error(monkeypatch, source, index):
    monkeypatch.setattr(webcam.cv2, 'VideoCapture', FakeCapture)
    opened = open_source(source)
    assert FakeCapture.opened_with == index
    assert (opened.rate_hz, opened.count, opened.live) == (15.0, None, True)
    images = frames(opened)
    assert values(islice(images, 3)) == [50] * 3
    with pytest.raises(VideoError, match=f'webcam {source} stopped'):
        next(images)


def test_closing_closes_the_source(monkeypatch):
    made = []
    monkeypatch.setattr(
        webcam.cv2, 'VideoCapture', lambda *a: made.append(FakeCapture(*a)) or made[-1]
    )
    images = frames(open_source('0'))
    next(images)
    assert made[0].open
    images.close()
    assert not made[0].open
