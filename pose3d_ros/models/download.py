"""Download a file, going on where a broken download stopped."""

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
"""Called with the bytes that are there and the bytes that there will be (None: unknown)."""

ATTEMPTS = 5
TIMEOUT_S = 30.0
PAUSE_S = 1.0
_BLOCK = 1 << 16


def download(address: str, part: Path, size: int | None, largest: int, progress: Progress) -> None:
    """Complete a file from an address.

    Parameters
    ----------
    address
        http or https.
    part
        The file; what is in it already is not fetched again where the server can go on from there.
    size
        Bytes that it must have; None: as many as the server says.
    largest
        Bytes that are too many.
    progress
        Is told about every block.

    Raises
    ------
    ModelError
        If the server has no such file, or one of another size, or the connection broke ATTEMPTS
        times. What has arrived stays, so that the next call goes on from there.
    """
    if not address.startswith(('http://', 'https://')):
        raise ModelError(
            f'expected an address that begins with http:// or https://, found {address!r}'
        )
    if size is not None and part.exists() and part.stat().st_size > size:
        part.unlink()
    error: Exception | None = None
    for attempt in range(ATTEMPTS):
        if size is not None and part.exists() and part.stat().st_size == size:
            return
        if attempt:
            time.sleep(PAUSE_S)
        try:
            if _fetch(address, part, size, largest, progress):
                return
            error = EOFError(f'the connection closed after {part.stat().st_size} bytes')
        except urllib.error.HTTPError as answer:
            if answer.code == 416 and part.exists():  # nothing behind what we have: start again
                part.unlink()
            elif answer.code < 500:
                raise ModelError(f'{address} answers {answer.code} {answer.reason}') from answer
            error = answer
        except (OSError, http.client.HTTPException) as problem:
            error = problem
    raise ModelError(
        f'download of {address} failed {ATTEMPTS} times, the last time: {error}'
    ) from error


def _fetch(address: str, part: Path, size: int | None, largest: int, progress: Progress) -> bool:
    """Fetch the rest of a file; False where the connection closed before its end."""
    have = part.stat().st_size if part.exists() else 0
    headers = {'User-Agent': 'pose3d_ros', 'Accept-Encoding': 'identity'}
    if have:
        headers['Range'] = f'bytes={have}-'
    request = urllib.request.Request(address, headers=headers)
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
        if have and not (
            answer.status == 206
            and answer.headers.get('Content-Range', '').startswith(f'bytes {have}-')
        ):
            have = 0  # the server sends all of it
        length = answer.headers.get('Content-Length', '')
        total = have + int(length) if length.isdigit() else size
        if size is not None and total != size:
            raise ModelError(f'{address} has {total} bytes, expected {size}')
        if (total or 0) > largest:
            raise ModelError(f'{address} has {total} bytes, more than {largest}')
        part.parent.mkdir(parents=True, exist_ok=True)
        with part.open('ab' if have else 'wb') as file:
            have = _copy(answer, file, have, total, largest, progress)
    return total is None or have == total


def _copy(
    answer: Any, file: Any, have: int, total: int | None, largest: int, progress: Progress
) -> int:
    progress(have, total)
    while block := answer.read(_BLOCK):
        file.write(block)
        have += len(block)
        if have > (largest if total is None else total):
            raise ModelError(
                f'the server sent {have} bytes, more than the {total or largest} expected'
            )
        progress(have, total)
    return have
