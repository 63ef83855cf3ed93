"""Videos written and read back."""

import av
import numpy as np
import pytest

from pose3d_ros.visualisation import video_writer
from pose3d_ros.visualisation.video_writer import FORMATS, VideoWriter


@pytest.mark.parametrize('one', FORMATS, ids=lambda one: one.encoder)
def test_images_keep_their_times_in_formats_that_browsers_play(tmp_path, monkeypatch, one):
    if one.encoder not in av.codecs_available:
        pytest.skip(f'this FFmpeg has no {one.encoder}')
    monkeypatch.setattr(video_writer, 'FORMATS', (one,))
    times_s = [*np.arange(10) / 14.3, 2.0, 2.0, 1.5]
    writer = VideoWriter(tmp_path / 'run 1.a')
    for i, time_s in enumerate(times_s):
        size = (95, 127) if i % 2 else (48, 64)
        writer.write(np.full((*size, 3), 15 * i, np.uint8), time_s)
    path = writer.close()
    assert path == tmp_path / f'run 1.a{one.suffix}'
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        read = list(container.decode(stream))
        assert stream.codec_context.name in ('h264', 'vp9')
        assert stream.codec_context.pix_fmt == 'yuv420p'
    np.testing.assert_allclose(
        [float(f.pts * f.time_base) for f in read], [*times_s[:11], 2.001, 2.002], atol=6e-4
    )
    greys = [f.to_ndarray(format='bgr24')[20, 20, 0] for f in read]
    np.testing.assert_allclose(greys, 15 * np.arange(13), atol=7)


def test_without_images_there_is_no_file(tmp_path):
    assert VideoWriter(tmp_path / 'a').close() is None
    assert not list(tmp_path.iterdir())


def test_a_platform_without_encoders_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(video_writer.av, 'codecs_available', frozenset())
    with pytest.raises(RuntimeError, match='libx264'):
        VideoWriter(tmp_path / 'a')
