"""Videos made here, and broken: what is read of them, and what is said."""

import av
import numpy as np
import pytest
from support.videos import UPPER, number_of, overwrite, write_video

from pose3d_ros.sources.open_source import open_source
from pose3d_ros.sources.playback import frames
from pose3d_ros.sources.video import VideoError


def read(path):
    """Return the source, its images and what it warned of."""
    warnings = []
    video = open_source(str(path), warn=warnings.append)
    return video, list(frames(video)), warnings


def numbers(images):
    return [number_of(bgr) for _, bgr in images]


@pytest.fixture(scope='module')
def plain(tmp_path_factory):
    """Sixty images at 30 Hz, H.264, a keyframe every twelve."""
    return write_video(tmp_path_factory.mktemp('plain') / 'plain.mp4')


def test_every_image_of_a_video_comes_in_order_at_its_time(plain):
    video, images, warnings = read(plain)
    np.testing.assert_allclose(numbers(images), np.arange(60), atol=1)
    np.testing.assert_allclose([t for t, _ in images], np.arange(60) / 30, atol=1e-3)
    assert (video.rate_hz, video.count, video.live) == (30, 60, False)
    assert not warnings
    assert not video.losses


@pytest.mark.parametrize('name', ['2026-01-02T03:04:05.mp4', 'http:a.mp4', '100%d.mp4', 'a b.mp4'])
def test_names_of_files_are_taken_literally(plain, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(plain.read_bytes())
    assert len(read(path)[1]) == 60


def test_interlaced_images_are_deinterlaced_and_that_is_said(tmp_path):
    path = write_video(tmp_path / 'a.mp4', options={'x264opts': 'interlaced=1'})
    _, images, warnings = read(path)
    np.testing.assert_allclose(numbers(images), np.arange(60), atol=1)
    for _, bgr in images:
        assert abs(np.median(bgr[:16]) - UPPER) < 4
    assert len(warnings) == 1
    assert 'interlaced' in warnings[0]


def test_images_behind_damage_are_read_and_the_lost_ones_counted(plain, tmp_path):
    path = overwrite(plain, tmp_path / 'damaged.mp4', 0.4, 0.6)
    video, images, warnings = read(path)
    assert video.count == 60
    assert 20 < len(images) < 60
    assert video.losses.missing == 60 - len(images)
    assert video.losses.damaged > 0
    assert number_of(images[-1].bgr) == pytest.approx(59, abs=1)
    assert (np.diff([t for t, _ in images]) > 0).all()
    assert images[-1].time_s == pytest.approx(59 / 30, abs=1e-3)
    assert f'read {len(images)} of 60 images' in warnings[0]


def test_a_download_that_broke_off_is_read_up_to_there(plain, tmp_path):
    path = tmp_path / 'cut.mp4'
    data = plain.read_bytes()
    path.write_bytes(data[: int(0.85 * len(data))])
    video, images, warnings = read(path)
    np.testing.assert_allclose(numbers(images), np.arange(len(images)), atol=1)
    assert video.losses.missing == 60 - len(images) > 0
    assert 'cut.mp4 is damaged' in warnings[0]


def test_a_declared_rate_that_the_images_contradict_is_not_believed(tmp_path):
    """A browser declares 1000 Hz and records 30."""
    path = write_video(tmp_path / 'a.mkv', declared_hz=1000)
    video, images, _ = read(path)
    assert video.rate_hz == pytest.approx(30, rel=0.05)
    assert images[-1].time_s == pytest.approx(59 / 30, abs=2e-3)


def test_uneven_times_are_kept(tmp_path):
    """Thirty images at 30 Hz, then at 3 Hz."""
    times_s = np.concatenate([np.arange(30) / 30, 1 + np.arange(30) / 3])
    path = write_video(tmp_path / 'a.mp4', pts=lambda i: round(90000 * times_s[i]))
    video, images, _ = read(path)
    np.testing.assert_allclose([t for t, _ in images], times_s, atol=1e-3)
    assert video.rate_hz == pytest.approx(60 / 11, rel=0.15)


@pytest.mark.parametrize(('declared_deg', 'corner'), [(90, 'left'), (-90, 'right')])
def test_images_are_upright_as_the_file_says(tmp_path, declared_deg, corner):
    """The display matrix of a telephone's video; the bright upper half goes to a side."""
    path = tmp_path / 'a.mp4'
    source = write_video(tmp_path / 'source.mp4', count=3)
    with av.open(str(source)) as read_from, av.open(str(path), 'w') as container:
        stream = container.add_stream_from_template(read_from.streams.video[0])
        stream.set_display_rotation(declared_deg)
        for packet in read_from.demux(video=0):
            if packet.size:
                packet.stream = stream
                container.mux(packet)
    _, images, _ = read(path)
    bgr = images[0].bgr
    assert bgr.shape == (64, 48, 3)
    sides = {'left': bgr[:, :16].mean(), 'right': bgr[:, -16:].mean()}
    assert max(sides, key=sides.get) == corner


def test_what_cannot_be_read_is_named(plain, tmp_path):
    data = plain.read_bytes()
    unknown, headless, empty = (tmp_path / name for name in ('unknown.mp4', 'no.mp4', 'empty.mp4'))
    unknown.write_bytes(data.replace(b'avc1', b'zzz1'))
    headless.write_bytes(data.replace(b'moov', b'xxxx'))
    empty.write_bytes(b'')
    sound = tmp_path / 'sound.mp4'
    with av.open(str(sound), 'w') as container:
        stream = container.add_stream('aac', rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 44100), np.float32), 'fltp', 'mono')
        frame.sample_rate, frame.pts = 44100, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    for path, problem in (
        (unknown, 'cannot decode: zzz1'),
        (headless, 'moov, is missing'),
        (empty, 'the file is empty'),
        (sound, 'no video stream, found: audio'),
    ):
        with pytest.raises(VideoError, match=problem):
            open_source(str(path))
