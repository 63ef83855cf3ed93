"""3D poses corrected by a registered depth image."""
