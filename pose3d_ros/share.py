"""Where files are that the package installs outside its Python modules."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def share(name: str) -> Path:
    """Return the path of a file that the package installs.

    Raises
    ------
    FileNotFoundError
        If it is not installed; names the folders.
    """
    prefixes = [*os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep), sys.prefix]
    files = [Path(prefix) / 'share' / 'pose3d_ros' / name for prefix in prefixes if prefix]
    for file in files:
        if file.is_file():
            return file
    raise FileNotFoundError(f'{name} is not installed; looked for {[str(f) for f in files]}')
