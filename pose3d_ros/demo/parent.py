"""End a child process with its parent, however that ends: nodes must not run on unattended."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

# Of prctl(2), <linux/prctl.h>.
PR_SET_PDEATHSIG = 1


def end_with(parent: int) -> None:
    """Let the kernel send this process SIGTERM when its parent ends; Linux only.

    Called by the child rather than between fork and exec, where threads of the parent could hold
    locks for ever.

    Parameters
    ----------
    parent
        Process id of the parent, which may have ended already.

    Raises
    ------
    SystemExit
        If the parent has ended already.
    """
    if sys.platform != 'linux':
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        raise SystemExit(0)
