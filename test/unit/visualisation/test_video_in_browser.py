"""Videos in headless Chromium: played to the end, and each image seen at its time."""

import base64
import time

import av
import numpy as np
import pytest

pytest.importorskip('websockets', reason="needs pip install '.[viewer]'")

from support.browser import CHROMIUM, Page

from pose3d_ros.visualisation import video_writer
from pose3d_ros.visualisation.video_writer import FORMATS, VideoWriter

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason='needs chromium')
RATE_HZ, COUNT, STEP = 10, 12, 15
PATIENCE_S = 60
# In the file itself, so that the script may read the pixels.
PAGE = """<video muted autoplay src="data:video/{kind};base64,{data}"></video><script>
const video = document.querySelector('video')
const context = document.createElement('canvas').getContext('2d')
window.greys = {{}}
const look = (_, seen) => {{
  context.drawImage(video, 0, 0)
  window.greys[seen.mediaTime.toFixed(3)] = context.getImageData(20, 20, 1, 1).data[0]
  video.requestVideoFrameCallback(look)
}}
video.requestVideoFrameCallback(look)
</script>"""


@pytest.mark.parametrize('one', FORMATS, ids=lambda one: one.encoder)
def test_chromium_plays_every_image(tmp_path, monkeypatch, one):
    if one.encoder not in av.codecs_available:
        pytest.skip(f'this FFmpeg has no {one.encoder}')
    monkeypatch.setattr(video_writer, 'FORMATS', (one,))
    writer = VideoWriter(tmp_path / 'overlay')
    for i in range(COUNT):
        writer.write(np.full((64, 96, 3), STEP * (i + 1), np.uint8), i / RATE_HZ)
    data = base64.b64encode(writer.close().read_bytes()).decode()
    page = tmp_path / 'page.html'
    page.write_text(PAGE.format(kind=one.suffix[1:], data=data))
    with Page(page.as_uri(), tmp_path / 'profile') as browser:
        deadline_s = time.monotonic() + PATIENCE_S
        while not browser.evaluate('document.querySelector("video").ended'):
            error = browser.evaluate('(document.querySelector("video").error || {}).message')
            assert not error
            assert time.monotonic() < deadline_s, 'not played to the end'
            time.sleep(0.1)
        size = browser.evaluate('[video.videoWidth, video.videoHeight]')
        greys = browser.evaluate('window.greys')
    assert size == [96, 64]
    assert greys  # a slow machine leaves images out
    for time_s, grey in greys.items():
        assert abs(grey - STEP * (1 + round(float(time_s) * RATE_HZ))) <= 7
