"""Fetch the files of a network, from the web or from the disk, and check them."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from pose3d_ros.models import ModelError
from pose3d_ros.models.catalogue import PublishedFile
from pose3d_ros.models.conversion.archive import LARGEST_BYTES, MAX_MEMBERS, unpack
from pose3d_ros.models.conversion.published_graph import select
from pose3d_ros.models.download import Progress, download
from pose3d_ros.models.recorded_checksums import digest_of

CATALOGUE, STATED, FIRST, NOTHING = 'catalogue', 'stated', 'first installation', 'nothing'


@dataclass(frozen=True)
class FileSource:
    """Where the files of a network come from, and what they are held to; by default the catalogue.

    Parameters
    ----------
    file
        A local file instead of a download, or the folder of a SavedModel; of several files one,
        with the others beside it.
    address
        Another address to download from, likewise.
    sha384
        Checksum instead of the catalogue's, of a network of one file.
    unverified
        Accept files that agree with no checksum.
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
            raise ModelError('expected a checksum or --unverified, found both')


@dataclass(frozen=True)
class FetchedFile:
    """A file that was fetched and checked.

    Parameters
    ----------
    files
        Contents by name: of a file with a published checksum itself, else of the network in it.
    source
        Address or path.
    sha384
        Checksum of these.
    checked_against
        As in ``store.Record``.
    """

    files: Mapping[str, bytes]
    source: str
    sha384: str
    checked_against: str


def fetch_all(
    published: tuple[PublishedFile, ...],
    origin: FileSource,
    folder: Path,
    recorded: str | None,
    progress: Progress,
) -> list[FetchedFile]:
    """Fetch and check the files of a network.

    Parameters
    ----------
    published
        What the catalogue says.
    origin
        Where they come from.
    folder
        For what has arrived of downloads.
    recorded
        Checksum of the first installation, for a network without a published one.
    progress
        Of the download.

    Raises
    ------
    ModelError
        If a file cannot be had or is not the one expected.
    """
    if origin.sha384 and len(published) > 1:
        raise ModelError(
            f'the network has {len(published)} files, for which one checksum cannot be stated: '
            'state none, and they are held to the published ones'
        )
    fetched = []
    for file in published:
        own = _origin_of(file, published, origin)
        part = _part(folder, file, own)
        if file.sha384 is None:
            fetched.append(_fetch_unpublished(file, own, part, recorded, progress))
        else:
            data, source = _fetch(file, own, part, progress)
            fetched.append(_check(data, file, own, source, part))
    return fetched


def remove_parts(published: tuple[PublishedFile, ...], origin: FileSource, folder: Path) -> None:
    """Delete what has arrived of downloads, after the network was installed."""
    for file in published:
        _part(folder, file, origin).unlink(missing_ok=True)


def _part(folder: Path, published: PublishedFile, origin: FileSource) -> Path:
    """Return the path of what has arrived of a file."""
    # A download is resumed only if both parts are of the same file, by its checksum or address.
    key = origin.sha384 or published.sha384
    if key is None:
        address = origin.address or published.addresses[0]
        key = hashlib.sha256(address.encode()).hexdigest()
    return folder / f'{"unverified-" if origin.unverified else ""}{key}.part'


def _origin_of(
    file: PublishedFile, published: tuple[PublishedFile, ...], origin: FileSource
) -> FileSource:
    """Return where one of the files comes from: several differ by their suffix."""
    if len(published) == 1:
        return origin
    suffix = PurePosixPath(file.addresses[0]).suffix
    address = origin.address and posixpath.splitext(origin.address)[0] + suffix
    return replace(origin, file=origin.file and origin.file.with_suffix(suffix), address=address)


def _fetch(
    published: PublishedFile, origin: FileSource, part: Path, progress: Progress
) -> tuple[bytes, str]:
    """Return the bytes of a file, and where they came from."""
    if origin.file:
        return read_file(origin.file), str(origin.file)
    resumable = published.sha384 is not None and not origin.unverified
    if not resumable:
        part.unlink(missing_ok=True)
    # A file with another checksum, or without one, may have another size.
    size = None if origin.sha384 or origin.unverified else published.size
    failures = []
    for address in (origin.address,) if origin.address else published.addresses:
        try:
            download(address, part, size, LARGEST_BYTES, progress)
            return read_file(part), address
        except ModelError as error:
            failures.append(str(error))
        finally:
            if not resumable:  # nothing tells that the next bytes would be of the same file
                part.unlink(missing_ok=True)
    again = (
        'What has arrived is kept: run the command again to go on'
        if resumable
        else ('Run the command again')
    )
    raise ModelError(
        f'{"; ".join(failures)}. {again}, or fetch the file on another machine and give it with '
        '--from-file'
    )


def read_file(path: Path) -> bytes:
    """Return the bytes of a file of at most LARGEST_BYTES; else ModelError."""
    try:
        size = path.stat().st_size
        if size > LARGEST_BYTES:
            raise ModelError(f'{path} has {size} bytes, more than a network can have')
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f'{path} cannot be read: {error.strerror}') from error


def _check(
    data: bytes, published: PublishedFile, origin: FileSource, source: str, part: Path
) -> FetchedFile:
    """Compare a file with its checksum."""
    sha384 = hashlib.sha384(data).hexdigest()
    files = {PurePosixPath(source).name: data}
    if origin.sha384 is None and sha384 == published.sha384 and len(data) == published.size:
        return FetchedFile(files, source, sha384, CATALOGUE)
    if origin.sha384 is not None and sha384 == origin.sha384.lower():
        return FetchedFile(files, source, sha384, STATED)
    if origin.unverified:
        return FetchedFile(files, source, sha384, NOTHING)
    part.unlink(missing_ok=True)  # going on from wrong bytes never ends well
    expected = origin.sha384 or published.sha384
    size = '' if origin.sha384 else f' and {published.size} bytes'
    raise ModelError(
        f'{source} is not the file expected: expected SHA-384 {expected}{size}, found {sha384} '
        f'and {len(data)} bytes. '
        'A file of another source can be held to its own checksum with --sha384, or installed '
        'with --unverified'
    )


def _fetch_unpublished(
    published: PublishedFile,
    origin: FileSource,
    part: Path,
    recorded: str | None,
    progress: Progress,
) -> FetchedFile:
    """Fetch a file without a published checksum and compare the network in it."""
    if origin.file:
        found, source = _read_local(origin.file), str(origin.file)
    else:
        data, source = _fetch(published, origin, part, progress)
        found = unpack(data, _named(data, source))
    network = select(found, published.member)
    sha384 = digest_of(network)
    if origin.sha384 is not None and sha384 == origin.sha384.lower():
        return FetchedFile(network, source, sha384, STATED)
    if origin.sha384 is None and sha384 == recorded:
        return FetchedFile(network, source, sha384, FIRST)
    if origin.unverified or (origin.sha384 is None and recorded is None):
        return FetchedFile(network, source, sha384, NOTHING)
    by = 'stated' if origin.sha384 else 'recorded at the first installation'
    raise ModelError(
        f'{source} is not the network expected: expected SHA-384 {origin.sha384 or recorded} '
        f'({by}), found {sha384}. If you trust it, install it with --unverified'
    )


def _named(data: bytes, source: str) -> str:
    """Return a name with the suffix of what a download is, which its address may not have."""
    name = PurePosixPath(source.partition('?')[0]).name
    if data[4:8] == b'TFL3':  # file identifier of TensorFlow Lite's schema
        return f'{name}.tflite'
    return name


def _read_local(path: Path) -> dict[str, bytes]:
    """Return the files of a SavedModel's folder, of an .xml with its .bin, or of an archive."""
    if path.is_dir():
        paths = [p for p in sorted(path.rglob('*'))[:MAX_MEMBERS] if p.is_file()]
        if sum(p.stat().st_size for p in paths) > LARGEST_BYTES:
            raise ModelError(f'{path} has more than {LARGEST_BYTES} bytes')
        return {p.relative_to(path).as_posix(): read_file(p) for p in paths}
    data = read_file(path)
    if path.suffix == '.xml':
        weights = path.with_suffix('.bin')
        if not weights.is_file():
            raise ModelError(f'{path} needs its weights {weights.name} beside it')
        return {path.name: data, weights.name: read_file(weights)}
    return unpack(data, _named(data, path.name))
