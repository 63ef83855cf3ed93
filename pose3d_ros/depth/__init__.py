"""Correct 3D poses with a registered depth image."""
