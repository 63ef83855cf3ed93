"""Ids, velocities, headings and smoothing of people over time. No ROS, no network."""
