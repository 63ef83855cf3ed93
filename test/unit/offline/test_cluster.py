"""`pose3d process --ray` on a cluster of two workers, which are processes of this machine."""

import argparse
import os
import socket
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest
from support.videos import write_video

from pose3d_ros.offline import cluster, command
from pose3d_ros.offline.recording import open_video_recording
from pose3d_ros.offline.worker import BagFormat

IMAGES = 20
NAMES = ('a.mp4', 'b.mp4', 'c.mp4')
WAIT_S = 120


@pytest.fixture
def run(tmp_path, two_people_xml):
    def run_command(out, read, *arguments):
        parser = argparse.ArgumentParser()
        command.add_arguments(parser)
        line = [str(tmp_path / name) for name in NAMES]
        line += ['--out', str(tmp_path / out), '--write', 'jsonl,csv', '--mode', 'latency']
        line += ['--model', str(two_people_xml), '--device', 'CPU', '--precision', 'f32']
        return command.run(parser.parse_args([*line, *arguments]), BagFormat(read, None))

    for name in NAMES:
        write_video(tmp_path / name, count=IMAGES)
    return run_command


@pytest.fixture
def two_workers(monkeypatch):
    """Start a cluster and return its address."""
    # Not in pytest's folder: the paths of Ray's sockets are limited to 107 characters.
    folder = tempfile.TemporaryDirectory(prefix='pose3d-ray-', dir='/tmp')
    settings = {**cluster.LOCAL, 'RAY_USAGE_STATS_ENABLED': '0', 'RAY_TMPDIR': folder.name}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    pytest.importorskip('ray', reason="needs pip install '.[ray]'")
    from ray.cluster_utils import Cluster

    options = {'object_store_memory': cluster.STORE_BYTES, 'include_dashboard': False}
    made = Cluster(initialize_head=True, head_node_args={'num_cpus': 0, **options})
    try:
        for _ in range(2):
            made.add_node(num_cpus=1, **options)
        yield made.address
    finally:
        made.shutdown()
        folder.cleanup()


def test_two_workers_share_the_inputs_and_one_that_ends_is_replaced(
    run, two_workers, tmp_path, capsys
):
    def read(path, options, topics, warn):
        """Open a video. The first two wait for each other, and b ends its process once."""
        import ray

        started, crashed = tmp_path / 'started', tmp_path / 'crashed'
        started.mkdir(exist_ok=True)
        (started / f'{ray.get_runtime_context().get_node_id()} {path.name}').touch()
        deadline_s = time.monotonic() + WAIT_S
        while len(list(started.iterdir())) < 2 and time.monotonic() < deadline_s:
            time.sleep(0.02)
        recording = open_video_recording(str(path), options, warn)

        def images():
            for i, taken in enumerate(recording.images()):
                if i == IMAGES // 2 and path.name == 'b.mp4' and not crashed.exists():
                    crashed.touch()
                    os._exit(1)
                yield taken

        return [replace(recording, images=images)]

    assert run('alone', lambda *_: []) == 0
    assert run('shared', read, '--ray', two_workers) == 0
    assert (tmp_path / 'crashed').exists()
    assert len({path.name.split()[0] for path in (tmp_path / 'started').iterdir()}) == 2
    assert '3 recordings, 60 images' in capsys.readouterr().out
    for name in NAMES:
        alone, shared = (tmp_path / out / name for out in ('alone', 'shared'))
        for file in ('poses.jsonl', 'poses.csv'):
            assert (alone / file).read_bytes() == (shared / file).read_bytes()
    assert run('shared', read, '--ray', two_workers) == 0
    assert '0 recordings, 0 images, 3 already done' in capsys.readouterr().out
    assert run('shared', read, '--ray', two_workers, '--model', 'none.xml') == 1
    assert 'none.xml' in capsys.readouterr().err


def test_without_ray_it_is_said_how_to_install_it(run, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, 'ray', None)
    assert run('out', lambda *_: [], '--ray', 'auto') == 1
    assert "pip install 'ray>=2.9,<3'" in capsys.readouterr().err


def test_an_address_without_a_cluster_is_named_at_once(run, capsys):
    pytest.importorskip('ray', reason="needs pip install '.[ray]'")
    with socket.create_server(('127.0.0.1', 0)) as server:
        address = f'127.0.0.1:{server.getsockname()[1]}'
    assert run('out', lambda *_: [], '--ray', address) == 1
    assert f'no Ray cluster can be used at {address}' in capsys.readouterr().err


@pytest.mark.parametrize('error', [RuntimeError, KeyboardInterrupt])
def test_a_cluster_without_actors_is_shut_down(monkeypatch, error):
    """With a stand-in for Ray."""
    ray = Mock()
    ray.nodes.return_value = [{'NodeID': 'a', 'Alive': True, 'Resources': {'CPU': 1}}]
    monkeypatch.setitem(sys.modules, 'ray', ray)
    monkeypatch.setattr(os, 'environ', {**os.environ, 'RAY_ADDRESS': ''})
    monkeypatch.setattr(cluster.Cluster, 'hire', Mock(side_effect=error))
    with pytest.raises(error):
        cluster.Cluster('', Mock())
    ray.shutdown.assert_called_once_with()
    assert not Path(ray.init.call_args.kwargs['_temp_dir']).exists()
