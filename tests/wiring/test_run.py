"""`make run` as a person meets it: it starts, works, ends, and starts again whatever happened."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, Request, build_opener

import psycopg
import pytest

from mailboxes import log_owner
from mailboxes.log_owner import Wall
from responders.management.commands.demodata import ADMINISTRATOR, OWNER, PASSWORD, SUPPORT
from tests.log_attacks import OF_A_ROLE_THAT_MAKES_NO_ROLES, attacks
from webmail_panel.embedded import DATABASE_OWNER, PANEL_ROLE, free_port

ROOT = Path(__file__).resolve().parents[2]
PORTS = ("HTTP_PORT", "LMTP_PORT", "DEMO_RELAY_PORT")


class Panel:
    """A panel in a folder of its own. `output` is what the terminal shows."""

    def __init__(self, var_dir: Path) -> None:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self.var_dir = var_dir
        self.env = kept | {name: str(free_port()) for name in PORTS} | {"VAR_DIR": str(var_dir)}
        self.log = var_dir.with_suffix(".log")
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def start(self) -> float:
        """Start it and wait until it says that it is ready; return the seconds this took."""
        began = time.monotonic()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                # A shell lets what it starts in the background ignore Ctrl-C; a terminal does not.
                ["env", "--default-signal=INT", sys.executable, "-m", "webmail_panel.run"], cwd=ROOT, env=self.env,
                stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        while "Webmail Panel is ready" not in self.output:
            assert self.process.poll() is None, self.output
            assert time.monotonic() < began + 180, self.output
            time.sleep(0.05)
        return time.monotonic() - began

    def end(self, number: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(180)

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command in another terminal: it knows VAR_DIR and nothing else."""
        env = {name: value for name, value in self.env.items() if name not in PORTS}
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT, env=env, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip

    def processes(self) -> dict[int, str]:
        """Every process on this machine that was started for this panel."""
        mark, found = f"VAR_DIR={self.var_dir}\0".encode(), {}
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if mark in (folder / "environ").read_bytes() + b"\0":
                    found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        return found

    def wait_until_nothing_runs(self, seconds: float = 120) -> dict[int, str]:
        deadline = time.monotonic() + seconds
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return left


@pytest.fixture(scope="module")
def var_dir() -> Iterator[Path]:
    """Made by the first test that starts a panel; the others find what it left, as on anybody's machine."""
    yield from _new_folder()


def _new_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="panel-run-"))
    folder.chmod(0o755)
    yield folder / "var"
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def panel(var_dir: Path) -> Iterator[Panel]:
    yield from _panel_in(var_dir)


@pytest.fixture
def panel_of_its_own() -> Iterator[Panel]:
    for folder in _new_folder():
        yield from _panel_in(folder)


def _panel_in(var_dir: Path) -> Iterator[Panel]:
    panel = Panel(var_dir)
    yield panel
    if panel.process is not None and panel.process.poll() is None:
        panel.end(signal.SIGTERM)


def sign_in(panel: Panel, email: str) -> str:
    """The page that a person sees after the sign-in form."""
    address = f"http://localhost:{panel.env['HTTP_PORT']}"
    browser = build_opener(HTTPCookieProcessor(CookieJar()))
    with browser.open(f"{address}/", timeout=30) as form:
        page, url = form.read().decode(), form.geturl()
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert token, page
    fields = {"csrfmiddlewaretoken": token[1], "login": email, "password": PASSWORD}
    with browser.open(Request(url, urlencode(fields).encode(), {"Referer": url}), timeout=30) as after:
        assert after.geturl() != url
        return str(after.read().decode())


def test_it_starts_answers_mail_and_ends(panel: Panel) -> None:
    panel.start()
    for email in (OWNER, SUPPORT, ADMINISTRATOR):
        assert email in panel.output
    assert f"http://localhost:{panel.env['HTTP_PORT']}" in panel.output
    assert OWNER in sign_in(panel, OWNER)
    assert (panel.var_dir / "panel.env").stat().st_mode & 0o777 == 0o600
    assert (panel.var_dir / "secret_key").stat().st_mode & 0o777 == 0o600

    replied = panel.manage("demomail", "--sender", "jan@klient.example", "--subject", "Pytanie")
    assert replied.returncode == 0, replied.stderr
    assert "Auto-Submitted: auto-replied" in replied.stdout
    assert re.search(r"^X-Envelope-To: <?jan@klient.example", replied.stdout, re.MULTILINE)
    again = panel.manage("demomail", "--sender", "jan@klient.example")
    assert "already-replied" in again.stdout, again.stdout + again.stderr
    silent = panel.manage("demomail", "--sender", "owner-lista@klient.example")
    assert "system-sender" in silent.stdout, silent.stdout + silent.stderr
    unknown = panel.manage("demomail", "--recipient", "nobody@firma.example")
    assert "Auto-Submitted" not in unknown.stdout
    assert "Traceback" not in unknown.stdout + unknown.stderr

    assert "Traceback" not in panel.output
    assert "superuser privileges" not in panel.output
    assert panel.end(signal.SIGINT) == 0
    assert panel.processes() == {}
    assert "Traceback" not in panel.output

    asleep = panel.manage("demomail")
    assert asleep.returncode == 1
    assert "no delivery hook answers" in asleep.stderr
    assert len(asleep.stderr.splitlines()) == 1


def test_its_role_cannot_change_the_log_and_no_program_knows_another(panel: Panel) -> None:
    panel.start()
    known = (panel.var_dir / "panel.env").read_text()
    match = re.search("^DATABASE_URL='(.+)'$", known, re.MULTILINE)
    assert match, known
    with psycopg.connect(match[1], autocommit=True) as role:
        assert role.execute("SELECT current_user::text, count(*) > 0 FROM mailboxes_logline").fetchone() == (
            PANEL_ROLE, True,
        )  # fmt: skip
        for statement in [*attacks(PANEL_ROLE, DATABASE_OWNER), *OF_A_ROLE_THAT_MAKES_NO_ROLES]:
            with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.DependentObjectsStillExist)):
                role.execute(statement)
        assert log_owner.wall(role) == Wall(is_superuser=False, owns=False, owns_around=False, may_join=False)
        others = role.execute(
            "SELECT usename, application_name, query FROM pg_stat_activity WHERE backend_type = 'client backend'"
            " AND datname = current_database() AND usename <> current_user"
        ).fetchall()
    assert others == []
    secret = (panel.var_dir / "postgres" / "password").read_bytes()
    for pid in panel.processes():
        assert secret not in (Path("/proc") / str(pid) / "environ").read_bytes()
    assert secret.decode() not in known


def test_it_starts_again_also_after_it_was_killed(panel: Panel) -> None:
    panel.start()
    second_panel = subprocess.run(
        [sys.executable, "-m", "webmail_panel.run"],
        cwd=ROOT, env=panel.env | {name: str(free_port()) for name in PORTS},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert second_panel.returncode == 1
    assert "already runs" in second_panel.stderr
    assert panel.end(signal.SIGTERM) == 0
    assert panel.processes() == {}
    panel.start()
    panel.end(signal.SIGKILL)
    panel.start()  # at once: what the killed one left behind may still be ending
    assert panel.manage("demomail").returncode == 0
    panel.end(signal.SIGKILL)
    assert panel.wait_until_nothing_runs() == {}


def test_when_one_program_dies_everything_ends_with_a_line(panel: Panel) -> None:
    panel.start()
    hook = next(pid for pid, command in panel.processes().items() if "lmtpd" in command)
    os.kill(hook, signal.SIGKILL)
    assert panel.process is not None
    assert panel.process.wait(180) == 1
    assert "webmail-panel: hook ended unexpectedly (signal SIGKILL)" in panel.output
    assert panel.processes() == {}


def test_when_the_database_dies_everything_ends_with_a_line(panel: Panel) -> None:
    panel.start()
    postgres = int((panel.var_dir / "postgres" / "data" / "postmaster.pid").read_text().split()[0])
    os.kill(postgres, signal.SIGINT)
    assert panel.process is not None
    assert panel.process.wait(180) == 1
    assert "webmail-panel: PostgreSQL ended unexpectedly" in panel.output
    assert panel.wait_until_nothing_runs() == {}


def test_what_was_given_is_used_and_nothing_embedded_is_started(panel_of_its_own: Panel) -> None:
    panel = panel_of_its_own
    name = f"given_{os.getpid()}"
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    panel.env |= {
        "DATABASE_URL": os.environ["DATABASE_URL"].replace("/webmail_panel?", f"/{name}?"),
        "REDIS_URL": os.environ["REDIS_URL"].replace("db=0", "db=7"),
        "RELAY_URL": f"smtp://127.0.0.1:{panel.env.pop('DEMO_RELAY_PORT')}",
    }
    panel.start()
    assert not (panel.var_dir / "postgres").exists()
    assert not (panel.var_dir / "redis").exists()
    assert "demorelay" not in " ".join(panel.processes().values())
    away = panel.manage("demomail")
    assert "451" in away.stderr  # nobody listens where the replies go
    assert panel.end(signal.SIGINT) == 0
