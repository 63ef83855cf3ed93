"""The demo's node: subscribes as a robot would, records and counts."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from pose3d_ros.demo import clip
from pose3d_ros.demo.recorder import Recorder, Shown
from pose3d_ros.msg import PoseArray3D
from pose3d_ros.people import TrackedPeople
from pose3d_ros.ros.camera_node import done_qos
from pose3d_ros.ros.messages.images import bgr_array, seconds
from pose3d_ros.ros.messages.people import tracked_people
from pose3d_ros.wording import counted

# Messages that may wait: a slow listener must not lose results.
DEPTH = 200
# Longest wait for the overlay of poses that have come, s: the middleware repeats a message that
# was lost every 3 s.
OVERLAY_S = 6.0


class Listener(Node):
    """Subscribes to poses and overlay, and reports every image that is done.

    Parameters
    ----------
    namespace
        Of the nodes.
    recorder
        Draws and writes.
    score
        Compares with the truth. None: it is unknown.
    live
        Images come whether or not the last is done: some may be skipped.
    """

    def __init__(
        self,
        namespace: str,
        recorder: Recorder,
        score: clip.Score | None = None,
        live: bool = False,
    ) -> None:
        super().__init__('demo', namespace=namespace)
        self.recorder, self.score, self.live = recorder, score, live
        # The people of each image, in the order of the images.
        self.results: list[TrackedPeople] = []
        self.latencies_s: list[float] = []
        self.stamps_s: list[float] = []
        self.ids: set[int] = set()
        self.last_s = time.monotonic()
        # Poses whose overlay has not come: number of the image and header.
        self.waiting: dict[float, tuple[int, Header]] = {}
        self.done = self.create_publisher(Header, 'image_done', done_qos())
        self.create_subscription(PoseArray3D, 'poses', self.on_poses, QoSProfile(depth=DEPTH))
        self.create_subscription(Image, 'overlay', self.on_overlay, QoSProfile(depth=DEPTH))
        self.create_timer(OVERLAY_S / 4, self._report_without_overlay)

    def on_poses(self, poses: PoseArray3D, info: dict[str, Any]) -> None:
        """Record a result; the latency is that of its arrival, not of this callback."""
        stamp_s = seconds(poses.header.stamp)
        self.latencies_s.append(1e-9 * info['received_timestamp'] - stamp_s)
        self.waiting[stamp_s] = (len(self.results), poses.header)
        self.stamps_s.append(stamp_s)
        self.results.append(tracked_people(poses))
        self.ids |= set(self.results[-1].track_id.tolist())
        self.last_s = time.monotonic()

    def on_overlay(self, image: Image) -> None:
        """Draw an image beside the people that were found in it."""
        stamp_s = seconds(image.header.stamp)
        if stamp_s not in self.waiting:
            return
        number, header = self.waiting.pop(stamp_s)
        tracked = self.results[number]
        correct = 0
        # Of a file every image is waited for, so that the n-th result is that of the n-th image.
        if self.score and not self.live:
            correct = self.score.correct(number, tracked.people.people_2d.xy_px)
        self.recorder.add(Shown(bgr_array(image), tracked, stamp_s, correct), wait=not self.live)
        self.done.publish(header)

    def judge(self, published: int) -> list[str]:
        """Return the comparison with the truth, of which all images were published, as lines."""
        if not self.score:
            return []
        if len(self.results) != published:
            missing = counted(published - len(self.results), 'image')
            return [f'against the truth   unknown: no answer to {missing}']
        for number, tracked in enumerate(self.results):
            people = tracked.people
            self.score.add(number, people.people_2d.xy_px, people.xyz_m)
        return self.score.lines()

    def progress(self, count: str | None) -> str:
        """Return the state in a line; `count`: how many images the source has, if known."""
        done = len(self.results)
        images = f'{done} of {counted(int(count), "image")}' if count else counted(done, 'image')
        people = counted(len(self.results[-1]) if self.results else 0, 'person', 'people')
        recent_s = np.array(self.stamps_s[-30:])
        span_s = recent_s[-1] - recent_s[0] if len(recent_s) > 1 else 0.0
        rate = f', {(len(recent_s) - 1) / span_s:.1f} Hz' if span_s > 0 else ''
        return f'{images} answered, {people} in the last{rate}'

    def table(self, published: int, device: str) -> str:
        """Return the results as a table."""
        if not self.results:
            return f'images sent         {published}\nimages answered     0'
        numbers = [len(tracked) for tracked in self.results]
        p50, p95 = 1e3 * np.percentile(self.latencies_s, [50, 95])
        span_s = self.stamps_s[-1] - self.stamps_s[0]
        rate_hz = (len(self.stamps_s) - 1) / span_s if span_s > 0 else 0.0
        skipped = max(0, published - len(numbers))
        live = f', {skipped} skipped: newer ones had come' if self.live and skipped else ''
        return '\n'.join(
            (
                f'images sent         {published}{live}',
                f'images answered     {len(numbers)}, {numbers.count(0)} of them without people',
                f'people per image    {np.mean(numbers):.2f} on average, {max(numbers)} at most; '
                f'{counted(len(self.ids), "id")}',
                f'stamp to poses      p50 {p50:.1f} ms, p95 {p95:.1f} ms',
                f'rate                {rate_hz:.1f} Hz',
                f'device              {device}',
            )
        )

    def _report_without_overlay(self) -> None:
        """Report images whose overlay did not come: the camera must not wait for ever."""
        if self.waiting and time.monotonic() - self.last_s > OVERLAY_S:
            self.recorder.skipped += len(self.waiting)
            for _, header in self.waiting.values():
                self.done.publish(header)
            self.waiting.clear()
