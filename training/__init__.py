"""Train the bundled networks and render the bundled clip; not installed."""

import pose3d_ros as pose3d_ros  # first: it keeps the telemetry of OpenVINO from starting
