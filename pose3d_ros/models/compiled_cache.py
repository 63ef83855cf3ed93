"""Compiled networks, kept between starts and checked before they are used.

OpenVINO reads back whatever lies in its cache folder. After a power cut or with a failing disk the
file has the right size and wrong bytes, and the network then detects people who are not there. So
each network has a folder of its own, named by a checksum of all that it was compiled from, with
the checksums of the files in it. A file that differs, or that has no checksum because a start was
interrupted, is deleted, and OpenVINO compiles the network again.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import functools
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

_LOG = logging.getLogger(__name__)
_DIGESTS = 'digests.json'
# Networks, sizes and OpenVINO versions that are kept; the least recently used go first.
MAX_FOLDERS = 16
# Free bytes below which a missing file is explained by a full disk; networks compile to less.
_LITTLE_SPACE_BYTES = 100 * 10**6


def cache_key(*parts: object) -> str:
    """Return the name of the folder for what a compiled network depends on."""
    return hashlib.sha256('\n'.join(map(str, parts)).encode()).hexdigest()[:32]


@contextlib.contextmanager
def verified_cache(root: str | os.PathLike[str] | None, key: str) -> Iterator[Path | None]:
    """Provide the cache folder of one network while it is compiled.

    Parameters
    ----------
    root
        Folder of all compiled networks; it is created. None: no cache.
    key
        Of `cache_key`.

    Yields
    ------
    A folder for OpenVINO's CACHE_DIR, in which all files are as they were written. None if there
    is no cache, if it cannot be used (a warning says why, once), or if another process compiles
    the same network at this moment.
    """
    with contextlib.ExitStack() as stack:
        folder = None if root is None else _prepare(Path(root), key, stack)
        yield folder
        if folder is not None:
            _seal(folder)
            _seal_later(folder)


def discard(folder: Path) -> None:
    """Delete the files of a network, with which OpenVINO fails."""
    _empty(folder)


def _prepare(root: Path, key: str, stack: contextlib.ExitStack) -> Path | None:
    """Lock the folder of a network and delete what is not as it was written."""
    folder = root / key
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not stack.enter_context(_lock(folder)):
            return None
        if not _is_intact(folder):
            _empty(folder)
        if not any(folder.iterdir()):
            _check_writable(folder)
            _remove_oldest(root, folder)
        with contextlib.suppress(OSError):  # the last use; a read-only cache is never cleaned
            os.utime(folder)
    except OSError as error:
        warn_once(f'compiled networks are not cached: {error}')
        return None
    return folder


@contextlib.contextmanager
def _lock(folder: Path) -> Iterator[bool]:
    """Hold the folder against other processes; False if one of them holds it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(descriptor)


def _is_intact(folder: Path) -> bool:
    """Return whether the files are exactly those that the checksums were taken of."""
    try:
        expected = json.loads((folder / _DIGESTS).read_text())
        return bool(expected == _digests(folder))
    except (OSError, ValueError):
        return False


def _digests(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.name != _DIGESTS
    }


def _seal(folder: Path) -> None:
    """Write the checksums of the files; if they cannot be written, keep no files."""
    new = folder / f'{_DIGESTS}.new'
    try:
        if _is_intact(folder):
            return
        digests = _digests(folder)
        if digests:
            new.write_text(json.dumps(digests, indent=1))
            new.replace(folder / _DIGESTS)
        elif shutil.disk_usage(folder).free < _LITTLE_SPACE_BYTES:
            # OpenVINO deletes what it could not write to its end.
            warn_once(f'compiled networks are not cached: {folder} is on a full disk')
    except OSError as error:
        # On a full disk the compiled network is cut short, too.
        with contextlib.suppress(OSError):
            _empty(folder)
        warn_once(f'compiled networks are not cached: {error}')


@functools.cache  # once for each folder
def _seal_later(folder: Path) -> None:
    """Seal a folder again at exit: with AUTO, a GPU compiles in the background."""
    atexit.register(_seal_at_exit, folder)


def _seal_at_exit(folder: Path) -> None:
    with contextlib.suppress(OSError), _lock(folder) as locked:
        if locked:
            _seal(folder)


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _check_writable(folder: Path) -> None:
    """Raise OSError unless a file can be written."""
    probe = folder / f'{_DIGESTS}.new'
    try:
        probe.write_text('{}')
    finally:
        probe.unlink(missing_ok=True)


def _remove_oldest(root: Path, kept: Path) -> None:
    """Delete the least recently used folders beyond MAX_FOLDERS."""
    others = [path.parent for path in root.glob(f'*/{_DIGESTS}') if path.parent != kept]
    others.sort(key=lambda folder: folder.stat().st_mtime)
    for folder in others[: max(0, len(others) + 1 - MAX_FOLDERS)]:
        with _lock(folder) as locked:
            if locked:
                shutil.rmtree(folder, ignore_errors=True)


@functools.cache
def warn_once(message: str) -> None:
    """Log a warning, the first time that the process has it."""
    _LOG.warning(message)
