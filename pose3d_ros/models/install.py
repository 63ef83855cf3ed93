"""Install a network: fetch, check, convert, write."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from importlib import import_module
from pathlib import Path, PurePosixPath

import openvino as ov

from pose3d_ros.models import ModelError
from pose3d_ros.models.catalogue import ModelEntry, PublishedFile
from pose3d_ros.models.conversion.checkpoint import LARGEST_BYTES
from pose3d_ros.models.download import Progress, download
from pose3d_ros.models.normalisation import mark_inside
from pose3d_ros.models.store import PRECISIONS, Record, put

Quantise = Callable[[ov.Model], 'tuple[ov.Model, str]']
"""Takes the f32 network; returns the int8 one and a note for the record, or raises ModelError."""


@dataclass(frozen=True)
class FileSource:
    """Where a network's files are taken from and what they are held to; as the catalogue says.

    Parameters
    ----------
    file
        A local file instead of a download; of several files one, with the others beside it.
    address
        Another address to download from, likewise.
    sha384
        Checksum instead of the catalogue's, of a network of one file.
    unverified
        Accept files that no checksum vouches for.
    """

    file: Path | None = None
    address: str | None = None
    sha384: str | None = None
    unverified: bool = False

    def __post_init__(self) -> None:
        if self.file and self.address:
            raise ModelError('expected a file or an address, found both')
        if self.sha384 is not None and (
            len(self.sha384) != 96 or set(self.sha384.lower()) - set('0123456789abcdef')
        ):
            raise ModelError(
                f'a SHA-384 has 96 hexadecimal digits, found {self.sha384!r} with '
                f'{len(self.sha384)}'
            )
        if self.sha384 and self.unverified:
            raise ModelError(
                'a checksum is stated, so that the file cannot be unverified: state one of the two'
            )


@dataclass(frozen=True)
class _File:
    """A file that has been fetched: its bytes, where from, and what they were checked against."""

    data: bytes
    source: str
    sha384: str
    checked_against: str


def install(
    entry: ModelEntry, origin: FileSource, folder: Path, *, precision: str = 'f32',
    quantise: Quantise | None = None, progress: Progress = lambda have, total: None,
) -> Path:  # fmt: skip
    """Install a network, all of it or nothing.

    Parameters
    ----------
    entry
        The network.
    origin
        Where its files come from.
    folder
        Of installed networks.
    precision
        One of store.PRECISIONS: f32, f16 (weights stored in half the space), int8.
    quantise
        Makes int8 of f32; needed for int8.
    progress
        Of the download.

    Returns
    -------
    Path of the installed .xml.

    Raises
    ------
    ModelError
        If a file cannot be had, is not the one expected, or is none of this network.
    """
    if precision not in PRECISIONS or (precision == 'int8' and quantise is None):
        raise ModelError(
            f'precision must be one of {PRECISIONS}, int8 with a way to it; found {precision!r}'
        )
    if origin.sha384 and len(entry.files) > 1:
        raise ModelError(
            f'{entry.name} is {len(entry.files)} files, which one checksum cannot vouch for: '
            'state none, and they are held to the published ones'
        )
    parts = [_part(folder / '.downloads', published, origin) for published in entry.files]
    found = [
        _file(published, _origin_of(published, entry, origin), part, progress)
        for published, part in zip(entry.files, parts, strict=True)
    ]
    converter = import_module(f'pose3d_ros.models.conversion.{entry.converter}')
    model = converter.convert(*(file.data for file in found))
    mark_inside(model)
    note = ''
    if precision == 'int8' and quantise is not None:
        model, note = quantise(model)
        mark_inside(model)
    record = _record(entry, precision, found, note)
    path = put(
        folder, record, lambda xml: ov.save_model(model, xml, compress_to_fp16=precision == 'f16')
    )
    for part in parts:
        part.unlink(missing_ok=True)
    return path


def _record(entry: ModelEntry, precision: str, found: list[_File], note: str) -> Record:
    kinds = {file.checked_against for file in found}
    checked_against = kinds.pop() if len(kinds) == 1 else 'nothing'
    # Only of the published file is it known what it is.
    known = checked_against == 'catalogue'
    return Record(
        name=entry.name,
        version=entry.version if known else 'unknown',
        licence=entry.licence if known else 'unknown',
        precision=precision,
        source=', '.join(file.source for file in found),
        sha384=', '.join(file.sha384 for file in found),
        checked_against=checked_against,
        converter=f'pose3d_ros, OpenVINO {ov.get_version()}',
        installed=datetime.now(timezone.utc).isoformat(timespec='seconds'),
        note=note,
    )


def _part(folder: Path, published: PublishedFile, origin: FileSource) -> Path:
    """Where what has arrived of a file is kept."""
    # A part is gone on with where a checksum tells that both are of the same file.
    part = folder / f'{origin.sha384 or published.sha384}.part'
    if origin.unverified:
        part = part.with_name(f'unverified-{part.name}')
        part.unlink(missing_ok=True)
    return part


def _origin_of(published: PublishedFile, entry: ModelEntry, origin: FileSource) -> FileSource:
    """Where one of a network's files comes from: several differ by their suffix."""
    if len(entry.files) == 1:
        return origin
    suffix = PurePosixPath(published.addresses[0]).suffix
    address = origin.address and posixpath.splitext(origin.address)[0] + suffix
    return replace(origin, file=origin.file and origin.file.with_suffix(suffix), address=address)


def _file(published: PublishedFile, origin: FileSource, part: Path, progress: Progress) -> _File:
    data, source = _fetch(published, origin, part, progress)
    checked_against, sha384 = _check(data, published, origin, source, part)
    return _File(data, source, sha384, checked_against)


def _fetch(
    published: PublishedFile, origin: FileSource, part: Path, progress: Progress
) -> tuple[bytes, str]:
    """Bytes of the file, and where they came from."""
    if origin.file:
        return _read(origin.file), str(origin.file)
    # Another checksum or none is another file, of another size.
    size = None if origin.sha384 or origin.unverified else published.size
    failures = []
    for address in (origin.address,) if origin.address else published.addresses:
        try:
            download(address, part, size, LARGEST_BYTES, progress)
            return _read(part), address
        except ModelError as error:
            failures.append(str(error))
    raise ModelError(
        '; '.join(failures)
        + '. What has arrived is kept: run the command again to go on, or fetch the '
        'file on another machine and give it with --from-file'
    )


def _read(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > LARGEST_BYTES:
            raise ModelError(f'{path} has {size} bytes, more than a network can have')
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f'{path} cannot be read: {error.strerror}') from error


def _check(
    data: bytes, published: PublishedFile, origin: FileSource, source: str, part: Path
) -> tuple[str, str]:
    """Return what the bytes were checked against, and their checksum."""
    sha384 = hashlib.sha384(data).hexdigest()
    if origin.sha384 is None and sha384 == published.sha384 and len(data) == published.size:
        return 'catalogue', sha384
    if origin.sha384 is not None and sha384 == origin.sha384.lower():
        return 'stated', sha384
    if origin.unverified:
        return 'nothing', sha384
    part.unlink(missing_ok=True)  # going on from wrong bytes never ends well
    expected = origin.sha384 or published.sha384
    size = '' if origin.sha384 else f' and {published.size} bytes'
    raise ModelError(
        f'{source} is not the file expected: expected SHA-384 {expected}{size}, found {sha384} '
        f'and {len(data)} bytes. '
        'A file of another source can be held to its own checksum with --sha384, or installed '
        'with --unverified'
    )
