"""From people in each image to people that keep their identity. No ROS, no network."""
