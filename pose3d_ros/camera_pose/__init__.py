"""How a camera stands, from the people that it sees; no ROS, no OpenVINO."""
