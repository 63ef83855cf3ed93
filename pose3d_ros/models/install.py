"""Install a network: fetch, check, convert, write."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from importlib import import_module
from pathlib import Path

import openvino as ov

from pose3d_ros.models import ModelError
from pose3d_ros.models.catalogue import ModelEntry
from pose3d_ros.models.conversion.published_graph import fit_spec, read_graph
from pose3d_ros.models.download import Progress
from pose3d_ros.models.fetch import (
    CATALOGUE,
    FIRST,
    NOTHING,
    FetchedFile,
    FileSource,
    fetch_all,
    remove_parts,
)
from pose3d_ros.models.normalisation import mark_inside
from pose3d_ros.models.recorded_checksums import record_checksum, recorded_checksum
from pose3d_ros.models.store import (
    PRECISIONS,
    Record,
    checksum,
    installed,
    installed_name,
    put,
    record_of,
)
from pose3d_ros.network_spec import NetworkSpec, spec_path

Quantise = Callable[[ov.Model], 'tuple[ov.Model, str]']
"""Takes the f32 network; returns the int8 one and a note for the record, or raises ModelError."""
_NOT_PUBLISHED = 'no checksum is published for this network; '
_RECORDED = _NOT_PUBLISHED + 'the one found is recorded, and later installations are held to it'
_HELD = _NOT_PUBLISHED + 'it agrees with the one of the first installation'


@dataclass(frozen=True)
class _Choice:
    """What is installed: the precision of the network, and that of the files it is made from."""

    precision: str
    published: str


def install(
    entry: ModelEntry, origin: FileSource, folder: Path, *, precision: str | None = None,
    quantise: Quantise | None = None, progress: Progress = lambda have, total: None,
) -> Path:  # fmt: skip
    """Install a network completely or not at all.

    Parameters
    ----------
    entry
        The network.
    origin
        Where its files come from.
    folder
        Of installed networks.
    precision
        One of store.PRECISIONS: f32, f16 (weights stored in half the space), int8. None: the one
        that the catalogue prefers, or that of the published files that `origin` names.
    quantise
        Makes int8 of f32; needed where int8 is not published.
    progress
        Of the download.

    Returns
    -------
    Path of the installed .xml. Its contract is beside it, as NAME.spec.json.

    Raises
    ------
    ModelError
        If a file cannot be had, is not the one expected, or is not of this network.
    """
    choice = _choose(entry, origin, precision, quantise)
    published = entry.files[choice.published]
    key = f'{entry.name} {choice.published}'
    downloads = folder / '.downloads'
    found = fetch_all(published, origin, downloads, recorded_checksum(folder, key), progress)
    model, spec = _convert(entry, found, folder)
    note = ''
    if choice.precision == 'int8' and choice.published != 'int8' and quantise is not None:
        model, note = quantise(model)
        if entry.converter:
            mark_inside(model)
    first_time = published[0].sha384 is None and found[0].checked_against == NOTHING
    if published[0].sha384 is None:
        note = '. '.join(filter(None, (note, _note_of(found[0]))))
    record = _record(entry, choice.precision, found, note)
    licence = entry.licence if record.licence == entry.licence else ''
    spec = replace(spec, licence=licence, source=record.source)

    def write(xml: Path) -> None:
        ov.save_model(model, xml, compress_to_fp16=choice.precision == 'f16')
        spec_path(xml).write_text(json.dumps(spec.to_dict(), indent=2) + '\n')

    path = put(folder, record, write)
    if first_time:
        record_checksum(folder, key, found[0].sha384)
    remove_parts(published, origin, downloads)
    return path


def already_installed(entry: ModelEntry, folder: Path, precision: str | None) -> Path | None:
    """Return the .xml of a network that is installed, as `install` would make it of a download.

    None if it is not installed, of other files than those of the catalogue, made by another
    version of OpenVINO, or damaged.
    """
    choice = _choose(entry, FileSource(), precision, None)
    path = installed(folder).get(installed_name(entry.name, choice.precision))
    record = record_of(path) if path else None
    if path is None or record is None or not spec_path(path).is_file():
        return None
    recorded = recorded_checksum(folder, f'{entry.name} {choice.published}')
    expected = [file.sha384 or recorded or '' for file in entry.files[choice.published]]
    same = (record.sha384, record.converter) == (', '.join(expected), _converter())
    return path if same and record.network_sha256 == checksum(str(path)) else None


def _choose(
    entry: ModelEntry, origin: FileSource, precision: str | None, quantise: Quantise | None
) -> _Choice:
    """Choose the precision and the files; ModelError if there is no way to it."""
    if precision is None:
        precision = entry.precision if quantise is None else 'int8'
        if origin.file and quantise is None:
            precision = _precision_of(entry, origin.file)
    if precision not in PRECISIONS:
        raise ModelError(f'precision must be one of {PRECISIONS}, found {precision!r}')
    if precision in entry.files and quantise is None:
        return _Choice(precision, precision)
    sources = [p for p in ('f32', 'f16') if p in entry.files]
    if not sources or precision == 'f32' or (precision == 'int8' and quantise is None):
        raise ModelError(
            f'precision must be one of {tuple(entry.files)}, as published, or one that is made '
            f'from them (f16; int8 with calibration images), found {precision!r}'
        )
    if precision == 'int8' and not entry.converter:
        raise ModelError(
            f'int8 of {entry.name} cannot be judged: only networks with heatmaps and part '
            'affinity fields can'
        )
    return _Choice(precision, sources[0])


def _precision_of(entry: ModelEntry, file: Path) -> str:
    """Return the precision whose published files have the size of a local file."""
    try:
        size = file.stat().st_size
    except OSError:
        return entry.precision
    sizes = {p: [f.size for f in files] for p, files in entry.files.items()}
    return next((p for p, published in sizes.items() if size in published), entry.precision)


def _convert(
    entry: ModelEntry, found: list[FetchedFile], folder: Path
) -> tuple[ov.Model, NetworkSpec]:
    """Build the graph of the files that were fetched, and find its contract."""
    if entry.converter:
        converter = import_module(f'pose3d_ros.models.conversion.{entry.converter}')
        model = converter.convert(*(content for f in found for content in f.files.values()))
        mark_inside(model)
        return model, entry.specs[0]
    model = read_graph(dict(found[0].files), folder)
    return model, fit_spec(model, entry.specs)


def _note_of(found: FetchedFile) -> str:
    return {NOTHING: _RECORDED, FIRST: _HELD}.get(found.checked_against, '')


def _record(entry: ModelEntry, precision: str, found: list[FetchedFile], note: str) -> Record:
    kinds = {file.checked_against for file in found}
    checked_against = kinds.pop() if len(kinds) == 1 else NOTHING
    # Version and licence are those of the publisher's files only.
    addresses = {
        address for files in entry.files.values() for f in files for address in f.addresses
    }
    known = checked_against == CATALOGUE or all(file.source in addresses for file in found)
    return Record(
        name=entry.name,
        version=entry.version if known else 'unknown',
        licence=entry.licence if known else 'unknown',
        precision=precision,
        source=', '.join(file.source for file in found),
        sha384=', '.join(file.sha384 for file in found),
        checked_against=checked_against,
        converter=_converter(),
        installed=datetime.now(timezone.utc).isoformat(timespec='seconds'),
        note=note,
    )


def _converter() -> str:
    return f'pose3d_ros, OpenVINO {ov.get_version()}'
