"""Read archives that were downloaded: nothing is unpacked to disk, and sizes are bounded."""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
import zipfile
import zlib
from pathlib import PurePosixPath

from pose3d_ros.models import ModelError

# Ten times the largest published network: what a damaged or hostile archive may unpack to.
LARGEST_BYTES = 256 * 2**20
# Files in an archive; published ones have fewer than thirty.
MAX_MEMBERS = 1000

_GZIP, _ZIP = b'\x1f\x8b', b'PK'
_TAR_MAGIC, _TAR_MAGIC_AT = b'ustar', 257


def unpack(data: bytes, name: str) -> dict[str, bytes]:
    """Return the files of an archive by their path, or a file that is none under its name.

    Parameters
    ----------
    data
        The bytes of a .zip, .tar or .tar.gz, or of another file.
    name
        Of that file.

    Raises
    ------
    ModelError
        If the archive is damaged, unpacks to more than LARGEST_BYTES, or has a path that leads out
        of its folder, a link or a device.
    """
    if data.startswith(_ZIP):
        return _unpack_zip(data)
    if data.startswith(_GZIP):
        data, name = decompress(data), name.removesuffix('.gz')
    if data[_TAR_MAGIC_AT:].startswith(_TAR_MAGIC):
        return unpack_tar(data)
    return {name: data}


def decompress(data: bytes) -> bytes:
    """Decompress gzip."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            unpacked = file.read(LARGEST_BYTES + 1)
    except (EOFError, OSError, zlib.error) as error:
        raise _damaged(error) from error
    _check_total(len(unpacked))
    return unpacked


def unpack_tar(data: bytes) -> dict[str, bytes]:
    """Return the files of a tar by their path."""
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode='r:') as archive:
            members = archive.getmembers()
            _check_number(len(members))
            for member in members:
                _check_path(member.name)
                if not (member.isfile() or member.isdir()):
                    raise _not_a_file(member.name)
            # Sparse files declare more bytes than the archive has.
            _check_total(sum(member.size for member in members))
            contents = {m.name: archive.extractfile(m) for m in members if m.isfile()}
            files = {name: file.read() if file else b'' for name, file in contents.items()}
            sizes = {member.name: member.size for member in members}
    except (EOFError, OSError, tarfile.TarError) as error:
        raise _damaged(error) from error
    for name, content in files.items():
        if len(content) != sizes[name]:
            raise ModelError(f'the archive is cut short: {name} is incomplete')
    return files


def _unpack_zip(data: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            _check_number(len(entries))
            for entry in entries:
                _check_path(entry.filename)
                if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG):
                    raise _not_a_file(entry.filename)
            _check_total(sum(entry.file_size for entry in entries))
            return {entry.filename: archive.read(entry) for entry in entries}
    except (
        zipfile.BadZipFile, ValueError, OSError, EOFError, RuntimeError, NotImplementedError,
        zlib.error,
    ) as error:  # fmt: skip
        if isinstance(error, ModelError):
            raise
        raise _damaged(error) from error


def _check_path(name: str) -> None:
    path = PurePosixPath(name)
    if path.is_absolute() or '..' in path.parts or '\\' in name or '\0' in name:
        raise ModelError(f'the archive holds {name!r}, a path that leads out of its folder')


def _not_a_file(name: str) -> ModelError:
    return ModelError(f'the archive holds {name!r}, which is neither a file nor a folder')


def _check_total(size: int) -> None:
    if size > LARGEST_BYTES:
        raise ModelError(f'the archive unpacks to more than {LARGEST_BYTES} bytes')


def _check_number(number: int) -> None:
    if number > MAX_MEMBERS:
        raise ModelError(f'the archive holds {number} files, more than {MAX_MEMBERS}')


def _damaged(error: Exception) -> ModelError:
    return ModelError(f'the archive is damaged or cut short: {error}')
