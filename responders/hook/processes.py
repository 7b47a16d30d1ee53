"""Several hooks in one: a process that forks, waits and passes signals on, and the ones that work."""

import contextlib
import ctypes
import os
import signal
import sys
from types import FrameType

_STOP = (signal.SIGTERM, signal.SIGINT)
_PR_SET_PDEATHSIG = 1  # prctl(2)


def fork(count: int) -> int:
    """In each of `count` new processes return its place, from 0; this one ends when they have ended.

    SIGTERM and SIGINT go to all of them. Where one ends by itself the others are told to, so that whoever started this
    one starts all anew; where this one is killed, they finish what they have taken and end too (on Linux). Raises
    SystemExit here, with the first status that is not 0. Call it before any thread runs.
    """
    # One that came in between would end this process alone.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)
    children: list[int] = []
    parent = os.getpid()
    for place in range(count):
        child = os.fork()
        if child == 0:
            _end_with(parent)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP)
            return place
        children.append(child)
    raise SystemExit(_wait(children))


def _end_with(parent: int) -> None:
    """In a child: be told to stop when the parent is gone. Nobody else would, and it would keep the port."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # gone before the wish was heard
        os._exit(1)


def _wait(children: list[int]) -> int:
    told: set[int] = set()

    def stop(_number: int = 0, _frame: FrameType | None = None) -> None:
        """Once: a second signal would kill one that is on its way out."""
        to_tell = set(children) - told
        told.update(to_tell)
        for child in to_tell:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGTERM)

    for number in _STOP:
        signal.signal(number, stop)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP)
    first = 0
    while children:
        ended, status = os.wait()
        children.remove(ended)
        code = os.waitstatus_to_exitcode(status)
        first = first or (128 - code if code < 0 else code)
        stop()
    return first
