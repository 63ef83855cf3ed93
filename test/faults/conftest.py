import pytest
import rclpy
from support.robot import TRUTH

from synthetic.fixed_network import write_network
from synthetic.scene import CAMERA, outputs

# So that failed assertions show their values.
pytest.register_assert_rewrite('support.node_under_test')


@pytest.fixture
def start_node(two_people_xml, tmp_path):
    """Start a pose node as a process, by default with the network that detects two people."""
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
    """The network that detects two people, which takes about 50 ms."""
    path = tmp_path_factory.mktemp('network') / 'slow.xml'
    return write_network(path, outputs(TRUTH, CAMERA), layers=3)
