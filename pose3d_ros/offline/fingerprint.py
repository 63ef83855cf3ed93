"""Fingerprints of files: whether a recording is to be processed again depends on them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pose3d_ros.sources.calibration import resolve


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file; '' where there is none that can be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ''


def calibration_sha256(address: str) -> str:
    """Return the SHA-256 of a calibration file, by its address; '' without one."""
    try:
        return file_sha256(resolve(address)) if address else ''
    except ValueError:  # no such package: reported when the file is read
        return ''


def source_state(path: Path) -> str:
    """Return a fingerprint of a recording that does not need all of it to be read.

    Of the names, sizes and times of modification of a file, or of the files in a folder. A file
    that was touched counts as changed.
    """
    files = [path] if path.is_file() else sorted(path.glob('*'))
    digest = hashlib.sha256()
    for file in files:
        if file.is_file():
            stat = file.stat()
            digest.update(f'{file.name} {stat.st_size} {stat.st_mtime_ns}\n'.encode())
    return digest.hexdigest()
