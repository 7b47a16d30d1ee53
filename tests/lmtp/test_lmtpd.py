"""`manage.py lmtpd` as a program of its own: start, health, memory, draining."""

import contextlib
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.db import connection

from mailboxes.models import Mailbox
from responders.models import Decision, Responder
from tests.lmtp.name_server import NameServer
from tests.lmtp.parts import SENDER, Client, Relay, copy, message, wait_for
from webmail_panel.embedded import free_port

MEGABYTE = 1024 * 1024
Start = Callable[..., "Program"]


def two_free_ports() -> int:
    """The first of two that follow each other: a second process of the hook has its health at the second."""
    while True:
        port = free_port()
        with socket.socket() as second, contextlib.suppress(OSError):
            second.bind(("127.0.0.1", port + 1))
            return port


class Program:
    """A running `manage.py lmtpd`."""

    def __init__(self, relay_url: str, *arguments: str) -> None:
        self.port, self.health_port = free_port(), two_free_ports()
        parameters = connection.get_connection_params()
        database = (
            f"postgresql://{parameters['user']}:{parameters['password']}@/{parameters['dbname']}"
            f"?host={parameters['host']}&port={parameters['port']}"
        )
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "lmtpd", *(arguments or (f"--listen=127.0.0.1:{self.port}",)),
             f"--health=127.0.0.1:{self.health_port}"],
            cwd=settings.BASE_DIR,
            env=os.environ | {"DATABASE_URL": database, "RELAY_URL": relay_url, "REQUIRE_STAFF_MFA": "1"},
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def health(self) -> int:
        """The status of the health port; 0 while nobody listens there."""
        asking = http.client.HTTPConnection("127.0.0.1", self.health_port, timeout=5)
        try:
            asking.request("GET", "/")
            return asking.getresponse().status
        except OSError:
            return 0
        finally:
            asking.close()

    def resident(self) -> int:
        """Resident memory in octets."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def stop(self) -> str:
        """End it; what it wrote to stderr."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        _out, written = self.process.communicate(timeout=300)
        return written


@pytest.fixture
def start(relay: Relay, db: None) -> Iterator[Start]:
    running: list[Program] = []

    def start_program(*arguments: str, relay_url: str = relay.url) -> Program:
        program = Program(relay_url, *arguments)
        running.append(program)
        assert wait_for(lambda: program.health() == 200 or program.process.poll() is not None)
        return program

    yield start_program
    for program in running:
        program.stop()


def test_two_programs_never_send_more_than_the_brake_allows(
    start: Start, relay: Relay, standing_reply: Responder
) -> None:
    Mailbox.objects.update(replies_per_hour=25)
    programs = [start(), start()]

    def write(number: int) -> None:
        with Client(programs[number % 2].port) as client:
            client.deliver(f"{number}@peer.example", [copy("anna@firma.example")], message())

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(write, range(120)))
    assert len(relay.contents) == 25
    found = list(Decision.objects.values_list("reason", flat=True))
    assert (found.count("replied"), found.count("rate-limited")) == (25, 95)


def test_it_asks_the_name_server_of_its_settings(
    start: Start, relay: Relay, standing_reply: Responder, monkeypatch: pytest.MonkeyPatch
) -> None:
    name_server = NameServer()
    name_server.zone = {"null.example": ["0 ."], "peer.example": ["10 mx.example."]}
    monkeypatch.setenv("CHECK_SENDER_DOMAINS", "1")
    monkeypatch.setenv("DNS_SERVER", name_server.address)
    program = start()
    for sender in ("jan@null.example", "jan@nowhere.example", "jan@peer.example", "ewa@peer.example"):
        with Client(program.port) as client:
            client.deliver(sender, [copy("anna@firma.example")], message())
    name_server.stop()
    assert [paths for _null, paths in relay.envelopes] == [["jan@peer.example"], ["ewa@peer.example"]]
    assert name_server.asked == ["null.example", "nowhere.example", "peer.example"]


def test_its_memory_stays_bounded_and_it_drains(start: Start, relay: Relay, standing_reply: Responder) -> None:
    program = start()
    with Client(program.port) as client:
        client.deliver(SENDER, [copy("anna@firma.example")], message())  # everything is loaded now
    before = program.resident()
    with Client(program.port) as client:
        client.begin("big@nadawca.example", [copy("anna@firma.example")])
        client.send(message())
        for _megabyte in range(50):
            client.send(b"0123456789abcdef" * 65536)
        during = program.resident()
        client.send(b"\r\n.\r\n")
        assert client.reply() == "250 2.0.0 Decided"
    assert len(relay.contents) == 2
    assert during - before < 8 * MEGABYTE

    with Client(program.port) as busy, Client(program.port) as idle:
        busy.begin("late@nadawca.example", [copy("anna@firma.example")])
        busy.send(message())
        program.process.send_signal(signal.SIGTERM)
        assert idle.reply().startswith("421 4.3.2")
        assert program.health() == 503
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", program.port))
        busy.send(b".\r\n")
        assert busy.reply() == "250 2.0.0 Decided"
        assert busy.reply().startswith("421 4.3.2")
        assert busy.reply() == ""
    assert program.process.wait(60) == 0
    assert Decision.objects.filter(reason="replied").count() == 3


def test_a_taken_port_is_one_clear_line(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        program = start(f"--listen=127.0.0.1:{port}")
        written = program.stop()
    assert program.process.returncode == 1
    assert len(written.splitlines()) == 1
    assert f"127.0.0.1:{port}" in written


def test_a_socket_that_a_dead_hook_left_is_taken_over_and_a_living_ones_is_not(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "hook.sock"
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(path))
    dead.close()
    living = start(f"--listen=unix:{path}")
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        assert client.recv(100).startswith(b"220 ")
    late = start(f"--listen=unix:{path}")
    assert "another program listens there" in late.stop()
    assert late.process.returncode == 1
    assert living.process.poll() is None


def test_health_says_no_without_a_database(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = connection.get_connection_params()
    monkeypatch.setattr(connection, "get_connection_params", lambda: parameters | {"dbname": "nowhere"})
    program = Program("smtp://127.0.0.1:1")
    try:
        assert wait_for(lambda: program.health() != 0)
        assert program.health() == 503
    finally:
        program.stop()


def test_health_says_no_while_the_database_is_away_and_yes_when_it_is_back(start: Start) -> None:
    """The same program, with no restart of its own."""
    name = connection.settings_dict["NAME"]
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as server:
        [since] = server.execute("SELECT clock_timestamp()").fetchone() or [None]
        program = start()
        server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        try:
            server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND backend_start > %s",
                [name, since],
            )
            assert wait_for(lambda: program.health() == 503)
        finally:
            server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
    assert wait_for(lambda: program.health() == 200)
    assert program.process.poll() is None


def test_several_processes_share_a_port_and_end_together(start: Start, relay: Relay, standing_reply: Responder) -> None:
    port = free_port()
    program = start(f"--listen=127.0.0.1:{port}", "--processes=2")
    program.health_port += 1
    assert wait_for(lambda: program.health() == 200)
    children = Path(f"/proc/{program.process.pid}/task/{program.process.pid}/children").read_text().split()
    assert len(children) == 2
    for number in range(8):  # connections: they go to one or the other
        with Client(port) as client:
            client.deliver(f"jan{number}@nadawca.example", [copy("anna@firma.example")], message())
    assert len(relay.contents) == 8
    program.stop()
    assert program.process.returncode == 0
    assert not any(Path(f"/proc/{child}").exists() for child in children)


def test_where_one_process_dies_the_others_end_too(start: Start) -> None:
    program = start(f"--listen=127.0.0.1:{free_port()}", "--processes=2")
    first, *_others = Path(f"/proc/{program.process.pid}/task/{program.process.pid}/children").read_text().split()
    os.kill(int(first), signal.SIGKILL)
    assert wait_for(lambda: program.process.poll() is not None)
    assert program.process.returncode == 128 + signal.SIGKILL


def test_where_the_parent_is_killed_the_others_end_too_and_leave_the_port(start: Start) -> None:
    port = free_port()
    program = start(f"--listen=127.0.0.1:{port}", "--processes=2")
    children = Path(f"/proc/{program.process.pid}/task/{program.process.pid}/children").read_text().split()
    assert len(children) == 2
    program.process.kill()
    program.process.wait(60)
    assert wait_for(lambda: not any(Path(f"/proc/{child}").exists() for child in children))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


def test_several_processes_listen_on_a_path_too(start: Start, tmp_path: Path) -> None:
    program = start(f"--listen=unix:{tmp_path}/hook", "--processes=2")
    with socket.socket(socket.AF_UNIX) as asked, asked.makefile("rb") as answers:
        asked.connect(f"{tmp_path}/hook")
        assert answers.readline().startswith(b"220 ")
    program.stop()
    assert program.process.returncode == 0


def test_several_processes_say_where_they_cannot_listen(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        program = start(f"--listen=127.0.0.1:{taken.getsockname()[1]}", "--processes=2")
        assert "Address already in use" in program.stop()
    assert program.process.returncode == 1


def test_the_first_process_has_a_commits_worth_of_connections_before_the_next_has_one(start: Start) -> None:
    port = free_port()
    program = start(f"--listen=127.0.0.1:{port}", "--processes=2")

    def shared_out(*wanted: int) -> bool:
        return wait_for(lambda: tuple(_connections(program.health_port + place) for place in range(2)) == wanted)

    assert shared_out(0, 0)
    with contextlib.ExitStack() as clients:
        first = [clients.enter_context(Client(port)) for _number in range(10)]
        assert shared_out(10, 0)
        for _number in range(3):
            clients.enter_context(Client(port))
        assert shared_out(10, 3)
        for client in first[:4]:
            client.hang_up()
        assert shared_out(6, 3)
        for _number in range(5):
            clients.enter_context(Client(port))
        assert shared_out(10, 4)


def _connections(health_port: int) -> int | None:
    """How many a process has; None while it does not say."""
    with contextlib.suppress(OSError, TypeError):
        page = urllib.request.urlopen(f"http://127.0.0.1:{health_port}/metrics", timeout=60).read().decode()
        return int(float(re.search(r"^webmail_panel_hook_connections (\S+)", page, re.MULTILINE)[1]))
    return None


def _run_nowhere(**environment: str) -> tuple[str, str]:
    """What a hook that cannot start says on stderr, and whether it had loaded the pages."""
    code = (
        "import sys; from django.core.management import execute_from_command_line as run\n"
        "try: run(['manage.py', 'lmtpd', '--listen=nowhere'])\n"
        "finally: print('webmail_panel.urls' in sys.modules)"
    )
    settings_module = {"DJANGO_SETTINGS_MODULE": "webmail_panel.settings"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=settings.BASE_DIR, env=os.environ | settings_module | environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stderr, done.stdout.strip()


def test_it_does_not_keep_the_pages_of_the_panel_in_memory() -> None:
    said, has_pages = _run_nowhere()
    assert "nowhere is neither HOST:PORT nor unix:PATH" in said
    assert has_pages == "False"


def test_it_refuses_a_bad_setting() -> None:
    said, _has_pages = _run_nowhere(AUTOREPLY_DOMAIN="No Domain")
    assert "AUTOREPLY_DOMAIN “No Domain” is not a domain" in said
    assert "nowhere" not in said
