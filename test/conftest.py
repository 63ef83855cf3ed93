import atexit
import os
import shutil
import tempfile
from pathlib import Path

import pytest

import pose3d_ros as pose3d_ros  # first: it keeps the telemetry of OpenVINO from starting

# Set before anything imports rclpy: tests communicate on this machine only.
os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
os.environ.setdefault('ROS_DOMAIN_ID', '77')

# No test reads or changes the user's cache, nor sees what another run left there.
os.environ['XDG_CACHE_HOME'] = tempfile.mkdtemp(prefix='pose3d_test_cache_')
atexit.register(shutil.rmtree, os.environ['XDG_CACHE_HOME'], ignore_errors=True)

TEST = Path(__file__).resolve().parent
# The folders in the order in which they run: fast tests first, so that most errors show early.
FOLDERS = ('unit', 'golden', 'launch', 'ros', 'faults')
# Not quick: they compile functions with numba for minutes, convert networks to 8 bits, and watch
# whole programs.
SLOW = (
    TEST / 'unit' / 'training',
    TEST / 'unit' / 'models' / 'test_quantise.py',
    TEST / 'unit' / 'models' / 'test_no_telemetry.py',
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the unit tests as `quick`, and run slow folders last."""
    for item in items:
        slow = any(item.path.is_relative_to(path) for path in SLOW)
        if _folder(item) == 'unit' and not slow:
            item.add_marker(pytest.mark.quick)
    items.sort(key=lambda item: FOLDERS.index(_folder(item)))


def _folder(item: pytest.Item) -> str:
    return item.path.resolve().relative_to(TEST).parts[0]


@pytest.fixture(scope='session')
def shared() -> Path:
    """Return the folder of real images, networks and reference outputs, or skip the test.

    It is not part of the project.
    """
    beside = TEST.parents[1] / 'shared'
    folder = Path(os.environ.get('POSE3D_SHARED', beside))
    if not (folder / 'data').is_dir():
        pytest.skip(f'needs the data folder {folder} (or the one that POSE3D_SHARED names)')
    return folder


@pytest.fixture(scope='session')
def two_people_xml(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a network that detects the same two people in every image except a black one.

    They are `scene.people_m((-0.5, 0.1, 3.0), (0.6, 0, 3.5))` in `scene.CAMERA`, whose images have
    the network's own size, 448 x 256.
    """
    from synthetic.fixed_network import write_network
    from synthetic.scene import CAMERA, outputs, people_m

    path = tmp_path_factory.mktemp('network') / 'two_people.xml'
    return write_network(path, outputs(people_m((-0.5, 0.1, 3.0), (0.6, 0, 3.5)), CAMERA))
