"""Create the folder that a command writes its results into."""

from __future__ import annotations

import os
from pathlib import Path


def make_output_folder(folder: Path) -> str:
    """Create a folder and those above it, and return why it cannot be written, or ''."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return f'the output folder {folder} cannot be made: {error.strerror}'
    if not os.access(folder, os.W_OK | os.X_OK):
        return f'the output folder {folder} cannot be written'
    return ''
