"""Points along the bodies of people, read back by the offsets that the message states."""

import numpy as np
import pytest
from sensor_msgs.msg import PointCloud2
from support.people import STANDING_M, scene
from support.robot import BLACK, GREY, TRUTH, camera_info, header

from pose3d_ros.people import TrackedPeople
from pose3d_ros.ros.camera_stream import UP
from pose3d_ros.ros.messages.images import image_msg
from pose3d_ros.ros.messages.people_cloud import LINES, MAX_POINTS_OF_LINE, people_cloud
from pose3d_ros.ros.messages.transforms import PeopleInFrame
from pose3d_ros.skeleton import PANOPTIC19

# Types of fields, as the definition of sensor_msgs/PointField states them.
TYPES = {2: 'u1', 5: '<i4', 7: '<f4'}
LEFT_WRIST, LEFT_ELBOW = PANOPTIC19.index('left_wrist'), PANOPTIC19.index('left_elbow')


def read(cloud):
    """Return the fields of a cloud, each read on its own at its offset."""
    assert not cloud.is_bigendian
    assert len(cloud.data) == cloud.height * cloud.row_step
    assert cloud.row_step == cloud.width * cloud.point_step
    data = bytes(cloud.data)
    return {
        field.name: np.array(
            [
                np.frombuffer(data, TYPES[field.datatype], 1, start + field.offset)[0]
                for start in range(0, len(data), cloud.point_step)
            ]
        )
        for field in cloud.fields
    }


def positions(points):
    return np.stack([points[axis] for axis in 'xyz'], axis=-1)


def cloud_of(people_3d, track_ids):
    n = len(people_3d)
    tracked = TrackedPeople(people_3d, np.array(track_ids), np.ones(n, np.uint8), np.zeros(n))
    return people_cloud(PeopleInFrame(tracked, header(7), UP))


def to_segment_m(points, start, end):
    """Return the distances of points ``(P, 3)`` to a line segment."""
    along = end - start
    share = ((points - start) @ along / (along @ along)).clip(0, 1)
    return np.linalg.norm(points - start - share[:, None] * along, axis=1)


def test_points_lie_on_the_limbs_without_gaps():
    """Neighbouring points of a limb are less than 0.1 m apart; those of a forearm 35 mm."""
    points = read(cloud_of(scene([(0, 0, 4)]), [3]))
    xyz, body = positions(points), STANDING_M + np.array([0, 0, 4])
    nearest = np.min([to_segment_m(xyz, *body[line]) for line in LINES], axis=0)
    np.testing.assert_allclose(nearest, 0, atol=1e-6)
    for start, end, largest_m in [
        *((*body[line], 0.1) for line in LINES),
        (body[LEFT_ELBOW], body[LEFT_WRIST], 0.035),
    ]:
        steps = start + np.linspace(0, 1, 100)[:, None] * (end - start)
        gaps = np.linalg.norm(steps[:, None] - xyz, axis=2).min(axis=1)
        assert gaps.max() <= largest_m / 2 + 1e-6


def read_by_pypcd4(cloud):
    reader = pytest.importorskip('pypcd4', reason='needs pypcd4')
    return reader.PointCloud.from_msg(cloud).pc_data


def read_by_sensor_msgs_py(cloud):
    reader = pytest.importorskip('sensor_msgs_py.point_cloud2', reason='needs sensor_msgs_py')
    return reader.read_points(cloud)


@pytest.mark.parametrize('read_it', [read_by_pypcd4, read_by_sensor_msgs_py])
def test_readers_of_others_read_the_same(read_it):
    cloud = cloud_of(scene([(-1.5, 0, 4), (1.5, 0, 4)]), [3, 8])
    points = read_it(cloud)
    assert len(points) == cloud.width
    for name, values in read(cloud).items():
        np.testing.assert_array_equal(np.ravel(points[name]), values)


def test_every_point_states_person_keypoint_and_score():
    people = scene([(-1.5, 0, 4), (1.5, 0, 4)])
    people.people_2d.scores[1, LEFT_WRIST] = 0.25
    points = read(cloud_of(people, [3, 8]))
    np.testing.assert_array_equal(points['track_id'], np.where(points['x'] < 0, 3, 8))
    wrist = (points['track_id'] == 8) & (points['keypoint'] == LEFT_WRIST)
    assert wrist.any()
    np.testing.assert_array_equal(points['score'][wrist], 0.25)
    away = positions(points)[wrist] - people.xyz_m[1, LEFT_WRIST]
    forearm_m = np.linalg.norm(people.xyz_m[1, LEFT_WRIST] - people.xyz_m[1, LEFT_ELBOW])
    assert np.linalg.norm(away, axis=1).max() <= forearm_m / 2 + 1e-6


def test_lines_to_unknown_keypoints_are_left_out():
    people = scene([(0, 0, 4)])
    whole = read(cloud_of(people, [0]))
    people.xyz_m[0, LEFT_WRIST] = np.nan
    part = read(cloud_of(people, [0]))
    xyz = positions(part)
    assert np.isfinite(xyz).all()
    assert LEFT_WRIST not in part['keypoint']
    assert 0 < len(xyz) < len(whole['x'])


@pytest.mark.parametrize('places', [[], [(np.nan, np.nan, np.nan)]])
def test_without_people_the_cloud_is_empty_and_complete(places):
    cloud = cloud_of(scene(places), list(range(len(places))))
    assert (cloud.width, cloud.height, cloud.header) == (0, 1, header(7))
    assert [f.name for f in cloud.fields] == ['x', 'y', 'z', 'track_id', 'keypoint', 'score']


def test_a_wrong_pose_does_not_fill_the_message():
    people = scene([(0, 0, 4)])
    people.xyz_m[0, LEFT_WRIST] = 1e6
    assert cloud_of(people, [0]).width < (MAX_POINTS_OF_LINE + 1) * len(LINES)


def test_cloud_of_the_node(robot):
    """A subscriber of the cloud alone is enough; an image without people has an empty cloud."""
    r = robot((PointCloud2,))
    r.calibrate(camera_info())
    r.send(image_msg(GREY, header(7)))
    r.spin_until(lambda: r.received[PointCloud2])
    (cloud,) = r.received[PointCloud2]
    assert cloud.header == header(7)
    xyz = positions(read(cloud))
    np.testing.assert_allclose(xyz.min(axis=0), TRUTH.min((0, 1)), atol=0.05)
    np.testing.assert_allclose(xyz.max(axis=0), TRUTH.max((0, 1)), atol=0.05)
    r.send(image_msg(BLACK, header(8)))
    r.spin_until(lambda: len(r.received[PointCloud2]) == 2)
    assert r.received[PointCloud2][1].width == 0


def test_cloud_in_the_frame_of_the_robot(robot, set_transform):
    r = robot((PointCloud2,), target_frame='base_link')
    r.calibrate(camera_info())
    set_transform(r, 12, x=0.25)
    r.send(image_msg(GREY, header(12)))
    r.spin_until(lambda: r.received[PointCloud2])
    (cloud,) = r.received[PointCloud2]
    assert cloud.header == header(12, frame='base_link')
    x, y, z = np.moveaxis(TRUTH, -1, 0)
    expected = np.stack([z + 0.25, -x, 1.2 - y], axis=-1)
    np.testing.assert_allclose(positions(read(cloud)).min(axis=0), expected.min((0, 1)), atol=0.05)
