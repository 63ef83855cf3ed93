"""Download a file, and resume a download that was interrupted."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pose3d_ros.models import ModelError

Progress = Callable[[int, 'int | None'], None]
"""Called with the number of bytes so far and in total (None: unknown)."""

ATTEMPTS = 5
# Longest wait for the next bytes, and pause between attempts.
TIMEOUT_S = 30.0
PAUSE_S = 1.0
_BLOCK_BYTES = 1 << 16


def download(address: str, part: Path, size: int | None, largest: int, progress: Progress) -> None:
    """Complete a file from an address.

    Parameters
    ----------
    address
        http or https.
    part
        The file. Bytes that it has already are not fetched again if the server can resume.
    size
        Number of bytes that it must have. None: as many as the server states.
    largest
        Largest number of bytes that is accepted.
    progress
        Called after every block.

    Raises
    ------
    ModelError
        If the server has no such file, or one of another size, or if ATTEMPTS connections failed.
        The bytes that have arrived are kept, and the next call resumes from there.
    """
    if not address.startswith(('http://', 'https://')):
        raise ModelError(
            f'expected an address that begins with http:// or https://, found {address!r}'
        )
    if size is not None and _size(part) > size:
        part.unlink()
    error: Exception | None = None
    for attempt in range(ATTEMPTS):
        if size is not None and _size(part) == size:
            return
        if attempt:
            time.sleep(PAUSE_S)
        try:
            if _fetch(address, part, size, largest, progress):
                return
            error = EOFError(f'the connection closed after {_size(part)} bytes')
        except urllib.error.HTTPError as response:
            _handle_status(response, address, part)
            error = response
        except (OSError, http.client.HTTPException) as failure:
            error = failure
    raise ModelError(
        f'download of {address} failed {ATTEMPTS} times, the last time: {error}'
    ) from error


def _handle_status(response: urllib.error.HTTPError, address: str, part: Path) -> None:
    """Prepare the next attempt after an error of the server; ModelError if there is no use."""
    if response.code == 416 and _size(part):  # no bytes after these: start again
        part.unlink()
    elif response.code < 500:
        raise ModelError(
            f'the server of {address} responds with {response.code} {response.reason}'
        ) from response


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _fetch(address: str, part: Path, size: int | None, largest: int, progress: Progress) -> bool:
    """Fetch the rest of a file; return False if the connection closed before its end."""
    have = _size(part)
    headers = {'User-Agent': 'pose3d_ros', 'Accept-Encoding': 'identity'}
    if have:
        headers['Range'] = f'bytes={have}-'
    request = urllib.request.Request(address, headers=headers)
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
        if have and not (
            response.status == 206
            and response.headers.get('Content-Range', '').startswith(f'bytes {have}-')
        ):
            have = 0  # the server sends all of it
        length = response.headers.get('Content-Length', '')
        total = have + int(length) if length.isdigit() else size
        if size is not None and total != size:
            raise ModelError(f'{address} has {total} bytes, expected {size}')
        if (total or 0) > largest:
            raise ModelError(f'{address} has {total} bytes, more than {largest}')
        part.parent.mkdir(parents=True, exist_ok=True)
        with part.open('ab' if have else 'wb') as file:
            have = _copy(response, file, have, total, largest, progress)
    return total is None or have == total


def _copy(
    response: Any, file: Any, have: int, total: int | None, largest: int, progress: Progress
) -> int:
    progress(have, total)
    while block := response.read(_BLOCK_BYTES):
        file.write(block)
        have += len(block)
        if have > (largest if total is None else total):
            raise ModelError(
                f'the server sent {have} bytes, more than the {total or largest} expected'
            )
        progress(have, total)
    return have
