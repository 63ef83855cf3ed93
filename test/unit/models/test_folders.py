"""Folders of the user, and users who have none."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pose3d_ros.models import ModelError, compiled_cache, store
from pose3d_ros.models.catalogue import DEFAULT_MODEL
from pose3d_ros.models.folders import cache_folder, compiled_folder, default_folder
from pose3d_ros.models.store import installed, remove, resolve


def test_the_cache_folder(monkeypatch, tmp_path):
    monkeypatch.delenv('POSE3D_MODELS', raising=False)
    monkeypatch.setenv('HOME', str(tmp_path))
    for cache in ('', 'relative'):
        monkeypatch.setenv('XDG_CACHE_HOME', cache)
        assert default_folder() == tmp_path / '.cache' / 'pose3d_ros' / 'models'
        assert compiled_folder() == tmp_path / '.cache' / 'pose3d_ros' / 'compiled'
    monkeypatch.setenv('XDG_CACHE_HOME', '/var/cache')
    assert str(default_folder()) == '/var/cache/pose3d_ros/models'
    monkeypatch.setenv('POSE3D_MODELS', '~/nets')
    assert default_folder() == tmp_path / 'nets'


@pytest.fixture
def no_home(monkeypatch):
    """A user without a home: HOME is unset and the system does not know the user."""

    def fail():
        raise RuntimeError('Could not determine home directory.')

    for name in ('POSE3D_MODELS', 'XDG_CACHE_HOME', 'HOME'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, 'home', fail)
    compiled_cache.warn_once.cache_clear()


def test_a_user_without_a_home_has_no_cache_and_is_told_once(no_home, caplog):
    assert cache_folder() is None
    assert default_folder() is None
    assert [compiled_folder() for _ in range(3)] == [None] * 3
    (record,) = caplog.records
    assert 'HOME' in record.message


def test_a_user_without_a_home_has_the_bundled_networks(no_home, tmp_path):
    assert resolve(store.DEMO_ONLY).is_file()
    assert installed(None) == {}
    with pytest.raises(ModelError, match=r'not installed.*POSE3D_MODELS.*pose3d model install'):
        resolve('auto')
    with pytest.raises(ModelError, match='not installed'):
        remove(None, DEFAULT_MODEL)


@pytest.mark.skipif(os.getuid() != 0, reason='needs root to become a user without a home')
def test_the_system_does_not_know_the_user():
    """The same with a real process of such a user, which has no HOME."""
    code = (
        'import os; os.setuid(54321); os.environ.pop("HOME", None); '
        'os.environ.pop("XDG_CACHE_HOME", None); os.environ.pop("POSE3D_MODELS", None); '
        'from pose3d_ros.models.folders import cache_folder, default_folder; '
        'assert cache_folder() is None and default_folder() is None'
    )
    command = [sys.executable, '-c', f'import pose3d_ros.models.folders; {code}']
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
