"""Diagnostics of the network and of every camera."""

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
# Latency, s, from which the stamps are assumed to be of another clock.
OTHER_CLOCK_S = 60.0


def network_status(name: str, detector: Detector, checksum: str) -> DiagnosticStatus:
    """Return the status of the network."""
    height, width = detector.input_hw
    values = {'model': detector.name, 'sha256': checksum, 'input': f'{width}x{height}'}
    values['device'] = detector.device
    return _status(name, detector.device, OK, f'{detector.name} on {detector.device}', values)


def camera_status(
    name: str, camera: CameraStream, idle: str, p: PoseParameters
) -> DiagnosticStatus:
    """Return the status of one camera.

    Parameters
    ----------
    name
        Name of the status.
    camera
        The camera.
    idle
        Why the node does not process images, or ''.
    p
        Thresholds.
    """
    idle = idle or ('' if camera.subscriptions else 'no subscribers')
    recent = camera.statistics.recent()
    found = [] if idle else list(complaints(camera, recent, p))
    level = max((level for level, _ in found), default=OK)
    # The most severe first.
    texts = [text for _, text in sorted(found, key=lambda one: one[0], reverse=True)]
    return _status(
        name, camera.image_topic, level, '; '.join(texts) or idle or 'running',
        {'state': idle or 'running', **values(camera, recent)},
    )  # fmt: skip


def complaints(
    camera: CameraStream, recent: RecentStatistics, p: PoseParameters
) -> Iterator[tuple[bytes, str]]:
    """Yield level and text of each problem of a camera that is subscribed to."""
    silence_s = camera.statistics.silence_s()
    if silence_s > p.stale_after:
        why = '' if camera.publisher_count() else f': no publisher on {camera.image_topic}'
        yield ERROR, f'no image for {silence_s:.1f} s{why}'
        return
    unprocessed = {
        'could not be read': recent.bad_images,
        f'have no transform to {p.target_frame}': recent.missing_transforms,
    }
    for what, number in unprocessed.items():
        if number:
            level = ERROR if number == recent.images else WARN
            yield level, f'{number} of the last {recent.images} images {what}'
    slow = recent.span_s == RECENT_S and recent.output_hz < p.min_rate
    if slow and not any(unprocessed.values()):
        yield WARN, f'publishing {recent.output_hz:.2g} Hz, below min_rate {p.min_rate:g} Hz'
    if camera.last_error:
        yield WARN, camera.last_error
    if camera.depth and camera.depth.last_error:
        yield WARN, f'no depth for the last image: {camera.depth.last_error}'
    if camera.camera_pose.last_error:
        yield WARN, camera.camera_pose.last_error
    if camera.intrinsics_source == IntrinsicsSource.GUESSED:
        yield WARN, 'focal length guessed, distances are inaccurate'
    if abs(recent.latency_s) > p.max_latency:
        other_clock = abs(recent.latency_s) > OTHER_CLOCK_S
        yield (
            WARN,
            f'latency {recent.latency_s:.3g} s, above max_latency {p.max_latency:g} s'
            f'{": stamps of another clock, check use_sim_time" if other_clock else ""}',
        )


def values(camera: CameraStream, recent: RecentStatistics) -> dict[str, str]:
    """Return the key-value pairs of a camera."""
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
