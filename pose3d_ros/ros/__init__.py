"""Nodes and messages: the only folder that imports ROS."""
