"""Diagnostics of the network and of every camera."""

from __future__ import annotations

import math
from collections.abc import Iterator

from diagnostic_msgs.msg import DiagnosticStatus

from pose3d_ros.camera import CameraPoseSource, IntrinsicsSource
from pose3d_ros.pipeline import Pipeline
from pose3d_ros.ros.camera_stream import CameraStream
from pose3d_ros.ros.image_statistics import RECENT_S, Outcome, RecentStatistics
from pose3d_ros.ros.messages.status import ERROR, OK, WARN, status_msg
from pose3d_ros.ros.parameters import PoseParameters
from pose3d_ros.ros.shared_network import SharedNetwork
from pose3d_ros.wording import counted

# Latency, s, from which the stamps are assumed to be of another clock.
OTHER_CLOCK_S = 60.0


def network_status(name: str, network: SharedNetwork, checksum: str) -> DiagnosticStatus:
    """Return the status of the network."""
    detector = network.estimator.detector
    height, width = detector.input_hw
    values = {'model': detector.name, 'sha256': checksum, 'input': f'{width}x{height}'}
    values |= {'device': detector.device, 'inference errors': str(network.failures)}
    level, text = OK, f'{detector.name} on {detector.device}'
    if network.is_fallback:
        level, text = WARN, f'{text} instead of {network.wanted_device}, which failed'
    if network.error:
        level, text = ERROR, network.error
    return status_msg(name, level, text, values, detector.device)


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
    idle = idle or ('' if camera.topics.subscriptions else 'no subscribers')
    recent = camera.statistics.recent()
    found = [] if idle else list(complaints(camera, recent, p))
    level = max((level for level, _ in found), default=OK)
    # The most severe first.
    texts = [text for _, text in sorted(found, key=lambda one: one[0], reverse=True)]
    return status_msg(
        name, level, '; '.join(texts) or idle or 'running',
        {'state': idle or 'running', **values(camera, recent)}, camera.topics.image_topic,
    )  # fmt: skip


def complaints(
    camera: CameraStream, recent: RecentStatistics, p: PoseParameters
) -> Iterator[tuple[bytes, str]]:
    """Yield level and text of each problem of a camera that is subscribed to."""
    silence_s = camera.statistics.silence_s()
    if silence_s > p.stale_after:
        yield ERROR, f'no image for {silence_s:.1f} s: {camera.topics.explain_silence()}'
        return
    if camera.network.error:
        yield ERROR, camera.network.error
    yield from _dropped_images(camera, recent, p)
    yield from _publishers_and_stamps(camera, recent)
    if camera.last_error:
        yield WARN, camera.last_error
    if camera.pipeline.people_cut:
        people = counted(camera.pipeline.people_cut, 'person', 'people')
        yield WARN, f'{people} beyond max_people ({p.max_people})'
    if camera.depth and camera.depth.last_error:
        yield WARN, f'no depth for the last image: {camera.depth.last_error}'
    if camera.camera_pose.last_error:
        yield WARN, camera.camera_pose.last_error
    if camera.intrinsics_source == IntrinsicsSource.GUESSED:
        why = camera.topics.explain_no_camera_info()
        yield WARN, f'focal length guessed, distances are inaccurate{why and f": {why}"}'
    if abs(recent.latency_s) > p.max_latency:
        other_clock = abs(recent.latency_s) > OTHER_CLOCK_S
        yield (
            WARN,
            f'latency {recent.latency_s:.3g} s, above max_latency {p.max_latency:g} s'
            f'{": stamps of another clock, check use_sim_time" if other_clock else ""}',
        )


def _dropped_images(
    camera: CameraStream, recent: RecentStatistics, p: PoseParameters
) -> Iterator[tuple[bytes, str]]:
    """Yield the problems of received images for which no poses were published."""
    texts = {
        Outcome.BAD: 'could not be read',
        Outcome.NO_TRANSFORM: f'have no transform to {p.target_frame}',
        Outcome.FAILED: 'were not processed, because the network failed',
        Outcome.LATE: 'arrived after a newer one and were dropped',
    }
    unprocessed = {text: recent.outcomes[outcome] for outcome, text in texts.items()}
    for text, number in unprocessed.items():
        if number:
            level = ERROR if number == recent.images else WARN
            yield level, f'{number} of the last {recent.images} images {text}'
    slow = recent.span_s == RECENT_S and recent.output_hz < p.min_rate
    if slow and not any(unprocessed.values()):
        yield WARN, f'publishing {recent.output_hz:.2g} Hz, below min_rate {p.min_rate:g} Hz'


def _publishers_and_stamps(
    camera: CameraStream, recent: RecentStatistics
) -> Iterator[tuple[bytes, str]]:
    """Yield the problems of images of several publishers, or without usable stamps."""
    several = recent.publisher_changes > 1 or recent.outcomes[Outcome.LATE]
    publishers = camera.topics.publisher_names() if several else ''
    if publishers:
        yield WARN, f'several nodes publish {camera.topics.image_topic}: {publishers}'
    if recent.unstamped:
        yield (
            WARN,
            (
                f'the stamps of {recent.unstamped} of the last {recent.images} images did not '
                'advance: arrival times are used for tracking'
            ),
        )


def values(camera: CameraStream, recent: RecentStatistics) -> dict[str, str]:
    """Return the key-value pairs of a camera."""
    statistics, source = camera.statistics, camera.intrinsics_source
    calibration = 'unknown' if source is None else source.name
    remark = camera.last_error or camera.calibration.note
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
        'bad images': str(statistics.outcomes[Outcome.BAD]),
        'late images': str(statistics.outcomes[Outcome.LATE]),
        'images lost to inference errors': str(statistics.outcomes[Outcome.FAILED]),
        'images without a transform': str(statistics.outcomes[Outcome.NO_TRANSFORM]),
        'people beyond max_people': str(camera.pipeline.people_cut),
        'calibration': f'{calibration}: {remark}' if remark else calibration,
        'camera pose': _camera_pose_text(camera.pipeline),
        'time since last image (s)': _number(statistics.age_s()),
        **of_depth,
    }


def _camera_pose_text(pipeline: Pipeline) -> str:
    """Return source, pitch, roll and height of the camera's pose of the last image."""
    pose = pipeline.camera_pose
    if pose is None:
        return CameraPoseSource.NONE.name
    x, y, z = pose.up.tolist()
    pitch_deg = round(math.degrees(math.asin(min(max(z, -1.0), 1.0))))
    roll_deg = round(math.degrees(math.atan2(-x, -y)))
    source = pipeline.camera_pose_source.name
    text = f'{source}: pitch {pitch_deg} deg, roll {roll_deg} deg'
    if pose.up_sd_rad:
        text += f' (+- {math.degrees(pose.up_sd_rad):.0f})'
    if math.isfinite(pose.height_m):
        text += f', height {pose.height_m:.2f} m'
        if pose.height_sd:
            text += f' (+- {pose.height_sd * pose.height_m:.2f})'
    return text


def _number(value: float) -> str:
    return f'{value:.1f}' if math.isfinite(value) else 'unknown'
