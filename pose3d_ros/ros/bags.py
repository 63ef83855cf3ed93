"""Recordings in bags (mcap and sqlite3), and bags of results, through the library rosbags."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from rclpy.serialization import deserialize_message, serialize_message
from rosbags.highlevel import AnyReader, AnyReaderError
from rosbags.interfaces import Connection
from rosbags.rosbag2 import StoragePlugin
from rosbags.rosbag2 import Writer as BagWriter
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from pose3d_ros.camera import Intrinsics
from pose3d_ros.images import Observation
from pose3d_ros.offline.recording import CameraOptions, Processed, Recording, Taken, input_name
from pose3d_ros.ros.camera_pose import pose_from_transform
from pose3d_ros.ros.messages.camera_info import Calibration
from pose3d_ros.ros.messages.images import ImageError, read_camera_image, seconds
from pose3d_ros.ros.messages.markers import marker_array
from pose3d_ros.ros.messages.people_cloud import people_cloud
from pose3d_ros.ros.messages.pose_array import pose_array_cdr
from pose3d_ros.ros.messages.transforms import PeopleInFrame
from pose3d_ros.ros.recorded_transforms import (
    STATIC_TOPIC,
    TF_TOPIC,
    TF_TYPE,
    RecordedTransforms,
    Sample,
    samples,
)
from pose3d_ros.ros.transforms import FrameError
from pose3d_ros.share import share
from pose3d_ros.sources.calibration import read_calibration
from pose3d_ros.sources.video import Losses, VideoError
from pose3d_ros.visualisation.perspective import LEVEL
from pose3d_ros.wording import counted

IMAGE_TYPES: dict[str, Any] = {
    'sensor_msgs/msg/Image': Image,
    'sensor_msgs/msg/CompressedImage': CompressedImage,
}
INFO_TYPE = 'sensor_msgs/msg/CameraInfo'
# Topics of these names hold distances, not pictures, unless they are asked for.
NOT_PICTURES = ('depth', 'disparity', 'compressedDepth')
# Version of rosbag2's metadata; Jazzy writes 9.
METADATA_VERSION: Any = 9
# Errors of rosbags on damaged files, and of rclpy on damaged messages.
BAG_ERRORS = (AnyReaderError, OSError, ValueError, KeyError, RuntimeError, AssertionError)


def open_bag(
    path: Path,
    options: CameraOptions,
    topics: list[str],
    warn: Callable[[str], object],
) -> list[Recording]:
    """Open every camera of a bag.

    Parameters
    ----------
    path
        A folder with metadata.yaml, or an .mcap or .db3 file.
    options
        Focal length and calibration file stand in for CameraInfo.
    topics
        Of images. []: all of them; of images that were recorded raw and compressed, the raw ones.
    warn
        Called with a sentence for each image that cannot be read.

    Raises
    ------
    VideoError
        If the bag cannot be read or has no such topic.
    """
    try:
        with _reader(path) as reader:
            found = {c.topic: c for c in reader.connections if c.msgtype in IMAGE_TYPES}
            bases = {topic: _base(connection) for topic, connection in found.items()}
            infos = {c.topic for c in reader.connections if c.msgtype == INFO_TYPE}
            duration_s = 1e-9 * reader.duration
    except BAG_ERRORS as error:
        raise VideoError(
            f'{path} is not a bag that can be read: {error}; if the recording was cut off, '
            '`ros2 bag reindex` or `mcap recover` may repair it'
        ) from error
    pictures = [t for t in found if not any(word in t for word in NOT_PICTURES)]
    chosen = topics or [t for t in pictures if bases[t] == t or bases[t] not in found]
    missing = [topic for topic in chosen if topic not in found]
    if missing or not chosen:
        raise VideoError(
            f'{path} has no images on {", ".join(missing) or "any topic"}, found them on: '
            f'{", ".join(found) or "none"}'
        )
    recordings = []
    for topic in chosen:
        base = bases[topic]
        info = f'{base.rpartition("/")[0]}/camera_info'
        # Both that a camera publishes may have been asked for.
        named = topic if base in chosen else base
        camera = _BagCamera(path, topic, info if info in infos else '', options, warn)
        count = found[topic].msgcount
        recordings.append(
            Recording(
                f'{input_name(str(path))}{named.replace("/", "-")}',
                str(path),
                count / duration_s if duration_s > 0 else 30.0,
                count,
                camera.images,
                camera.losses,
                topic,
            )
        )
    return recordings


class _BagCamera:
    """One topic of images in a bag, with its CameraInfo."""

    def __init__(
        self,
        path: Path,
        topic: str,
        info_topic: str,
        options: CameraOptions,
        warn: Callable[[str], object],
    ) -> None:
        self.path, self.topics, self.options, self.warn = path, (topic, info_topic), options, warn
        self.losses = Losses()
        self.without_pose = 0
        self.damaged_tf_ns: set[int] = set()

    def images(self) -> Generator[Taken, None, None]:
        """Return the images in the order of the bag."""
        options = self.options
        calibration = Calibration(options.focal_length_px)
        stated = read_calibration(options.calibration_file) if options.calibration_file else None
        if stated and stated.note:
            self.warn(f'{options.calibration_file}: {stated.note}')
        left_out = 0
        try:
            transforms = RecordedTransforms(self._sent) if options.gravity_frame else None
            with _reader(self.path) as reader:
                connections = [c for c in reader.connections if c.topic in self.topics]
                if info := self._first_info(reader, connections):
                    calibration.update(info)
                for connection, recorded_ns, raw in reader.messages(connections):
                    message = self._message(connection, raw)
                    if isinstance(message, CameraInfo):
                        calibration.update(message)
                    elif message is not None and left_out < options.skip:
                        left_out += 1
                    elif message is not None:
                        known = stated.intrinsics if stated else None
                        for taken in self._taken(message, calibration, known, recorded_ns):
                            yield self._with_pose(taken, transforms) if transforms else taken
            if self.without_pose:
                images = counted(self.without_pose, 'image')
                self.warn(f'{self.path}: pose of the camera unknown at {images}')
        except BAG_ERRORS as error:
            self.losses.damaged += 1
            self.warn(f'{self.path} ends early: {error}')

    def _taken(
        self, message: Any, calibration: Calibration, known: Intrinsics | None, recorded_ns: int
    ) -> Generator[Taken, None, None]:
        try:
            image, _ = read_camera_image(message, calibration)
        except ImageError as error:
            self.losses.damaged += 1
            self.warn(f'{self.path}: an image on {self.topics[0]} is left out: {error}')
            return
        if known is not None:
            image = type(image)(image.bgr, known)
        stamp_s = seconds(message.header.stamp)
        yield Taken(Observation(image, stamp_s, self.options.pose), message, recorded_ns)

    def _with_pose(self, taken: Taken, transforms: RecordedTransforms) -> Taken:
        """Return an image with attitude and height of the camera by TF, as in the node."""
        header = taken.message.header
        try:
            found = transforms.find(self.options.gravity_frame, header.frame_id, header.stamp)
            pose = pose_from_transform(found)
        except FrameError as error:
            if not self.without_pose:
                self.warn(f'{self.path}: camera attitude and height unknown: {error}')
            self.without_pose += 1
            return taken
        return taken._replace(observation=replace(taken.observation, camera_pose=pose))

    def _sent(self) -> Iterator[Sample]:
        """Read the TF of the bag."""
        with _reader(self.path) as reader:
            connections = [
                c
                for c in reader.connections
                if c.msgtype == TF_TYPE and c.topic.endswith((TF_TOPIC, STATIC_TOPIC))
            ]
            if not connections:
                return
            for connection, recorded_ns, raw in reader.messages(connections):
                try:
                    message = reader.deserialize(raw, connection.msgtype)
                except Exception as error:  # whatever rosbags raises on damaged bytes
                    if recorded_ns not in self.damaged_tf_ns:  # it may be read twice
                        self.damaged_tf_ns.add(recorded_ns)
                        self._leave_out(connection, error)
                    continue
                yield from samples(connection.topic, message)

    def _first_info(self, reader: AnyReader, connections: list[Connection]) -> CameraInfo | None:
        """Return the first CameraInfo: images may be recorded before it."""
        infos = [c for c in connections if c.msgtype == INFO_TYPE]
        for connection, _, raw in reader.messages(infos) if infos else ():
            return self._message(connection, raw)
        return None

    def _message(self, connection: Connection, raw: bytes) -> Any:
        """Return a message of ROS; None, counted, for one that is damaged."""
        kind = IMAGE_TYPES.get(connection.msgtype, CameraInfo)
        try:
            return deserialize_message(raw, kind)
        except Exception as error:  # RMWError, and whatever else a middleware raises
            self._leave_out(connection, error)
            return None

    def _leave_out(self, connection: Connection, error: Exception) -> None:
        self.losses.damaged += 1
        self.warn(f'{self.path}: a message on {connection.topic} is left out: {error}')


class McapWriter:
    """Writes a bag poses/ (mcap) with poses, markers and people_cloud on the images' stamps.

    Parameters
    ----------
    folder
        An existing folder.
    topic
        Of the images: results are beside it, as those of the pose node are.
    """

    def __init__(self, folder: Path, topic: str) -> None:
        target = folder / 'poses'
        if target.exists():  # of a run that was interrupted
            for path in target.iterdir():
                path.unlink()
            target.rmdir()
        self.bag = BagWriter(target, version=METADATA_VERSION, storage_plugin=StoragePlugin.MCAP)
        self.bag.open()
        store = get_typestore(Stores.ROS2_JAZZY)
        definitions: dict[str, Any] = {}
        for file in share('msg/PoseArray3D.msg').parent.glob('*.msg'):
            definitions |= get_types_from_msg(file.read_text(), f'pose3d_ros/msg/{file.stem}')
        store.register(definitions)
        base = topic.removesuffix('/compressed').rpartition('/')[0]
        self.poses, self.markers, self.cloud = (
            self.bag.add_connection(f'{base}/{name}', kind, typestore=store)
            for name, kind in (
                ('poses', 'pose3d_ros/msg/PoseArray3D'),
                ('markers', 'visualization_msgs/msg/MarkerArray'),
                ('people_cloud', 'sensor_msgs/msg/PointCloud2'),
            )
        )

    def write(self, processed: Processed) -> None:
        """Write the messages of an image, at the time at which it was recorded."""
        taken, header = processed.taken, processed.taken.message.header
        observation = taken.observation
        poses = pose_array_cdr(
            processed.tracked,
            header,
            observation.image.intrinsics,
            processed.camera_pose,
            processed.camera_pose_source,
        )
        self.bag.write(self.poses, taken.recorded_ns, poses)
        people = PeopleInFrame(processed.tracked, header, LEVEL)
        for connection, message in (
            (self.markers, marker_array(people)),
            (self.cloud, people_cloud(people)),
        ):
            self.bag.write(connection, taken.recorded_ns, serialize_message(message))

    def close(self) -> None:
        """Finish the bag."""
        self.bag.close()


def _base(connection: Connection) -> str:
    """Return the base topic of images: compressed ones are below it, as in image_transport."""
    compressed = connection.msgtype.endswith('CompressedImage')
    return connection.topic.rpartition('/')[0] if compressed else connection.topic


def _reader(path: Path) -> AnyReader:
    return AnyReader([path], default_typestore=get_typestore(Stores.ROS2_JAZZY))
