"""Live sources: a server of Motion JPEG on this machine that goes away and comes back."""

import http.server
import itertools
import threading
from contextlib import contextmanager

import cv2
import numpy as np
import pytest

from pose3d_ros.sources.addresses import is_address, without_secrets
from pose3d_ros.sources.open_source import open_source
from pose3d_ros.sources.playback import frames, reconnected
from pose3d_ros.sources.video import Frame, Video, VideoError


class Camera(http.server.BaseHTTPRequestHandler):
    """Sends five images to each client, then closes the connection."""

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.send_response(200)
        self.send_header('Content-Type', 'multipart/x-mixed-replace; boundary=b')
        self.end_headers()
        for i in range(5):
            jpeg = cv2.imencode('.jpg', np.full((48, 64, 3), 20 * i, np.uint8))[1].tobytes()
            head = b'--b\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n' % len(jpeg)
            self.wfile.write(head + jpeg + b'\r\n')


@contextmanager
def camera():
    """Run the camera; its address."""
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Camera)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f'http://user:secret@127.0.0.1:{server.server_port}/stream?token=hidden'
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv('no_proxy', '127.0.0.1')


def test_a_stream_is_live_and_its_end_is_an_error_without_secrets():
    with camera() as address:
        video = open_source(address)
        assert video.live
        images = frames(video)
        greys = [int(bgr[0, 0, 0]) for _, bgr in itertools.islice(images, 4)]
        np.testing.assert_allclose(greys, [0, 20, 40, 60], atol=2)
        with pytest.raises(VideoError, match=r'127\.0\.0\.1') as error:
            list(images)
    for text in (video.name, str(error.value)):
        assert not any(secret in text for secret in ('user', 'secret', 'hidden'))


def test_an_address_that_does_not_open_is_named_without_secrets():
    with pytest.raises(VideoError, match=r'http://127.0.0.1:9/a\?\.\.\. does not open') as error:
        open_source('http://user:secret@127.0.0.1:9/a?token=hidden')
    assert 'secret' not in str(error.value)
    assert 'hidden' not in str(error.value)


def test_a_stream_that_ended_is_opened_again_and_counted():
    with camera() as address:
        video = open_source(address)
        waits, warnings = [], []
        images = reconnected(lambda: frames(video), video, wait=waits.append, warn=warnings.append)
        assert len(list(itertools.islice(images, 12))) == 12
        images.close()
    assert video.losses.reconnections == len(waits) == len(warnings) == 2


def failing(name='front'):
    """A live source that never opens."""

    def one_pass():
        raise VideoError(f'{name} does not open')
        yield Frame(0.0, np.zeros((1, 1, 3), np.uint8))

    return Video(name, 30.0, None, True, one_pass)


def test_waits_grow_and_the_source_is_given_up(monkeypatch):
    clock, waits = [0.0], []

    def wait(wait_s):
        waits.append(wait_s)
        clock[0] += wait_s

    monkeypatch.setattr('pose3d_ros.sources.playback.time.monotonic', lambda: clock[0])
    video = failing()
    images = reconnected(
        lambda: frames(video), video, wait=wait, warn=lambda text: None, timeout_s=20.0
    )
    with pytest.raises(VideoError, match='given up: no image for 20 s'):
        list(images)
    assert waits[:4] == [0.5, 1.0, 2.0, 4.0]
    assert sum(waits) == pytest.approx(20.0)
    assert video.losses.reconnections == len(waits)


def test_a_wait_can_end_the_images():
    video = failing()
    images = reconnected(lambda: frames(video), video, wait=lambda s: True, warn=lambda text: None)
    assert list(images) == []


@pytest.mark.parametrize(
    ('address', 'shown'),
    [
        ('rtsp://admin:pa%20ss@10.0.0.2:554/h264', 'rtsp://10.0.0.2:554/h264'),
        ('rtsp://admin:p@ss:w/rd@10.0.0.2/a', 'rtsp://10.0.0.2/a'),
        ('rtsp://admin:abc?d@10.0.0.2/a', 'rtsp://...'),
        ('https://host/a?token=abc@d', 'https://...'),
        ('https://host/a.m3u8?token=abc&x=1#f', 'https://host/a.m3u8?...'),
        ('http://host:81/a b', 'http://host:81/a b'),
        ('cannot open rtsp://u:p@h/1: no route', 'cannot open rtsp://h/1: no route'),
    ],
)
def test_addresses_are_shown_without_secrets(address, shown):
    assert without_secrets(address) == shown


def test_addresses_have_a_scheme_and_two_slashes():
    assert is_address('rtsp://a/b')
    assert not is_address('run_03:04:05.mp4')
    assert not is_address('/dev/video0')
