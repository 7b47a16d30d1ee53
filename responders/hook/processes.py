"""Several hooks in one: a process that takes the connections and hands them on, and the ones that work.

Copies that meet in one process share a commit. So a process gets as many connections as it has to the relay before the
next one gets its first: shared out evenly, ten of them cost two processes a quarter more CPU a copy than one, and took
longer.
"""

import contextlib
import ctypes
import os
import selectors
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from responders.hook.relay import CONNECTIONS

_STOP = (signal.SIGTERM, signal.SIGINT)
_PR_SET_PDEATHSIG = 1  # prctl(2)


@dataclass
class Worker:
    """A process that works: where it is handed connections, and how many of them are open. It tells which end."""

    pid: int
    door: socket.socket
    connections: int = 0


def fork(count: int, listeners: Sequence[socket.socket]) -> tuple[int, socket.socket]:
    """In each of `count` new processes return its place, from 0, and the door at which it is handed connections that
    came to the listeners, one with each octet; it writes an octet for each that has ended. This process ends when they
    have ended.

    SIGTERM and SIGINT go to all of them. Where one ends by itself the others are told to, so that whoever started this
    one starts all anew; where this one is killed, they finish what they have taken and end too (on Linux). Raises
    SystemExit here, with the first status that is not 0. Call it before any thread runs.
    """
    # One that came in between would end this process alone.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)
    workers: list[Worker] = []
    parent = os.getpid()
    for place in range(count):
        ours, theirs = socket.socketpair()
        child = os.fork()
        if child == 0:
            for not_its_own in (ours, *listeners, *(worker.door for worker in workers)):
                not_its_own.close()
            _end_with(parent)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP)
            return place, theirs
        theirs.close()
        workers.append(Worker(child, ours))
    raise SystemExit(_Parent(workers, listeners).run())


def _end_with(parent: int) -> None:
    """In a child: be told to stop when the parent is gone. Nobody else would tell it."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # gone before the wish was heard
        os._exit(1)


def next_worker(workers: Sequence[Worker]) -> Worker:
    """Who gets the next connection: the first that has room, or whoever has the fewest."""
    with_room = (worker for worker in workers if worker.connections < CONNECTIONS)
    return next(with_room, None) or min(workers, key=lambda worker: worker.connections)


class _Parent:
    """Accepts, hands on, waits, passes signals on."""

    def __init__(self, workers: list[Worker], listeners: Sequence[socket.socket]) -> None:
        self._workers = workers
        self._told: set[int] = set()
        self._status = 0
        self._must_stop = False
        self._selector = selectors.DefaultSelector()
        for listener in listeners:
            listener.setblocking(False)
            self._selector.register(listener, selectors.EVENT_READ, self._hand_on)
        for worker in workers:
            worker.door.setblocking(False)
            self._selector.register(worker.door, selectors.EVENT_READ, self._hear)
        self._listeners = list(listeners)

    def run(self) -> int:
        """Until all have ended; the first status that is not 0."""
        awake, wakes = socket.socketpair()
        for end in (awake, wakes):
            end.setblocking(False)
        signal.set_wakeup_fd(wakes.fileno())
        for number in _STOP:
            signal.signal(number, self._stop_soon)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        self._selector.register(awake, selectors.EVENT_READ, lambda end: end.recv(4096))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP)
        while self._workers:
            for key, _events in self._selector.select():
                key.data(key.fileobj)
            self._look_who_ended()
            if self._must_stop:
                self._stop()
        return self._status

    def _hand_on(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):  # whoever came has gone, or the worker is going: they come again
            connection, _address = listener.accept()
            with connection:
                for worker in self._workers:
                    self._hear(worker.door)
                worker = next_worker(self._workers)
                socket.send_fds(worker.door, [b"+"], [connection.fileno()])
                worker.connections += 1

    def _hear(self, door: socket.socket) -> None:
        """How many of a worker's connections have ended meanwhile."""
        try:
            ended = door.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            ended = b""
        for worker in self._workers:
            if worker.door is door:
                worker.connections -= len(ended)
        if not ended and door in self._selector.get_map():
            self._selector.unregister(door)

    def _look_who_ended(self) -> None:
        for worker in list(self._workers):
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if pid:
                self._workers.remove(worker)
                code = os.waitstatus_to_exitcode(status)
                self._status = self._status or (128 - code if code < 0 else code)
                self._must_stop = True

    def _stop_soon(self, _number: int, _frame: object) -> None:
        self._must_stop = True

    def _stop(self) -> None:
        """Once for each: a second signal would kill one that is on its way out."""
        while self._listeners:
            listener = self._listeners.pop()
            self._selector.unregister(listener)
            listener.close()
        for worker in self._workers:
            if worker.pid not in self._told:
                self._told.add(worker.pid)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker.pid, signal.SIGTERM)
