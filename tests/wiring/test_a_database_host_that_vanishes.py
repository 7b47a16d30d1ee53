"""A database host that is gone without a word, as when its power or a cable fails: its packets come no more."""

import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection

from responders.management.commands.lmtpd import database_parameters
from tests.network import OURS, WEB_SERVER, Host, network

# Of the kernel it would be a quarter of an hour; the panel says 20 seconds.
PATIENCE = 180


class DatabaseHost:
    """The tests' PostgreSQL at an address of another host, which can vanish."""

    def __init__(self, panel: Host, world: Host, socket_of_postgres: Path) -> None:
        self.panel, self._world, self._postgres = panel, world, str(socket_of_postgres)
        self._listener = world.run(lambda: socket.create_server((WEB_SERVER, 0)))
        self.port = self._listener.getsockname()[1]
        self._carried: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @contextmanager
    def vanished(self) -> Iterator[None]:
        """Nothing that it says arrives."""
        route = ["ip", "-n", self._world.name, "route", "{}", "blackhole", f"{OURS}/32"]
        subprocess.run([word.format("add") for word in route], check=True)
        try:
            yield
        finally:
            subprocess.run([word.format("delete") for word in route], check=True)

    def connect(self, **more: Any) -> psycopg.Connection:
        parameters = database_parameters() | {"host": WEB_SERVER, "port": self.port, "autocommit": True} | more
        return self.panel.run(lambda: psycopg.connect(**parameters))

    def close(self) -> None:
        for one in (self._listener, *self._carried):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                here, _address = self._listener.accept()
                there = socket.socket(socket.AF_UNIX)
                there.connect(self._postgres)
                self._carried += [here, there]
                for pair in ((here, there), (there, here)):
                    threading.Thread(target=_pump, args=pair, daemon=True).start()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while octets := source.recv(65536):
            target.sendall(octets)


@pytest.fixture
def database_host(db: None) -> Iterator[DatabaseHost]:
    parameters = database_parameters()
    with network() as (panel, world):
        host = DatabaseHost(panel, world, Path(parameters["host"]) / f".s.PGSQL.{parameters['port']}")
        yield host
        host.close()


def test_the_panel_gives_it_up_in_every_state_of_a_connection(database_host: DatabaseHost) -> None:
    """Before anything was asked, while an answer is waited for, and when somebody new comes."""
    resting, working = database_host.connect(), database_host.connect()
    asked = threading.Event()

    def works() -> object:
        asked.set()
        return working.execute("SELECT pg_sleep(3600)")

    with ThreadPoolExecutor() as threads:
        at_work = threads.submit(given_up, works)
        asked.wait()
        _wait_until_it_sleeps(working)
        try:
            with database_host.vanished():
                others = [
                    threads.submit(given_up, lambda: resting.execute("SELECT 1")),
                    threads.submit(given_up, database_host.connect),
                ]
                words = [one.result(PATIENCE) for one in (at_work, *others)]
        finally:
            _end(resting, working)
    assert all("timed out" in said or "timeout" in said for said in words), words


def given_up(what: Callable[[], object]) -> str:
    """What is said when it fails, as it must."""
    with pytest.raises(psycopg.OperationalError) as failed:
        what()
    return str(failed.value)


def _end(*connections: psycopg.Connection) -> None:
    """Who waits all the same waits no longer: this test fails then, and does not hang."""
    with connection.cursor() as cursor:
        for one in connections:
            with suppress(OSError, psycopg.OperationalError), socket.socket(fileno=os.dup(one.fileno())) as wire:
                wire.shutdown(socket.SHUT_RDWR)
            cursor.execute("SELECT pg_terminate_backend(%s)", [one.info.backend_pid])


def _wait_until_it_sleeps(working: psycopg.Connection) -> None:
    with connection.cursor() as cursor:
        for _time in range(6_000):
            cursor.execute(
                "SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = %s", [working.info.backend_pid]
            )
            if cursor.fetchone() == (True,):
                return
            cursor.execute("SELECT pg_sleep(0.01), pg_stat_clear_snapshot()")
    raise AssertionError("it does not begin")
