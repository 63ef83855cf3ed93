"""Run a node as a process: start, signals, exit status."""

from __future__ import annotations

import contextlib
import ctypes
import signal
import threading
from collections.abc import Callable, Iterator

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import SingleThreadedExecutor
from rclpy.logging import get_logger
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from pose3d_ros.ros.log_files import log_arguments

# Longest wait inside ROS, s, which a signal does not interrupt.
STOP_WITHIN_S = 0.1


class Stop(threading.Event):
    """Set by SIGINT and SIGTERM.

    A loop that polls it sets `polled`. Until then a signal raises KeyboardInterrupt as well,
    because loading a network or opening a video does not poll.
    """

    polled = False


def run(
    name: str,
    work: Callable[[Stop], int],
    args: list[str] | None,
    errors: tuple[type[Exception], ...],
) -> int:
    """Initialise ROS, run the work, shut ROS down.

    Parameters
    ----------
    name
        Name of the logger.
    work
        Creates a node and runs it until it is done or its argument is set. Returns the exit
        status.
    args
        Command line arguments. None: those of the process.
    errors
        Exceptions of a wrong configuration, which are logged in one line. Others are bugs and
        end the process with a traceback.

    Returns
    -------
    int
        Exit status: that of the work, 0 if a signal ended it, 1 for one of `errors`.
    """
    keep_memory()
    stop = Stop()

    def on_signal(*_: object) -> None:
        # One Ctrl-C may come as several signals, from the terminal and from ros2 launch.
        first = not stop.is_set()
        stop.set()
        if first and not stop.polled:
            raise KeyboardInterrupt

    handlers = {s: signal.signal(s, on_signal) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        # rclpy's own handlers shut ROS down under a node that is publishing, which then fails.
        if error_text := _init(args):
            get_logger(name).fatal(error_text)
            return 1
        # A node that a signal ends has exit status 0, whatever was interrupted.
        return work(stop) and int(not stop.is_set())
    except KeyboardInterrupt:
        pass
    except (ParameterException, *errors) as error:
        get_logger(name).fatal(str(error))
        return 1
    finally:
        rclpy.try_shutdown()
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return 0


@contextlib.contextmanager
def executor_of(node: Node) -> Iterator[SingleThreadedExecutor]:
    """Provide an executor of a node; destroy both in the end, also after an error.

    rclpy destroys the nodes that are left when ROS is shut down, but with its context locked. A
    node that waits for a thread that needs the context, as the one that receives TF, would wait
    forever.
    """
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        yield executor
    finally:
        executor.shutdown()
        node.destroy_node()


def stop_on_signals() -> threading.Event:
    """Return what SIGINT, SIGTERM and SIGHUP set; one that is ignored, as by nohup, stays so."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda *_: stop.set())
    return stop


def _init(args: list[str] | None) -> str:
    """Initialise ROS; return why its arguments or parameter files cannot be read, or ''."""
    try:
        rclpy.init(args=log_arguments(args), signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:  # RCLError, whose text ends with places in the source of rcl
        return str(error).split(', at /')[0]
    return ''


def keep_memory() -> None:
    """Make glibc reuse the memory of the last image instead of requesting new pages.

    An image is copied several times, and fresh pages can cost more than the copies: decoding a
    1920x1080 image and serialising its message took 16 ms of CPU time without this and 5 ms with
    it (on a virtual machine, where page faults are expensive).
    """
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    if mallopt:  # neither musl nor macOS has it
        mallopt(-1, 256 << 20)  # M_TRIM_THRESHOLD
        mallopt(-3, 32 << 20)  # M_MMAP_THRESHOLD, the largest allowed value
