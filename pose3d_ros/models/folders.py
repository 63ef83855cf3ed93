"""Where networks are installed and compiled: folders of the user."""

from __future__ import annotations

import os
from pathlib import Path

from pose3d_ros.models.compiled_cache import warn_once


def default_folder() -> Path | None:
    """Return the folder of installed networks: $POSE3D_MODELS or in the user's cache.

    None if neither is known: see `cache_folder`.
    """
    if stated := os.environ.get('POSE3D_MODELS'):
        return Path(os.path.expanduser(stated))
    cache = cache_folder()
    return None if cache is None else cache / 'models'


def cache_folder() -> Path | None:
    """Return this package's folder in the user's cache (XDG base directories).

    None if the user has no home: HOME is unset and the user is unknown to the system, as in
    containers. Whether the folder can be written is not checked.
    """
    cache = Path(os.environ.get('XDG_CACHE_HOME', ''))
    if not cache.is_absolute():  # the XDG specification: relative paths are ignored
        try:
            cache = Path.home() / '.cache'
        except RuntimeError:
            return None
    return cache / 'pose3d_ros'


def compiled_folder() -> Path | None:
    """Return the folder of compiled networks in the user's cache.

    None, with a warning once, if the user has no home.
    """
    cache = cache_folder()
    if cache is None:
        warn_once('compiled networks are not cached: neither HOME nor XDG_CACHE_HOME is set')
        return None
    return cache / 'compiled'
