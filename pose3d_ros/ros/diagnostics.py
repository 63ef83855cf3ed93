"""What /diagnostics says of the network and of every camera."""

from __future__ import annotations

import math
from collections.abc import Iterator

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from pose3d_ros.camera import IntrinsicsSource
from pose3d_ros.detection.detector import Detector
from pose3d_ros.ros.camera_stream import CameraStream
from pose3d_ros.ros.image_statistics import RECENT_S, RecentStatistics
from pose3d_ros.ros.parameters import PoseParameters

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
# No camera and no network is so late: the stamps are of another clock.
OTHER_CLOCK_S = 60.0


def network_status(name: str, detector: Detector, checksum: str) -> DiagnosticStatus:
    """Say which network runs where."""
    height, width = detector.input_hw
    values = {'model': detector.name, 'sha256': checksum, 'input': f'{width}x{height}'}
    values['device'] = detector.device
    return _status(name, detector.device, OK, f'{detector.name} on {detector.device}', values)


def camera_status(
    name: str, camera: CameraStream, idle: str, p: PoseParameters
) -> DiagnosticStatus:
    """Say how one camera is answered.

    Parameters
    ----------
    name
        Of the status.
    camera
        What is looked at.
    idle
        Why the node answers nobody, or ''.
    p
        Thresholds.
    """
    idle = idle or ('' if camera.subscriptions else 'nobody subscribes to what is made of it')
    recent = camera.statistics.recent()
    found = [] if idle else list(complaints(camera, recent, p))
    level = max((level for level, _ in found), default=OK)
    # The worst first.
    texts = [text for _, text in sorted(found, key=lambda one: one[0], reverse=True)]
    return _status(
        name, camera.image_topic, level, '; '.join(texts) or idle or 'running',
        {'state': idle or 'running', **values(camera, recent)},
    )  # fmt: skip


def complaints(
    camera: CameraStream, recent: RecentStatistics, p: PoseParameters
) -> Iterator[tuple[bytes, str]]:
    """Find what is wrong with a camera that is listened to."""
    silence_s = camera.statistics.silence_s()
    if silence_s > p.stale_after:
        why = '' if camera.publisher_count() else f': nobody publishes {camera.image_topic}'
        yield ERROR, f'no image for {silence_s:.1f} s{why}'
        return
    unanswered = {
        'could not be read': recent.bad_images,
        f'have no transform to {p.target_frame}': recent.missing_transforms,
    }
    for what, number in unanswered.items():
        if number:
            level = ERROR if number == recent.images else WARN
            yield level, f'{number} of the last {recent.images} images {what}'
    slow = recent.span_s == RECENT_S and recent.output_hz < p.min_rate
    if slow and not any(unanswered.values()):
        yield WARN, f'{recent.output_hz:.2g} answers a second, min_rate is {p.min_rate:g}'
    if camera.last_error:
        yield WARN, camera.last_error
    if camera.depth and camera.depth.last_error:
        yield WARN, f'the last image had no depth: {camera.depth.last_error}'
    if camera.camera_pose.last_error:
        yield WARN, camera.camera_pose.last_error
    if camera.intrinsics_source == IntrinsicsSource.GUESSED:
        yield WARN, 'focal length guessed, distances are rough'
    if abs(recent.latency_s) > p.max_latency:
        other = abs(recent.latency_s) > OTHER_CLOCK_S
        yield (
            WARN,
            f'poses come {recent.latency_s:.3g} s after the stamp of the image, max_latency is '
            f'{p.max_latency:g}{": is use_sim_time right?" if other else ""}',
        )


def values(camera: CameraStream, recent: RecentStatistics) -> dict[str, str]:
    """List the statistics of a camera."""
    statistics, source = camera.statistics, camera.intrinsics_source
    calibration = 'unknown' if source is None else source.name
    depth = camera.depth
    of_depth = (
        {}
        if depth is None
        else {
            'images without depth': str(depth.missing),
            'bad depth images': str(depth.bad_images),
        }
    )
    return {
        'input rate (Hz)': _number(recent.input_hz),
        'output rate (Hz)': _number(recent.output_hz),
        'latency mean (ms)': _number(1e3 * recent.latency_s),
        'latency p95 (ms)': _number(1e3 * recent.latency_p95_s),
        'inference mean (ms)': _number(1e3 * recent.inference_s),
        'parse mean (ms)': _number(1e3 * recent.parse_s),
        'images': str(statistics.images),
        'dropped images': 'unknown' if statistics.dropped is None else str(statistics.dropped),
        'bad images': str(statistics.bad_images),
        'images without a transform': str(statistics.missing_transforms),
        'calibration': f'{calibration}: {camera.last_error}' if camera.last_error else calibration,
        'time since last image (s)': _number(statistics.age_s()),
        **of_depth,
    }


def _number(value: float) -> str:
    return f'{value:.1f}' if math.isfinite(value) else 'unknown'


def _status(
    name: str, hardware: str, level: bytes, message: str, values: dict[str, str]
) -> DiagnosticStatus:
    pairs = [KeyValue(key=key, value=value) for key, value in values.items()]
    return DiagnosticStatus(
        level=level, name=name, message=message, hardware_id=hardware, values=pairs
    )
