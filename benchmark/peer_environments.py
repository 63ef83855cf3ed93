"""Virtual environments of the peers, each with pinned packages from PyPI."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

# What each environment holds. onnx and openvino are for writing files that ONNX Runtime reads.
REQUIREMENTS = {
    'mediapipe': ('mediapipe==0.10.14',),
    'rtmlib': ('rtmlib==0.0.16', 'onnxruntime==1.32.0', 'onnx>=1.16', 'openvino'),
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
        pip = [python, '-m', 'pip', 'install', '--quiet', *REQUIREMENTS[name]]
        subprocess.run(pip, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SystemExit(f'the environment of {name}, {home}, cannot be made: {error}') from error
    installed.write_text(wanted)
    return python
