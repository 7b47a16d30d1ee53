"""The servers of both sides: PostgreSQL with fsync on, the hook with everything on, Dovecot with Pigeonhole."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg

from bench.measure import cpu_of_tree
from webmail_panel import embedded

ROOT = Path(__file__).resolve().parent.parent
MANAGE = [sys.executable, str(ROOT / "manage.py")]
ANNA = "anna@bench.example"
DOVECOT = Path("/usr/sbin/dovecot")
_CONFIGURATION = """
protocols = lmtp
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/dovecot.log
ssl = no
mail_location = maildir:~/Maildir
first_valid_uid = 1
default_internal_user = dovecot
default_login_user = dovenull
postmaster_address = postmaster@bench.example
hostname = panel.example
submission_host = 127.0.0.1:{sink}
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home={folder}/home/%u allow_all_users=yes
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {port}
  }}
  unix_listener lmtp {{
    mode = 0600
  }}
}}
protocol lmtp {{
  mail_plugins = sieve
}}
plugin {{
  sieve_before = {folder}/vacation.sieve
  sieve_user_email = anna@bench.example
}}
"""
# The message is discarded after its rules, so that answering alone is compared.
SIEVE = """require ["vacation"];
vacation :days 7 :subject "Auto: Pytanie" text:
Dziękuję za wiadomość. Jestem poza biurem.
.
;
discard;
"""


@dataclass(frozen=True)
class Database:
    """A PostgreSQL of its own with one mailbox, anna@bench.example, and a standing reply."""

    pid: int
    url: str

    def run(self, statement: str, *parameters: object) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement, parameters or None)  # type: ignore[arg-type]

    def ask(self, statement: str) -> object:
        with psycopg.connect(self.url, autocommit=True) as connection:
            row = connection.execute(statement).fetchone()  # type: ignore[arg-type]
        return row[0] if row else None


@dataclass(frozen=True)
class Side:
    """One of the two that are compared: where it listens, which processes count, where its replies go."""

    port: int
    pids: tuple[int, ...]
    sink_port: int


@contextmanager
def database() -> Iterator[Database]:
    """The settings of everything that is started while it runs are in the environment."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    folder.chmod(0o755)
    postgres = embedded.start_postgres(folder / "postgres")
    try:
        os.environ.update(
            DATABASE_URL=postgres.url(), SECRET_KEY="x" * 60, DEBUG="0", MAIL_HOSTNAME="panel.example",
            LOG_LEVEL="INFO", VAR_DIR=str(folder),
            # Counted as ever, and never drawn.
            MAILBOX_REPLIES_PER_HOUR="1000000000", DOMAIN_REPLIES_PER_HOUR="1000000000",
        )  # fmt: skip
        make_a_mailbox()
        assert postgres.process is not None
        yield Database(postgres.process.pid, postgres.url())
    finally:
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)


def make_a_mailbox() -> None:
    _manage("migrate", "--verbosity=0")
    _manage("mailbox", "add", ANNA, "--name", "Anna", "--create-domain")
    words = ["--type", "standing", "--subject", "Auto: {{ subject }}", "--text-file", "-"]
    _manage("responder", "set", ANNA, *words, stdin="Dziękuję, {{ sender.name }}.\n")


def _manage(*arguments: str, stdin: str = "") -> None:
    subprocess.run([*MANAGE, *arguments], cwd=ROOT, input=stdin, text=True, check=True, stdout=subprocess.DEVNULL)


@contextmanager
def sink() -> Iterator[int]:
    """A sink's port."""
    port = embedded.free_port()
    with _program([sys.executable, "-m", "bench.sink", str(port)], port):
        yield port


@contextmanager
def hooks(count: int = 1, processes: int = 1, **settings: str) -> Iterator[tuple[list[int], list[int], int]]:
    """So many hooks, each of so many processes, with one relay: their pids, their ports, the relay's port."""
    with ExitStack() as running:
        relay_port = running.enter_context(sink())
        settings = {
            "RELAY_URL": f"smtp://127.0.0.1:{relay_port}", "DNS_SERVER": f"127.0.0.1:{relay_port}",
            "CHECK_SENDER_DOMAINS": "1",
        } | settings  # fmt: skip
        pids, ports = [], []
        for _number in range(count):
            port, health = embedded.free_port(), embedded.free_port()
            command = [*MANAGE, "lmtpd", f"--listen=127.0.0.1:{port}", f"--health=127.0.0.1:{health}"]
            command.append(f"--processes={processes}")
            pids.append(running.enter_context(_program(command, port, settings)))
            ports.append(port)
        yield pids, ports, relay_port


@contextmanager
def hook(postgres: Database, processes: int) -> Iterator[Side]:
    """Our side: a hook of so many processes, and the database."""
    with hooks(processes=processes) as (pids, ports, relay_port):
        yield Side(ports[0], (*pids, postgres.pid), relay_port)


@contextmanager
def pigeonhole() -> Iterator[tuple[Side, Path]]:
    """The other side, and the file in which it remembers whom it answered."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    folder.chmod(0o755)
    port = embedded.free_port()
    (folder / "home").mkdir()
    shutil.chown(folder / "home", "mail", "mail")
    try:
        with sink() as sink_port:
            (folder / "vacation.sieve").write_text(SIEVE)
            (folder / "dovecot.conf").write_text(_CONFIGURATION.format(folder=folder, port=port, sink=sink_port))
            subprocess.run(["sievec", "-c", folder / "dovecot.conf", folder / "vacation.sieve"], check=True)
            with _program([DOVECOT, "-F", "-c", folder / "dovecot.conf"], port) as pid:
                yield Side(port, (pid,), sink_port), folder / "home" / ANNA / ".dovecot.lda-dupes"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _program(command: list[str | Path], port: int, settings: dict[str, str] | None = None) -> Iterator[int]:
    """The pid of a program that listens on the port."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, cwd=ROOT, env=os.environ | (settings or {}), stdout=output, stderr=output)
        try:
            wait_for(port, process)
            yield process.pid
        except BaseException:
            output.seek(0)
            sys.stderr.write(output.read()[-3000:].decode(errors="replace"))
            raise
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(40)


def wait_for(port: int, process: subprocess.Popen[bytes] | None = None) -> None:
    for _attempt in range(400):
        if process is not None and process.poll() is not None:
            raise SystemExit("a program ended before it began to listen")
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise SystemExit(f"nobody listens on port {port}")


def settled(pids: tuple[int, ...], seconds: float = 0.5) -> None:
    """Wait until the processes rest: what one case left to do must not be counted for the next."""
    before = sum(map(cpu_of_tree, pids))
    while True:
        time.sleep(seconds)
        now = sum(map(cpu_of_tree, pids))
        if now - before < 0.02 * seconds:
            return
        before = now
