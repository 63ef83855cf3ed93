"""Virtual environments of the peers, each with pinned packages from PyPI."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

# What each environment holds. OpenVINO is ours, also to write the files that ONNX Runtime reads.
REQUIREMENTS = {
    'mediapipe': ('mediapipe==0.10.14',),
    'rtmlib': (
        'rtmlib==0.0.16',
        'onnxruntime==1.32.0',
        'onnx==1.23.2',
        f'openvino=={version("openvino")}',
    ),
}


def python_of(folder: Path, name: str) -> Path:
    """Return the interpreter of an environment, which is made unless the folder holds it.

    Parameters
    ----------
    folder
        Of all environments.
    name
        A key of REQUIREMENTS.

    Raises
    ------
    SystemExit
        If its packages cannot be installed.
    """
    home = folder / name
    python, installed = home / 'bin' / 'python', home / 'requirements.txt'
    wanted = '\n'.join(REQUIREMENTS[name])
    if installed.is_file() and installed.read_text() == wanted:
        return python
    print(f'making the environment {home} with {", ".join(REQUIREMENTS[name])}', file=sys.stderr)
    try:
        subprocess.run([sys.executable, '-m', 'venv', home], check=True)
        pip = [str(python), '-m', 'pip', 'install', '--quiet', *REQUIREMENTS[name]]
        subprocess.run(pip, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SystemExit(f'the environment of {name}, {home}, cannot be made: {error}') from error
    installed.write_text(wanted)
    return python
