"""A node as a process: start, signals, end."""

from __future__ import annotations

import ctypes
import signal
import threading
from collections.abc import Callable

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.logging import get_logger
from rclpy.signals import SignalHandlerOptions

# How long a wait of ROS may take: it does not end for a signal.
STOP_WITHIN_S = 0.1


class Stop(threading.Event):
    """Set by SIGINT and SIGTERM.

    Until `heeded` is set, by a loop that looks at it, a signal raises KeyboardInterrupt as well:
    loading a network or opening a video does not look.
    """

    heeded = False


def run(
    name: str,
    work: Callable[[Stop], int],
    args: list[str] | None,
    errors: tuple[type[Exception], ...],
) -> int:
    """Start ROS, do the work, end ROS.

    Parameters
    ----------
    name
        For the log.
    work
        Makes a node and runs it until it has done or its argument is set; gives the exit status.
    args
        Of the command line; None: the process's own.
    errors
        What a wrong configuration raises: logged in a line. Others are bugs, and crash.

    Returns
    -------
    int
        That of the work, 0 where a signal ended it, 1 for one of `errors`.
    """
    keep_memory()
    stop = Stop()

    def on_signal(*_: object) -> None:
        # One Ctrl-C may come as several signals, from the terminal and from ros2 launch.
        first = not stop.is_set()
        stop.set()
        if first and not stop.heeded:
            raise KeyboardInterrupt

    handlers = {s: signal.signal(s, on_signal) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        # rclpy's own handlers shut ROS down under a node that is publishing, which then fails.
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
        # Whoever asks a node to end gets 0, whatever that cut short.
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


def keep_memory() -> None:
    """Have glibc reuse the memory of the last image instead of asking the kernel for new.

    An image is copied several times on its way, and fresh pages for it can cost more than the
    rest: decoding a 1920x1080 image and making its message took 16 ms of CPU, and with this 5 ms
    (on a virtual machine, where pages are dear).
    """
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    if mallopt:  # neither musl nor macOS has it
        mallopt(-1, 256 << 20)  # M_TRIM_THRESHOLD
        mallopt(-3, 32 << 20)  # M_MMAP_THRESHOLD, the most that is allowed
