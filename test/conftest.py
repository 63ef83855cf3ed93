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
