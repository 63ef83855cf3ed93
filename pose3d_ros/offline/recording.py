"""Recordings: inputs whose images can all be waited for."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera import CameraPose, CameraPoseSource, Intrinsics, IntrinsicsSource
from pose3d_ros.images import CameraImage, Observation
from pose3d_ros.people import TrackedPeople
from pose3d_ros.sources.addresses import is_address
from pose3d_ros.sources.calibration import CalibrationError, mirrored, read_calibration
from pose3d_ros.sources.open_source import open_source
from pose3d_ros.sources.playback import frames
from pose3d_ros.sources.video import Losses, VideoError


class Input(NamedTuple):
    """An input, and a name that no other input of the command has."""

    path: str
    name: str


class Taken(NamedTuple):
    """An image of a recording."""

    observation: Observation
    # The message that it came in, of bags. None: there is none.
    message: Any = None
    # When it was recorded, ns, of bags.
    recorded_ns: int = 0


class Processed(NamedTuple):
    """An image of a recording and the people in it."""

    number: int  # of the image, from 0
    taken: Taken
    tracked: TrackedPeople
    # As they were used for this image, given or estimated.
    camera_pose: CameraPose | None = None
    camera_pose_source: CameraPoseSource = CameraPoseSource.NONE


@dataclass(frozen=True)
class Recording:
    """One camera of an input.

    Parameters
    ----------
    name
        Of the folder of its results.
    source
        What it was opened from.
    rate_hz
        Its rate.
    count
        Number of its images. None: unknown.
    images
        Return them, from the first.
    losses
        Counted while images are read.
    topic
        Of the images, in a bag. '': no bag.
    """

    name: str
    source: str
    rate_hz: float
    count: int | None
    images: Callable[[], Generator[Taken, None, None]]
    losses: Losses
    topic: str = ''


@dataclass(frozen=True)
class CameraOptions:
    """What the user knows of the camera.

    Parameters
    ----------
    focal_length_px
        0: unknown.
    calibration_file
        '': none. Wins over the focal length.
    pose
        Attitude and height. None: unknown.
    mirror
        Swap left and right.
    skip
        Number of images to leave out at the beginning.
    gravity_frame
        Level frame whose origin is on the floor, in the TF of a bag: gives the pose of the camera
        at each image. '': the pose is the fixed one.
    """

    focal_length_px: float = 0.0
    calibration_file: str = ''
    pose: CameraPose | None = None
    mirror: bool = False
    skip: int = 0
    gravity_frame: str = ''


def input_name(path: str) -> str:
    """Return the name of an input without its folder."""
    return Path(path).expanduser().name or Path(path).resolve().name


def named(paths: Iterable[str]) -> list[Input]:
    """Name inputs: a.mp4 and a.mp4_2 for those of two folders.

    They are sorted, so that the names do not depend on the order in which a shell or a batch
    system lists them; what is listed twice is one input.
    """
    found: dict[str, str] = {}
    for path in sorted(set(paths)):
        name, number = input_name(path), 2
        while name in found:
            name, number = f'{input_name(path)}_{number}', number + 1
        found[name] = path
    return [Input(path, name) for name, path in found.items()]


def shard(inputs: Sequence[Input], index: int, number: int) -> list[Input]:
    """Return part `index`, from 1, of `number` parts of the inputs, of nearly equal length."""
    return list(inputs[index - 1 :: number])


def open_video_recording(
    source: str, options: CameraOptions, warn: Callable[[str], object]
) -> Recording:
    """Open a video, a GIF, an image or a folder of images.

    Raises
    ------
    VideoError
        If it does not open, or is live.
    CalibrationError
        If the calibration file cannot be used.
    """
    if is_address(source) or source.isdigit() or source.startswith('/dev/video'):
        raise VideoError(f'{source.split("://")[0]}: a live source has no end; name files')
    video = open_source(source, warn=warn)
    calibration = read_calibration(options.calibration_file) if options.calibration_file else None
    if calibration and calibration.note:
        warn(f'{options.calibration_file}: {calibration.note}')

    def intrinsics(bgr: NDArray[np.uint8]) -> Intrinsics:
        height, width = bgr.shape[:2]
        if calibration is not None:
            if (width, height) != (calibration.width, calibration.height):
                raise CalibrationError(
                    f'{options.calibration_file} is for images of {calibration.width}x'
                    f'{calibration.height}, {video.name} has {width}x{height}'
                )
            known = calibration.intrinsics
            return mirrored(known, width) if options.mirror else known
        if options.focal_length_px:
            parameter = IntrinsicsSource.PARAMETER
            return Intrinsics.centred(options.focal_length_px, width, height, parameter)
        return Intrinsics.guess(width, height)

    def images() -> Generator[Taken, None, None]:
        for time_s, bgr in frames(video, skip=options.skip, mirror=options.mirror):
            image = CameraImage(bgr, intrinsics(bgr))
            yield Taken(Observation(image, time_s, options.pose))

    count = None if video.count is None else max(0, video.count - options.skip)
    return Recording(input_name(source), source, video.rate_hz, count, images, video.losses)
