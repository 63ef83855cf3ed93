import pytest
import rclpy
from support.robot import TRUTH

from synthetic.fixed_network import write_network
from synthetic.scene import CAMERA, outputs

# What it asserts is to be told in numbers.
pytest.register_assert_rewrite('outside')


@pytest.fixture
def outside(two_people_xml, tmp_path):
    """Start a pose node as a process, by default with the network that sees two people."""
    from support.node_under_test import NodeUnderTest

    made = []

    def make(model=two_people_xml, wait=True, **parameters):
        made.append(NodeUnderTest(model, tmp_path, **parameters))
        if wait:
            made[-1].ready()
        return made[-1]

    rclpy.init()
    yield make
    for one in made:
        one.close()
    rclpy.shutdown()


@pytest.fixture(scope='session')
def slow_xml(tmp_path_factory):
    """The network that sees two people, and takes some 50 ms for it."""
    path = tmp_path_factory.mktemp('network') / 'slow.xml'
    return write_network(path, outputs(TRUTH, CAMERA), layers=3)
