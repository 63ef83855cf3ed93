"""Commands that print the figures of the documents. Not installed with the package."""

import pose3d_ros as pose3d_ros  # first: it keeps the telemetry of OpenVINO from starting
