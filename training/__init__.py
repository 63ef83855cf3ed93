"""Training of the networks that the package brings along; not installed with it."""

import pose3d_ros as pose3d_ros  # first: it keeps the telemetry of OpenVINO from starting
