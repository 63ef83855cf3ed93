import os
from pathlib import Path

import pytest

# Before anything imports rclpy: tests talk to nobody else.
os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
os.environ.setdefault('ROS_DOMAIN_ID', '77')


@pytest.fixture(scope='session')
def shared() -> Path:
    """Real images, networks and reference outputs, which are not part of the project."""
    beside = Path(__file__).resolve().parents[2] / 'shared'
    folder = Path(os.environ.get('POSE3D_SHARED', beside))
    if not (folder / 'data').is_dir():
        pytest.skip(f'needs the data folder {folder} (or the one that POSE3D_SHARED names)')
    return folder


@pytest.fixture(scope='session')
def two_people_xml(tmp_path_factory) -> Path:
    """A network that sees the same two people in every image but a black one.

    They are `scene.people_m((-0.5, 0.1, 3.0), (0.6, 0, 3.5))`, seen through `scene.CAMERA` by an
    image of the network's own size, 448 x 256.
    """
    from synthetic.fixed_network import write_network
    from synthetic.scene import CAMERA, outputs, people_m

    path = tmp_path_factory.mktemp('network') / 'two_people.xml'
    return write_network(path, outputs(people_m((-0.5, 0.1, 3.0), (0.6, 0, 3.5)), CAMERA))
