"""Scenes and networks with known truth, for tests, benchmarks and training."""

import pose3d_ros as pose3d_ros  # first: it keeps the telemetry of OpenVINO from starting
