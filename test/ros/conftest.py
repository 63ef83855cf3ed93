import pytest
import rclpy
from robot import Robot


@pytest.fixture
def robot(two_people_xml):
    robots = []

    def make(*args, model=two_people_xml, **parameters):
        robots.append(Robot(model, *args, **parameters))
        return robots[-1]

    rclpy.init()
    yield make
    for made in robots:
        made.close()
    rclpy.shutdown()
