"""The command `pose3d demo`, and the bundled clip that it plays."""
