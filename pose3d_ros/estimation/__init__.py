"""From an image to people in metres. Pure Python, no ROS."""
