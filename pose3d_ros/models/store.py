"""Installed networks: a folder each, with the network and a record of its origin."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeAlias

from pose3d_ros.models import ModelError
from pose3d_ros.models.catalogue import CATALOGUE, DEFAULT_MODEL, ModelEntry
from pose3d_ros.models.folders import default_folder
from pose3d_ros.wording import did_you_mean

INSTALL_COMMAND = 'pose3d model install'
PRECISIONS = ('f32', 'f16', 'int8')
MODEL_SUFFIXES = ('.xml', '.onnx', '.tflite')
# The file that makes a folder a TensorFlow SavedModel.
SAVED_MODEL = 'saved_model.pb'
# Between the two networks of a pair. The spaces tell it from a plus sign in a path.
_PAIR = ' + '
# One network, or a person detector and a network on crops.
ModelPath: TypeAlias = 'Path | tuple[Path, Path]'
_RECORD = 'record.json'
# Networks that are part of the package: docs/models/demo_only.md.
DEMO_ONLY = 'demo_only'
BUNDLED = {DEMO_ONLY: Path(__file__).parent / 'weights' / f'{DEMO_ONLY}.xml'}


@dataclass(frozen=True)
class Record:
    """Origin of an installed network, as in the file record.json beside it.

    Parameters
    ----------
    name, version, licence
        As in the catalogue.
    precision
        One of PRECISIONS.
    source
        Addresses or files that it was made from, separated by commas.
    sha384
        Checksums of these, in the same order.
    checked_against
        ``'catalogue'``, ``'stated'`` (a checksum that the user gave), ``'first installation'``
        (no checksum is published; it agrees with the one recorded then) or ``'nothing'``
        (unverified, or the first installation itself).
    converter
        Program that made it.
    installed
        Time of the installation, UTC, ISO 8601.
    note
        Anything else, such as the loss by quantisation.
    network_sha256
        `checksum` of the installed network, by which damage on the disk is found. '': installed by
        an earlier version, which did not record it.
    """

    name: str
    version: str
    licence: str
    precision: str
    source: str
    sha384: str
    checked_against: str
    converter: str
    installed: str
    note: str = ''
    network_sha256: str = ''

    @property
    def installed_name(self) -> str:
        """Name that the network is found by."""
        return installed_name(self.name, self.precision)


def installed_name(name: str, precision: str) -> str:
    """Return the name that a network is found by: its precision follows unless it is f32."""
    return name if precision == 'f32' else f'{name}-{precision}'


def put(folder: Path, record: Record, write: Callable[[Path], None]) -> Path:
    """Add a network completely or not at all.

    Parameters
    ----------
    folder
        Of installed networks; it is created.
    record
        Is written beside the network.
    write
        Writes the network to the path of its .xml.

    Returns
    -------
    Path of the installed .xml.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / record.installed_name
    new = Path(tempfile.mkdtemp(prefix='.new-', dir=folder))
    try:
        new.chmod(0o755)  # mkdtemp's is private to its owner
        xml = new / f'{record.installed_name}.xml'
        write(xml)
        record = replace(record, network_sha256=checksum(str(xml)))
        (new / _RECORD).write_text(json.dumps(asdict(record), indent=2) + '\n')
        _exchange(new, target)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return target / f'{record.installed_name}.xml'


def _exchange(new: Path, target: Path) -> None:
    """Rename a folder to a path at which another may exist, which is deleted."""
    if not target.exists():
        new.rename(target)
        return
    old = Path(tempfile.mkdtemp(prefix='.old-', dir=target.parent))
    target.rename(old / 'old')
    try:
        new.rename(target)
    except OSError:
        (old / 'old').rename(target)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def record_of(xml: Path) -> Record | None:
    """Return the record beside a network; None where there is none that can be read."""
    try:
        return Record(**json.loads((xml.parent / _RECORD).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def installed(folder: Path | None) -> dict[str, Path]:
    """Return the .xml of each installed network by the name that it is found by."""
    paths = {}
    for path in sorted(folder.glob(f'*/{_RECORD}')) if folder else ():
        name = path.parent.name
        xml = path.with_name(f'{name}.xml')
        if not name.startswith('.') and xml.is_file() and xml.with_suffix('.bin').is_file():
            paths[name] = xml
    return paths


def remove(folder: Path | None, name: str) -> None:
    """Delete an installed network; ModelError if it is not installed."""
    paths = installed(folder)
    if name not in paths:
        known = ', '.join(paths) or 'nothing'
        raise ModelError(f'{name!r} is not installed in {folder}; installed: {known}')
    shutil.rmtree(paths[name].parent)


def resolve(model: str, folder: Path | None = None) -> ModelPath:
    """Find the file of a network, or the two files of a pair. Nothing is ever downloaded.

    Parameters
    ----------
    model
        ``'auto'``: the installed network that comes first in the catalogue, in the precision that
        it prefers. Or the name of an installed or bundled network; or a path to an .xml, .onnx or
        .tflite, or to the folder of a SavedModel; or two of these with `` + `` between them, a
        person detector and a network on crops.
    folder
        Of installed networks. None: `default_folder`.

    Raises
    ------
    ModelError
        If there is no such network; names the command that installs it.
    """
    folder = default_folder() if folder is None else folder
    parts = split_pair(model)
    if len(parts) == 1:
        return _resolve_one(model, folder)
    if len(parts) > 2:
        raise ModelError(
            'model must be one network, or a person detector and a network on crops as '
            f'"DETECTOR + NETWORK", found {len(parts)} in {model!r}'
        )
    detector, network = (_resolve_one(part, folder) for part in parts)
    return detector, network


def split_pair(model: str) -> list[str]:
    """Split ``'DETECTOR + NETWORK'`` into its names; another name or a path is the only one."""
    return [part.strip() for part in model.split(_PAIR)]


def _resolve_one(model: str, folder: Path | None) -> Path:
    paths = installed(folder)
    entries = [e for e in CATALOGUE if e.finds_people] if model == 'auto' else []
    entries += [entry for entry in CATALOGUE if entry.name == model]
    names = [installed_name(e.name, p) for e in entries for p in preferred_precisions(e)]
    for name in (*names, model, model.removesuffix('-f32')):
        if name in paths:
            return _undamaged(paths[name])
    if model in BUNDLED:
        return BUNDLED[model]
    if entries:
        name = DEFAULT_MODEL if model == 'auto' else model
        where = f'in {folder}' if folder else 'for a user without a home (POSE3D_MODELS is unset)'
        raise ModelError(
            f'the network {name} is not installed {where}; install it with: '
            f'{INSTALL_COMMAND} {name}'
        )
    return _file(model, folder, paths)


def _undamaged(xml: Path) -> Path:
    """Return the path of an installed network; ModelError if its files have changed."""
    record = record_of(xml)
    if record and record.network_sha256 and record.network_sha256 != checksum(str(xml)):
        raise ModelError(
            f'the files of the installed network {xml} have changed since it was installed; '
            f'install it again with: {INSTALL_COMMAND} {record.name} '
            f'--precision {record.precision}'
        )
    return xml


def preferred_precisions(entry: ModelEntry) -> tuple[str, ...]:
    """Return all precisions, those that are published first."""
    return *entry.files, *(p for p in PRECISIONS if p not in entry.files)


def checksum(model: str) -> str:
    """Return the SHA-256 of a network's file, of an .xml with its weights.

    Of a pair as ``resolve`` takes it, that of both. '' if a file is missing.
    """
    digest = hashlib.sha256()
    for part in split_pair(model):
        files = _files_of(Path(part))
        if not all(file.is_file() for file in files):
            return ''
        for file in files:
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _files_of(model: Path) -> list[Path]:
    """Return the files that a network consists of."""
    if (model / SAVED_MODEL).is_file():
        return [file for file in sorted(model.rglob('*')) if file.is_file()]
    return [model, model.with_suffix('.bin')] if model.suffix == '.xml' else [model]


def _file(model: str, folder: Path | None, paths: dict[str, Path]) -> Path:
    path = Path(os.path.expanduser(model))
    if (path / SAVED_MODEL).is_file():
        return path
    if os.sep in model and not path.exists():
        raise ModelError(f'model file {path} does not exist')
    if path.suffix not in MODEL_SUFFIXES:
        known = ', '.join(paths) or 'nothing'
        names = dict.fromkeys([*paths, *BUNDLED, *(entry.name for entry in CATALOGUE)])
        raise ModelError(
            'model must be auto, the name of an installed network, or a path to an '
            f'{", ".join(MODEL_SUFFIXES)} or the folder of a SavedModel, found {model!r}'
            f'{did_you_mean(names, model)}; installed in {folder}: {known}'
        )
    if not path.is_file():
        raise ModelError(f'model file {path} does not exist')
    if path.suffix == '.xml' and not path.with_suffix('.bin').is_file():
        raise ModelError(f'{path} needs its weights {path.with_suffix(".bin").name} beside it')
    return path
