"""Child processes that never outlive their parent, however it ends."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG = 1  # prctl(2)


def start_child(
    command: Sequence[str | Path],
    *,
    output: int | IO[bytes] = subprocess.DEVNULL,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    user: str | None = None,
    signal_at_parents_death: signal.Signals = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own, so that Ctrl-C reaches the parent alone, which then ends it in order.

    Call it from the main thread: Linux counts the end of the calling *thread* as the parent's death.
    """
    return subprocess.Popen(  # noqa: S603
        [str(part) for part in command],
        stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=env, cwd=cwd, user=user,
        start_new_session=True, preexec_fn=_end_with_parent(signal_at_parents_death),  # noqa: PLW1509 (the child only calls prctl)
    )  # fmt: skip


def _end_with_parent(signal_number: signal.Signals) -> Callable[[], None] | None:
    """Runs in the child, after it became its user: a change of user would clear the wish."""
    if sys.platform != "linux":
        return None
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def wish() -> None:
        prctl(_PR_SET_PDEATHSIG, signal_number)
        if os.getppid() != parent:  # it died before the wish was heard
            os._exit(1)

    return wish
