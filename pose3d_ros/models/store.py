"""Installed networks: a folder each, with the network and a record of where it came from."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from pose3d_ros.models import ModelError
from pose3d_ros.models.catalogue import CATALOGUE, DEFAULT_MODEL

INSTALL_COMMAND = 'pose3d model install'
PRECISIONS = ('f32', 'f16', 'int8')
_RECORD = 'record.json'
# Networks that come with the package: docs/models/demo_only.md.
DEMO_ONLY = 'demo_only'
BUNDLED = {DEMO_ONLY: Path(__file__).parent / 'weights' / f'{DEMO_ONLY}.xml'}


@dataclass(frozen=True)
class Record:
    """Where an installed network came from, as in the file record.json beside it.

    Parameters
    ----------
    name, version, licence
        As in the catalogue.
    precision
        One of PRECISIONS.
    source
        Address or file that it was made from; several with commas between them.
    sha384
        Checksum of that file, or of each.
    checked_against
        ``'catalogue'``, ``'stated'`` (a checksum that the user gave) or ``'nothing'``
        (unverified).
    converter
        What made it.
    installed
        When, UTC, ISO 8601.
    note
        Anything else, such as what quantisation cost.
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

    @property
    def installed_name(self) -> str:
        """What it is found by: its name, and its precision unless that is f32."""
        return installed_name(self.name, self.precision)


def installed_name(name: str, precision: str) -> str:
    """Return the name that a network of some precision is found by."""
    return name if precision == 'f32' else f'{name}-{precision}'


def default_folder() -> Path:
    """Return the folder of installed networks: $POSE3D_MODELS or in the XDG cache."""
    if stated := os.environ.get('POSE3D_MODELS'):
        return Path(stated).expanduser()
    return cache_folder() / 'models'


def cache_folder() -> Path:
    """Return this package's folder in the user's cache (XDG base directories)."""
    cache = Path(os.environ.get('XDG_CACHE_HOME', ''))
    if not cache.is_absolute():  # the XDG specification: relative paths are ignored
        cache = Path.home() / '.cache'
    return cache / 'pose3d_ros'


def put(folder: Path, record: Record, write: Callable[[Path], None]) -> Path:
    """Install a network: all of it or nothing.

    Parameters
    ----------
    folder
        Of installed networks; is made.
    record
        Goes beside it.
    write
        Writes the network to the .xml path that it is given.

    Returns
    -------
    Path of the installed .xml.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / record.installed_name
    new = Path(tempfile.mkdtemp(prefix='.new-', dir=folder))
    try:
        new.chmod(0o755)  # mkdtemp's is for its owner alone
        write(new / f'{record.installed_name}.xml')
        (new / _RECORD).write_text(json.dumps(asdict(record), indent=2) + '\n')
        _exchange(new, target)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return target / f'{record.installed_name}.xml'


def _exchange(new: Path, target: Path) -> None:
    """Put a folder in the place of one that may exist."""
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


def installed(folder: Path) -> dict[str, Path]:
    """Return the paths of the installed networks by the names they are found by."""
    paths = {}
    for path in sorted(folder.glob(f'*/{_RECORD}')):
        name = path.parent.name
        xml = path.with_name(f'{name}.xml')
        if not name.startswith('.') and xml.is_file() and xml.with_suffix('.bin').is_file():
            paths[name] = xml
    return paths


def remove(folder: Path, name: str) -> None:
    """Delete an installed network; ModelError where it is not installed."""
    paths = installed(folder)
    if name not in paths:
        known = ', '.join(paths) or 'nothing'
        raise ModelError(f'{name!r} is not installed in {folder}; installed: {known}')
    shutil.rmtree(paths[name].parent)


def resolve(model: str, folder: Path | None = None) -> Path:
    """Find a network's file. Nothing is ever downloaded.

    Parameters
    ----------
    model
        ``'auto'``: the installed network, of several the first in the catalogue, the most precise
        of these; the name of an installed network, or of a bundled one; or a path to an .xml or
        .onnx.
    folder
        Of installed networks, default_folder() unless given.

    Raises
    ------
    ModelError
        If there is none, with the command that installs it.
    """
    folder = default_folder() if folder is None else folder
    paths = installed(folder)
    auto = [installed_name(entry.name, p) for entry in CATALOGUE for p in PRECISIONS]
    names = auto if model == 'auto' else [model]
    for name in names:
        if name in paths:
            return paths[name]
    if model in BUNDLED:
        return BUNDLED[model]
    name = DEFAULT_MODEL if model == 'auto' else model
    if name in (entry.name for entry in CATALOGUE):
        raise ModelError(
            f'the network {name} is not installed in {folder}; install it with: '
            f'{INSTALL_COMMAND} {name}'
        )
    return _file(model, folder, paths)


def checksum(model: str) -> str:
    """Return the SHA-256 of a network's file, of an .xml with its weights; '' if it has none."""
    path = Path(model)
    if not path.is_file():
        return ''
    digest = hashlib.sha256(path.read_bytes())
    if path.suffix == '.xml':
        digest.update(path.with_suffix('.bin').read_bytes())
    return digest.hexdigest()


def _file(model: str, folder: Path, paths: dict[str, Path]) -> Path:
    path = Path(model).expanduser()
    if path.suffix not in ('.xml', '.onnx'):
        known = ', '.join(paths) or 'nothing'
        raise ModelError(
            'model must be auto, the name of an installed network, or a path to an .xml or '
            f'.onnx, found {model!r}; '
            f'installed in {folder}: {known}'
        )
    if not path.is_file():
        raise ModelError(f'no file {path}')
    if path.suffix == '.xml' and not path.with_suffix('.bin').is_file():
        raise ModelError(f'{path} needs its weights {path.with_suffix(".bin").name} beside it')
    return path
