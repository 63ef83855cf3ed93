"""Inputs of `pose3d process` on the machines of a Ray cluster."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import sys
import tempfile
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from pose3d_ros.offline.process import Outcome
from pose3d_ros.offline.recording import Input
from pose3d_ros.offline.worker import Worker
from pose3d_ros.wording import counted

# How often an input is tried, if processes end or machines are lost meanwhile.
TRIES = 3
# Ray's store of objects, which only paths and counts go through; its least, bytes.
STORE_BYTES = 80 * 1024**2
# Longest wait for a connection to a cluster, s.
CONNECT_S = 10.0
# A cluster of this machine alone listens on loopback only, and to this command only.
LOCAL = {
    'RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER': '0',
    'RAY_AUTH_MODE': 'token',
    'RAY_AUTH_TOKEN': secrets.token_hex(32),
}


class ClusterError(Exception):
    """A cluster that cannot be used; the text says why."""


class Job(NamedTuple):
    """What an actor is doing."""

    machine: str
    actor: Any
    # None: it loads the network.
    source: Input | None = None


class Actor:
    """A process on a machine of the cluster, which loads the network once.

    Parameters
    ----------
    folder
        To which relative paths refer.
    make_worker
        Loads the network.
    """

    def __init__(self, folder: str, make_worker: Callable[[], Worker]) -> None:
        os.chdir(folder)
        self.worker = make_worker()

    def load(self) -> Outcome:
        """Return once the network is loaded."""
        return Outcome()

    def process(self, source: Input) -> Outcome:
        """Process an input."""
        outcome = Outcome()
        self.worker.process(source, outcome)
        return outcome


class Cluster:
    """A connection to Ray, and one actor on each machine; use it as a context.

    Parameters
    ----------
    address
        HOST:PORT or auto. '': RAY_ADDRESS, or a cluster of this machine alone, which ends with the
        context.
    make_worker
        Loads the network on each machine.

    Raises
    ------
    ClusterError
        If Ray is not installed, or there is no cluster at the address.
    """

    def __init__(self, address: str, make_worker: Callable[[], Worker]) -> None:
        address = address or os.environ.get('RAY_ADDRESS', '')
        # Read when Ray is imported. Without the first it reports its use to its makers.
        os.environ |= {'RAY_USAGE_STATS_ENABLED': '0', **({} if address else LOCAL)}
        try:
            import ray
        except ImportError as error:
            text = f"--ray needs Ray: pip install 'ray>=2.9,<3' ({error})"
            raise ClusterError(text) from error
        self.ray, self.make_worker = ray, make_worker
        self.folder = ''
        # References of results that are awaited, and actors without a job.
        self.busy: dict[Any, Job] = {}
        self.idle: list[Job] = []
        try:
            self._connect(address)
            for machine in self._machines():
                self.hire(machine)
        except BaseException:  # also an interrupt: no context has been entered that would close it
            self.close()
            raise

    def _connect(self, address: str) -> None:
        options: dict[str, Any] = {'address': address}
        if not address:
            # Ray puts sockets there, whose paths may have at most 107 characters.
            self.folder = tempfile.mkdtemp(prefix='pose3d-ray-', dir='/tmp')
            options = {
                'address': 'local',
                'include_dashboard': False,
                'object_store_memory': STORE_BYTES,
                '_temp_dir': self.folder,
            }
        try:
            _check_reachable(address)
            self.ray.init(**options, logging_level='warning')
        except (OSError, RuntimeError, ValueError) as error:
            where = f'at {address}' if address else 'on this machine'
            raise ClusterError(f'no Ray cluster can be used {where}: {error}') from error

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the actors, and the cluster if it is of this machine alone."""
        self.ray.shutdown()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _machines(self) -> list[str]:
        """Return the ids of the machines that may compute."""
        return [
            node['NodeID']
            for node in self.ray.nodes()
            if node['Alive'] and node['Resources'].get('CPU')
        ]

    def hire(self, machine: str) -> None:
        """Start an actor on a machine."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        where = NodeAffinitySchedulingStrategy(machine, soft=False)
        # It uses all processors of the machine, whatever it declares: it is the only one there.
        kind = self.ray.remote(num_cpus=1, scheduling_strategy=where)(Actor)
        actor = kind.remote(os.getcwd(), self.make_worker)
        self.busy[actor.load.remote()] = Job(machine, actor)

    def give(self, waiting: deque[Input]) -> None:
        """Give inputs to the actors without a job."""
        while self.idle and waiting:
            job = self.idle.pop()._replace(source=waiting.popleft())
            self.busy[job.actor.process.remote(job.source)] = job

    def result(self) -> tuple[Job, Outcome | str]:
        """Wait for the next result: an outcome, or the reason why an actor is lost."""
        (reference, *_), _ = self.ray.wait(list(self.busy))
        job = self.busy.pop(reference)
        errors = self.ray.exceptions
        try:
            outcome: Outcome = self.ray.get(reference)
        except errors.RayTaskError:  # a bug
            raise
        except errors.RayError as error:
            return job, str(error).strip().splitlines()[-1]
        self.idle.append(job)
        return job, outcome


def _check_reachable(address: str) -> None:
    """Raise an OSError if nothing listens at HOST:PORT: Ray itself would wait for minutes."""
    host, colon, port = address.rpartition(':')
    if colon and port.isdecimal() and '/' not in host:
        socket.create_connection((host, int(port)), CONNECT_S).close()


def process_inputs(
    inputs: Sequence[Input], make_worker: Callable[[], Worker], address: str, outcome: Outcome
) -> None:
    """Process inputs, each on the next machine that is free, and update the outcome.

    An input whose actor or machine is lost is tried again, and goes on where it was. Bugs are
    raised.

    Parameters
    ----------
    inputs
        Their paths, and those of the results, are the same on all machines.
    make_worker
        Loads the network on each machine.
    address
        As for `Cluster`.
    outcome
        Is updated.

    Raises
    ------
    ClusterError
        As `Cluster`, or if no machine can load the network.
    """
    waiting, tries = deque(inputs), Counter[Input]()
    with Cluster(address, make_worker) as cluster:
        while cluster.busy and (waiting or any(job.source for job in cluster.busy.values())):
            job, result = cluster.result()
            if isinstance(result, Outcome):
                outcome.add(result)
            elif job.source is None:
                text = f'a machine of the cluster is not used: {result}'
                print(f'pose3d process: {text}', file=sys.stderr)
            else:
                tries[job.source] += 1
                if tries[job.source] < TRIES:
                    waiting.appendleft(job.source)
                else:
                    outcome.problems.append(f'{job.source.path} failed {TRIES} times: {result}')
                cluster.hire(job.machine)
            cluster.give(waiting)
    if waiting:
        raise ClusterError(
            f'no machine of the cluster is left for {counted(len(waiting), "input")}'
        )
