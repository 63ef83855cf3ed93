"""Conversion between ROS messages and the data types of the package."""
