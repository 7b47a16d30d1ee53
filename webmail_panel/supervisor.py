"""Runs programs side by side, shows what they write, and ends all of them when one ends."""

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from webmail_panel.children import start_child

SECONDS_TO_END = 15.0


class ProgramEnded(RuntimeError):
    """A program ended that should have gone on; the text names it."""


@dataclass
class _Program:
    name: str
    process: subprocess.Popen[bytes]
    said: bytearray = field(default_factory=bytearray)  # all of it until the start is over, then the last line


class Supervisor:
    """One thread, one loop. Whoever made it calls `stop` in the end, whatever happened."""

    def __init__(self) -> None:
        self._programs: list[_Program] = []
        self._servers: list[tuple[str, subprocess.Popen[bytes], Callable[[], None]]] = []
        self._selector = selectors.DefaultSelector()
        self._shows_output = True

    def start(self, name: str, command: Sequence[str | Path], *, env: Mapping[str, str], cwd: Path) -> None:
        """Start a program; what it writes is shown with its name before every line."""
        process = start_child(command, output=subprocess.PIPE, env=env, cwd=cwd)
        program = _Program(name, process)
        self._programs.append(program)
        self._selector.register(_output(process), selectors.EVENT_READ, program)

    def watch(self, name: str, process: subprocess.Popen[bytes], stop: Callable[[], None]) -> None:
        """Watch a server that somebody else started; `stop` ends it after every program has ended."""
        self._servers.append((name, process, stop))

    def has_said(self, name: str, words: bytes) -> bool:
        """Whether the program has written these words since it started."""
        return any(words in program.said for program in self._programs if program.name == name)

    def wait_until(self, is_ready: Callable[[], bool], seconds: float) -> bool:
        """Wait for a condition; False when time is up. Raises ProgramEnded."""
        deadline = time.monotonic() + seconds
        while not is_ready():
            if time.monotonic() > deadline:
                return False
            self._attend(0.1)
        return True

    def run(self) -> None:
        """Go on until a program ends. Raises ProgramEnded."""
        while True:
            self._attend(1.0)

    def stop(self) -> None:
        """End the programs together, then the servers they use."""
        self._shows_output = False
        for program in self._programs:
            _send(program.process, signal.SIGTERM)
        deadline = time.monotonic() + SECONDS_TO_END
        while time.monotonic() < deadline and any(program.process.poll() is None for program in self._programs):
            self._pass_on_output(0.05)
        for program in self._programs:
            _send(program.process, signal.SIGKILL)  # the stubborn, and what a killed parent left behind
            program.process.wait()
        for _name, _process, stop in self._servers:
            stop()

    def _attend(self, seconds: float) -> None:
        self._pass_on_output(seconds)
        for name, process in [(p.name, p.process) for p in self._programs] + [s[:2] for s in self._servers]:
            if process.poll() is not None:
                self._pass_on_output(0)
                raise ProgramEnded(f"{name} ended unexpectedly ({_how_it_ended(process.returncode)})")

    def _pass_on_output(self, seconds: float) -> None:
        for key, _events in self._selector.select(seconds):
            program: _Program = key.data
            chunk = os.read(key.fd, 65536)
            if not chunk:
                self._selector.unregister(key.fileobj)
                continue
            program.said += chunk
            self._show(program, chunk)
            del program.said[:-65536]

    def _show(self, program: _Program, chunk: bytes) -> None:
        if not self._shows_output:
            return
        for line in chunk.decode(errors="replace").splitlines():
            sys.stdout.write(f"{program.name:<7}| {line}\n")
        sys.stdout.flush()


def _output(process: subprocess.Popen[bytes]) -> IO[bytes]:
    if process.stdout is None:
        raise ValueError("the program was started without a pipe")
    return process.stdout


def _send(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """To the whole group at the end, politely to its leader before."""
    with contextlib.suppress(ProcessLookupError):
        if number == signal.SIGKILL:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)


def _how_it_ended(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
