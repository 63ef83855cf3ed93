"""Keep OpenVINO's telemetry from starting.

Importing OpenVINO or NNCF with the package ``openvino_telemetry`` beside it looks up the host of a
web analytics service, starts a child process and writes an id into the home folder. A node on a
robot does none of this. Both libraries work without that package: here it is made unavailable
before they look for it. Set the environment variable POSE3D_TELEMETRY=1 to leave it alone.
"""

from __future__ import annotations

import os
import sys

VARIABLE = 'POSE3D_TELEMETRY'
_PACKAGE = 'openvino_telemetry'


def disable_telemetry() -> None:
    """Make ``import openvino_telemetry`` fail, unless it was imported before or is asked for."""
    if os.environ.get(VARIABLE, '0') in ('', '0') and _PACKAGE not in sys.modules:
        sys.modules[_PACKAGE] = None  # type: ignore[assignment]  # how `import` marks it missing
