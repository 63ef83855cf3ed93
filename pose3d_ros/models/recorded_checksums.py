"""Checksums of networks whose publisher states none, as found at their first installation."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from pose3d_ros.models import ModelError

_FILE = 'checksums.json'


def digest_of(files: Mapping[str, bytes]) -> str:
    """Return the SHA-384 of a file, or of several files with their names."""
    if len(files) == 1:
        return hashlib.sha384(next(iter(files.values()))).hexdigest()
    listing = ''.join(
        f'{name} {hashlib.sha384(content).hexdigest()}\n'
        for name, content in sorted(files.items())
    )
    return hashlib.sha384(listing.encode()).hexdigest()


def recorded_checksum(folder: Path, key: str) -> str | None:
    """Return the checksum that was recorded; None if there is none yet.

    Parameters
    ----------
    folder
        Of installed networks.
    key
        Name and precision of the network.

    Raises
    ------
    ModelError
        If the records cannot be read.
    """
    return _read(folder).get(key)


def record_checksum(folder: Path, key: str, sha384: str) -> None:
    """Record the checksum of a network, to which later installations are held."""
    checksums = _read(folder) | {key: sha384}
    folder.mkdir(parents=True, exist_ok=True)
    new = folder / f'.{_FILE}.new'
    new.write_text(json.dumps(checksums, indent=2, sort_keys=True) + '\n')
    new.replace(folder / _FILE)


def _read(folder: Path) -> dict[str, str]:
    path = folder / _FILE
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ModelError(
            f'the recorded checksums in {path} cannot be read ({error}): '
            'mend the file, or delete it to record them anew'
        ) from error
    if not isinstance(found, dict) or not all(isinstance(v, str) for v in found.values()):
        raise ModelError(f'expected checksums by name in {path}; delete it to record them anew')
    return found
