"""Bags written here with rosbags, processed, and read back with it."""

import argparse
import json

import cv2
import numpy as np
import pytest
from rclpy.serialization import deserialize_message, serialize_message
from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from pose3d_ros.camera import CameraPose, Intrinsics, IntrinsicsSource
from pose3d_ros.estimator import PoseEstimator
from pose3d_ros.images import CameraImage, Observation
from pose3d_ros.msg import PoseArray3D
from pose3d_ros.offline import command
from pose3d_ros.offline.recording import CameraOptions
from pose3d_ros.pipeline import Pipeline
from pose3d_ros.ros.bags import McapWriter, open_bag
from pose3d_ros.ros.messages.camera_info import camera_info_msg
from pose3d_ros.ros.messages.images import image_msg, seconds
from pose3d_ros.ros.messages.people import tracked_people

COUNT = 12
CAMERA = Intrinsics.centred(420.0, 448, 256, IntrinsicsSource.CAMERA_INFO)
BAGS = {
    'mcap': (StoragePlugin.MCAP, False),
    'sqlite3': (StoragePlugin.SQLITE3, False),
    'compressed': (StoragePlugin.MCAP, True),
}


def grey(number):
    return np.full((256, 448, 3), 90 + number, np.uint8)


def header(number):
    stamped = Header(frame_id='front_optical')
    stamped.stamp.sec, stamped.stamp.nanosec = 1000, number * 50_000_000
    return stamped


def write_bag(path, plugin, compressed, broken=(), *, tf=False):
    """Write COUNT images at 20 Hz, each before its CameraInfo, recorded 30 ms late."""
    store = get_typestore(Stores.ROS2_JAZZY)
    kind = 'CompressedImage' if compressed else 'Image'
    topic = '/front/image_raw' + ('/compressed' if compressed else '')
    with Writer(path, version=9, storage_plugin=plugin) as bag:
        images = bag.add_connection(topic, f'sensor_msgs/msg/{kind}', typestore=store)
        infos = bag.add_connection(
            '/front/camera_info', 'sensor_msgs/msg/CameraInfo', typestore=store
        )
        for i in range(COUNT):
            message = image_msg(grey(i), header(i))
            if compressed:
                data = cv2.imencode('.png', grey(i))[1].tobytes()
                message = CompressedImage(header=header(i), format='png', data=data)
            if i in broken:
                message.data = message.data[:10]
            at_ns = 10**12 + i * 50_000_000 + 30_000_000
            bag.write(images, at_ns, serialize_message(message))
            info = camera_info_msg(CAMERA, 448, 256, header(i))
            bag.write(infos, at_ns + 1, serialize_message(info))
        if tf:
            write_tf(bag, store)
    return path


# The neck of the robot moves: when a transform is sent, s from the first image on. Images 9 to 11
# are later.
TF_S = np.arange(-1, 5) * 0.1 + 0.02


def neck_at(time_s):
    """Return height, m, and pitch, rad: down is positive."""
    return 1.2 + 0.1 * time_s, 0.1 + 0.4 * time_s


def camera_pose_at(time_s):
    height_m, pitch_rad = neck_at(time_s)
    c, s = np.cos(pitch_rad), np.sin(pitch_rad)
    return CameraPose(np.array([0, -c, -s]), height_m - 0.1 * s + 0.05 * c)


def write_tf(bag, store):
    """Write base_footprint -> neck, which moves, and neck -> front_optical, which is static."""
    kind = 'tf2_msgs/msg/TFMessage'
    types = {name.rpartition('/')[2]: store.types[name] for name in store.types}

    def message(parent, child, stamp_ns, xyz, xyzw):
        stamp = types['Time'](sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
        stamped = types['TransformStamped'](
            header=types['Header'](stamp=stamp, frame_id=parent),
            child_frame_id=child,
            transform=types['Transform'](
                translation=types['Vector3'](*xyz), rotation=types['Quaternion'](*xyzw)
            ),
        )
        return store.serialize_cdr(types['TFMessage'](transforms=[stamped]), kind)

    static = bag.add_connection('/tf_static', kind, typestore=store)
    optical = message('neck', 'front_optical', 0, (0.1, 0.0, 0.05), (-0.5, 0.5, -0.5, 0.5))
    bag.write(static, 10**12, optical)
    moving = bag.add_connection('/tf', kind, typestore=store)
    for time_s in TF_S.tolist():
        height_m, pitch_rad = neck_at(time_s)
        turn = (0.0, np.sin(pitch_rad / 2), 0.0, np.cos(pitch_rad / 2))
        stamp_ns = 10**12 + round(time_s * 1e9)
        raw = message('base_footprint', 'neck', stamp_ns, (0.0, 0.0, height_m), turn)
        bag.write(moving, 10**12 + round(time_s * 1e9) + 10**8, raw)


@pytest.fixture
def run(tmp_path, two_people_xml):
    def run_command(*arguments):
        parser = argparse.ArgumentParser()
        command.add_arguments(parser)
        line = [*map(str, arguments), '--out', str(tmp_path / 'out'), '--device', 'CPU']
        line += ['--model', str(two_people_xml), '--precision', 'f32', '--write', 'jsonl,mcap']
        return command.run(parser.parse_args(line), command.BagFormat(open_bag, McapWriter))

    return run_command


def read_back(folder):
    """Return the recorded times and messages of the results, by topic."""
    found = {}
    with AnyReader([folder]) as reader:
        for connection, recorded_ns, raw in reader.messages():
            found.setdefault(connection.topic, []).append((recorded_ns, bytes(raw)))
    return found


@pytest.mark.parametrize('kind', BAGS)
def test_results_are_on_the_stamps_of_the_images_and_those_of_the_pipeline(
    run, tmp_path, two_people_xml, kind
):
    assert run(write_bag(tmp_path / 'drive', *BAGS[kind])) == 0
    out = tmp_path / 'out' / 'drive-front-image_raw'
    images = [json.loads(line) for line in (out / 'poses.jsonl').read_text().splitlines()]
    assert [one['stamp_s'] for one in images] == [seconds(header(i).stamp) for i in range(COUNT)]
    assert {one['intrinsics']['fx_px'] for one in images} == {420.0}
    found = read_back(out / 'poses')
    assert set(found) == {'/front/poses', '/front/markers', '/front/people_cloud'}
    assert {len(messages) for messages in found.values()} == {COUNT}
    pipeline = Pipeline(PoseEstimator(two_people_xml, 'CPU', precision='f32'))
    for i, (recorded_ns, raw) in enumerate(found['/front/poses']):
        poses = deserialize_message(raw, PoseArray3D)
        assert recorded_ns == 10**12 + i * 50_000_000 + 30_000_000
        assert (poses.header, poses.intrinsics_source) == (header(i), PoseArray3D.CAMERA_INFO)
        image = CameraImage(grey(i), CAMERA)
        expected = pipeline.process(Observation(image, seconds(header(i).stamp)))
        received = tracked_people(poses)
        np.testing.assert_array_equal(received.people.xyz_m, expected.people.xyz_m)
        np.testing.assert_array_equal(received.track_id, expected.track_id)
        np.testing.assert_array_equal(received.state, expected.state)
    assert i == COUNT - 1


def test_results_can_be_read_by_a_library_that_does_not_know_our_messages(run, tmp_path):
    """The definitions are in the bag."""
    assert run(write_bag(tmp_path / 'drive', *BAGS['mcap'])) == 0
    with AnyReader([tmp_path / 'out/drive-front-image_raw/poses']) as reader:
        (poses,) = [c for c in reader.connections if c.topic == '/front/poses']
        messages = [reader.deserialize(raw, c.msgtype) for c, _, raw in reader.messages([poses])]
    assert [len(message.poses) for message in messages] == [2] * COUNT
    assert len(messages[0].poses[0].keypoints) == 19


def test_tf_gives_the_pose_of_the_camera_at_each_image(run, tmp_path, two_people_xml, capsys):
    bag = write_bag(tmp_path / 'drive', *BAGS['mcap'], tf=True)
    assert run(bag, '--gravity-frame', 'base_footprint') == 0
    out = tmp_path / 'out' / 'drive-front-image_raw'
    images = [json.loads(line) for line in (out / 'poses.jsonl').read_text().splitlines()]
    pipeline = Pipeline(PoseEstimator(two_people_xml, 'CPU', precision='f32'))
    found = [
        deserialize_message(raw, PoseArray3D)
        for _, raw in read_back(out / 'poses')['/front/poses']
    ]
    for i, image in enumerate(images):
        time_s = i * 0.05
        pose = camera_pose_at(time_s) if time_s <= TF_S[-1] else None
        if pose:
            assert image['camera_pose']['source'] == 'GIVEN'
            np.testing.assert_allclose(image['camera_pose']['up'], pose.up, atol=1e-9)
            np.testing.assert_allclose(image['camera_pose']['height_m'], pose.height_m)
        seen = CameraImage(grey(i), CAMERA)
        expected = pipeline.process(Observation(seen, seconds(header(i).stamp), pose))
        xyz_m = tracked_people(found[i]).people.xyz_m
        np.testing.assert_allclose(xyz_m, expected.people.xyz_m, atol=1e-6)
    written = capsys.readouterr().err
    assert "no transform from 'front_optical' to 'base_footprint' at 1000.45" in written
    assert 'pose of the camera unknown at 3 images' in written


def test_images_that_were_recorded_raw_and_compressed_are_processed_once(tmp_path):
    store = get_typestore(Stores.ROS2_JAZZY)
    with Writer(tmp_path / 'drive', version=9, storage_plugin=StoragePlugin.MCAP) as bag:
        for topic, kind in (
            ('/front/image_raw/compressed', 'CompressedImage'),
            ('/front/image_raw', 'Image'),
            ('/rear/image_raw/compressed', 'CompressedImage'),
        ):
            connection = bag.add_connection(topic, f'sensor_msgs/msg/{kind}', typestore=store)
            message = CompressedImage() if kind == 'CompressedImage' else Image()
            bag.write(connection, 10**12, serialize_message(message))

    def found(*topics):
        opened = open_bag(tmp_path / 'drive', CameraOptions(), list(topics), print)
        return {recording.name: recording.topic for recording in opened}

    assert found() == {
        'drive-front-image_raw': '/front/image_raw',
        'drive-rear-image_raw': '/rear/image_raw/compressed',
    }
    # Asked for both, neither takes the folder of the other.
    assert found('/front/image_raw', '/front/image_raw/compressed') == {
        'drive-front-image_raw': '/front/image_raw',
        'drive-front-image_raw-compressed': '/front/image_raw/compressed',
    }


def test_damaged_images_are_left_out_and_counted(run, tmp_path, capsys):
    assert run(write_bag(tmp_path / 'drive', *BAGS['compressed'], broken=(3, 4))) == 1
    lines = (tmp_path / 'out/drive-front-image_raw/poses.jsonl').read_text().splitlines()
    assert len(lines) == COUNT - 2
    assert '2 damaged packets or files skipped' in capsys.readouterr().err


def test_bags_that_cannot_be_used_are_named(run, tmp_path, capsys):
    bag = write_bag(tmp_path / 'drive', *BAGS['mcap'])
    assert run(bag, '--topic', '/rear/image_raw') == 1
    assert 'found them on: /front/image_raw' in capsys.readouterr().err
    (bag / 'drive.mcap').write_bytes(b'no bag')
    assert run(bag) == 1
    assert 'drive' in capsys.readouterr().err


def test_how_to_repair_a_recording_that_was_cut_off_is_told(run, tmp_path, capsys):
    path = tmp_path / 'cut.mcap'
    path.write_bytes(b'\x89MCAP0\r\n' + bytes(100))
    assert run(path) == 1
    assert 'mcap recover' in capsys.readouterr().err
