"""People drawn on images and in 3D."""
