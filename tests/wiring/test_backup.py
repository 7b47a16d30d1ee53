"""deploy/bin/backup and restore, run for real: data in, a backup, everything gone, and all of it back."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from mailboxes import mail_roles
from tests import databases
from tests.lmtp.parts import Client, copy, message
from tests.mta.sink import Sink
from tests.wiring.commands import ROOT
from webmail_panel import embedded, health
from webmail_panel.embedded import Postgres, free_port

OWNER = "modest"  # as docs/operate.md makes it: it may make roles, and is no superuser
ROLE_PASSWORDS = {
    "postfix": "postfix0and0digits", "dovecot": "dovecot0and0digits", "mail": "of-both-mail-servers",
}  # fmt: skip
ANNA, SENDER = "anna@firma.example", "jan@klient.example"
Answer = subprocess.CompletedProcess[str]


@dataclass
class Installation:
    """A database server, a file of settings, a folder of backups."""

    folder: Path
    server: Postgres

    @property
    def settings(self) -> Path:
        return self.folder / "etc" / "panel.env"

    @property
    def backups(self) -> list[Path]:
        return sorted(self.folder.glob("backups/webmail-panel-*"))

    @property
    def database_url(self) -> str:
        return urlunsplit(urlsplit(self.server.url(OWNER))._replace(netloc=f"{OWNER}:{OWNER}@"))

    def make_database(self) -> None:
        with psycopg.connect(self.server.url(), autocommit=True) as superuser:
            superuser.execute(f"DROP DATABASE IF EXISTS {OWNER}")
            if not superuser.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [OWNER]).fetchone():
                superuser.execute(f"CREATE ROLE {OWNER} LOGIN CREATEROLE PASSWORD '{OWNER}'")
            superuser.execute(f"CREATE DATABASE {OWNER} OWNER {OWNER}")

    def write_settings(self, **changes: str) -> None:
        values = {
            "SECRET_KEY": "s" * 60, "ALLOWED_HOSTS": "panel.example", "MAIL_HOSTNAME": "mail.example",
            "CHECK_SENDER_DOMAINS": "0", "REDIS_URL": "redis://127.0.0.1:1/0", "VAR_DIR": str(self.folder / "var"),
            "DATABASE_URL": f'"{self.database_url}"',
        } | changes  # fmt: skip
        self.settings.parent.mkdir(exist_ok=True)
        self.settings.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
        for name, password in ROLE_PASSWORDS.items():
            self.password_file(name).write_text(f"{password}\n")

    def password_file(self, role: str) -> Path:
        return self.settings.parent / f"{role}-database-password"

    def run(self, program: str, *arguments: str | Path, **changes: str) -> Answer:
        """backup or restore, with nothing of the tests' own environment."""
        return subprocess.run(
            [ROOT / "deploy" / "bin" / program, *arguments],
            env=self.environment | changes, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"], "PANEL": str(ROOT), "PYTHON": sys.executable, "SETTINGS": str(self.settings),
            "PG_BIN": str(self.server.bin_dir), "BACKUP_DIR": str(self.folder / "backups"), "RUN_AS": "",
            "BACKUP_ALSO": str(self.settings.parent),
        }  # fmt: skip

    def manage(self, *arguments: str, stdin: str = "") -> None:
        env = {"PATH": os.environ["PATH"]} | dict(
            line.replace('"', "").split("=", 1) for line in self.settings.read_text().splitlines()
        )
        subprocess.run([sys.executable, "manage.py", *arguments], cwd=ROOT, env=env, input=stdin, text=True, check=True)

    def contents(self) -> dict[str, list[str]]:
        """Every row of every table, as text."""
        with psycopg.connect(self.database_url) as asked:
            names = [name for (name,) in asked.execute(
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
            )]  # fmt: skip
            return {
                name: sorted(row for (row,) in asked.execute(f'SELECT t::text FROM "{name}" t'))  # type: ignore[call-overload]
                for name in names
            }


@contextlib.contextmanager
def new_server(name: str) -> Iterator[Postgres]:
    folder = Path(os.environ["PANEL_TESTS_VAR_DIR"]) / f"{name}-{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
    server = embedded.start_postgres(folder, durable=False)
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with new_server("backup") as made:
        yield made


@pytest.fixture(scope="module")
def filled(server: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """With a mailbox, its alias, a responder and the mail servers' roles, the one of earlier versions as well."""
    made = Installation(tmp_path_factory.mktemp("installation"), server)
    made.make_database()
    made.write_settings()
    databases.fill(made.database_url)
    for server in ("postfix", "dovecot", "both"):
        password = ROLE_PASSWORDS["mail" if server == "both" else server]
        made.manage("mailrole", server, "--password-stdin", stdin=f"{password}\n")
    made.manage(
        "mailbox",
        "add",
        ANNA,
        "--name=Anna Żółć",
        "--create-domain",
        "--password-stdin",
        stdin="correct horse battery\n",
    )
    made.manage(
        "responder", "set", ANNA, "--type=standing", "--subject=Auto: {{ subject }}", "--text-file=-",
        stdin="Zażółć gęślą jaźń.\n",
    )  # fmt: skip
    return made


@pytest.fixture
def installation(filled: Installation) -> Iterator[Installation]:
    """The same for every test, its backups gone after each."""
    yield filled
    shutil.rmtree(filled.folder / "backups", ignore_errors=True)
    filled.write_settings()


def test_all_of_it_comes_back_on_another_machine_and_the_hook_answers(
    installation: Installation, tmp_path: Path
) -> None:
    before = installation.contents()
    finished = installation.run("backup")
    assert finished.returncode == 0, finished.stderr
    (file,) = installation.backups
    assert finished.stdout == f"{file}\n"
    assert file.stat().st_mode & 0o777 == 0o600
    with new_server("backup-other") as server:
        other = Installation(tmp_path, server)
        other.make_database()
        put = other.run("restore", "--settings", file)
        assert (put.returncode, other.settings.read_text()) == (0, installation.settings.read_text()), put.stderr
        other.write_settings()  # the database is at another address
        for role in ROLE_PASSWORDS:
            other.password_file(role).unlink()
        restored = other.run("restore", file)
        assert restored.returncode == 0, restored.stderr
        assert other.contents() == before
        for name in ("postfix", "dovecot", "mta"):
            assert_the_role_reads_its_views_alone(other, f"webmail_panel_{name}")
        assert_the_hook_answers(other)


def assert_the_role_reads_its_views_alone(installation: Installation, role: str) -> None:
    password = ROLE_PASSWORDS["mail" if role == mail_roles.BOTH.default_name else role.rpartition("_")[2]]
    reader = urlsplit(installation.database_url)._replace(netloc=f"{role}:{password}@")
    with psycopg.connect(urlunsplit(reader)) as asked:
        assert asked.execute("SELECT address FROM mail_mailboxes").fetchall() == [(ANNA,)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            asked.execute("SELECT * FROM mailboxes_user")


def assert_the_hook_answers(installation: Installation) -> None:
    sink, port, health_port = Sink(free_port()), free_port(), free_port()
    installation.write_settings(RELAY_URL=f"smtp://127.0.0.1:{sink.port}")
    env = {"PATH": os.environ["PATH"]} | dict(
        line.replace('"', "").split("=", 1) for line in installation.settings.read_text().splitlines()
    )
    listen = [f"--listen=127.0.0.1:{port}", f"--health=127.0.0.1:{health_port}"]
    sink.start()
    hook = subprocess.Popen([sys.executable, "manage.py", "lmtpd", *listen], cwd=ROOT, env=env)
    try:
        wait_for_hook(f"127.0.0.1:{port}", f"127.0.0.1:{health_port}")
        with Client(port) as client:
            assert [line[:3] for line in client.deliver(SENDER, [copy(ANNA)], message(to=ANNA))] == ["250"]
        (reply,) = sink.wait_for(SENDER)
        assert reply.text.strip() == "Zażółć gęślą jaźń."
    finally:
        hook.terminate()
        hook.wait(60)
        sink.stop()


def wait_for_hook(address: str, health_address: str) -> None:
    deadline = time.monotonic() + 180
    while True:
        try:
            health.check_hook(address, health_address)
        except health.Unhealthy:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return


def test_a_database_that_is_away_leaves_no_half_of_a_backup(installation: Installation) -> None:
    installation.write_settings(DATABASE_URL=f'"postgresql://nobody@127.0.0.1:{free_port()}/nothing"')
    finished = installation.run("backup")
    assert finished.returncode == 1
    assert "connection" in finished.stderr
    assert list((installation.folder / "backups").glob("[!.]*")) == []
    assert list((installation.folder / "backups").glob(".part*")) == []


def test_what_a_killed_one_left_is_cleared_away_and_two_at_once_are_one(installation: Installation) -> None:
    """Held by a dump that waits for a lock on a table."""
    with psycopg.connect(installation.database_url) as holder:
        holder.execute("LOCK TABLE mailboxes_mailbox IN ACCESS EXCLUSIVE MODE")
        first = subprocess.Popen(
            [ROOT / "deploy" / "bin" / "backup"], env=installation.environment, start_new_session=True,
        )  # fmt: skip
        wait_for_dump(holder)
        second = installation.run("backup")
        assert (second.returncode, second.stderr) == (1, "another backup is under way\n")
        os.killpg(first.pid, signal.SIGKILL)
        first.wait(60)
        holder.rollback()
    assert list((installation.folder / "backups").glob(".part-*")) != []
    assert installation.run("backup").returncode == 0
    assert list((installation.folder / "backups").glob(".part-*")) == []
    assert len(installation.backups) == 1


def wait_for_dump(asked: psycopg.Connection) -> None:
    deadline = time.monotonic() + 180
    while not asked.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone():
        assert time.monotonic() < deadline, "pg_dump waits for the table"
        time.sleep(0.1)


def test_the_oldest_go_and_strangers_stay(installation: Installation) -> None:
    folder = installation.folder / "backups"
    folder.mkdir()
    for day in range(10, 15):
        (folder / f"webmail-panel-202601{day}T020000Z.tar").write_text("")
    (folder / "webmail-panel-notes.txt").write_text("mine")
    assert installation.run("backup", BACKUP_KEEP="3").returncode == 0
    names = [path.name for path in installation.backups]
    assert names[:2] == ["webmail-panel-20260113T020000Z.tar", "webmail-panel-20260114T020000Z.tar"]
    assert names[-1] == "webmail-panel-notes.txt"
    assert len(names) == 4
    assert installation.run("backup", BACKUP_KEEP="none").stderr == "BACKUP_KEEP must be 1 or more\n"


def test_encrypted_for_a_key_that_is_elsewhere(installation: Installation, tmp_path: Path) -> None:
    home = tmp_path / "gnupg"
    home.mkdir(mode=0o700)
    gpg = ["gpg", "--batch", "--quiet", f"--homedir={home}", "--pinentry-mode=loopback", "--passphrase="]
    subprocess.run([*gpg, "--quick-generate-key", "backup@hosting.example", "default", "default"], check=True)
    public = tmp_path / "public.asc"
    subprocess.run([*gpg, "--armor", f"--output={public}", "--export", "backup@hosting.example"], check=True)
    finished = installation.run("backup", BACKUP_GPG_RECIPIENT_FILE=str(public))
    assert finished.returncode == 0, finished.stderr
    (file,) = installation.backups
    assert file.suffix == ".gpg"
    assert b"SECRET_KEY" not in file.read_bytes()
    try:
        assert installation.run("restore", file).stderr.endswith("cannot be decrypted\n")
        refused = installation.run("restore", file, GNUPGHOME=str(home))
        assert "is not empty" in refused.stderr  # it was read
    finally:
        subprocess.run(["gpgconf", f"--homedir={home}", "--kill", "all"], check=False)


def test_a_database_with_something_in_it_is_left_alone(installation: Installation) -> None:
    installation.run("backup")
    before = installation.contents()
    refused = installation.run("restore", installation.backups[0])
    assert refused.returncode == 1
    assert f"the database {OWNER} is not empty" in refused.stderr
    assert installation.contents() == before


def test_a_damaged_file_is_refused(installation: Installation, tmp_path: Path) -> None:
    installation.run("backup")
    octets = bytearray(installation.backups[0].read_bytes())
    start = octets.index(b"PGDMP")
    octets[start + 2000] ^= 0xFF
    (tmp_path / "damaged.tar").write_bytes(octets)
    refused = installation.run("restore", tmp_path / "damaged.tar")
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1] == f"{tmp_path}/damaged.tar is damaged"
    (tmp_path / "short.tar").write_bytes(octets[:5000])
    assert installation.run("restore", tmp_path / "short.tar").returncode == 1


def test_another_secret_key_is_refused_unless_the_old_one_is_a_fallback(installation: Installation) -> None:
    installation.run("backup")
    installation.write_settings(SECRET_KEY="n" * 60)
    assert "SECRET_KEY is another one" in installation.run("restore", installation.backups[0]).stderr
    installation.write_settings(SECRET_KEY="n" * 60, SECRET_KEY_FALLBACKS="s" * 60)
    assert "is not empty" in installation.run("restore", installation.backups[0]).stderr


def test_a_backup_of_a_newer_version_and_a_role_that_may_not_are_refused_and_nothing_is_left(
    installation: Installation, server: Postgres, tmp_path: Path
) -> None:
    with psycopg.connect(installation.database_url, autocommit=True) as panel:
        panel.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('mailboxes', '9999_later', now())")
        installation.run("backup")
        panel.execute("DELETE FROM django_migrations WHERE name = '9999_later'")
    (file,) = installation.backups
    with psycopg.connect(server.url(), autocommit=True) as superuser:
        superuser.execute(f"CREATE DATABASE empty OWNER {OWNER}")
        installation.write_settings(DATABASE_URL=f'"{installation.database_url.replace(f"/{OWNER}?", "/empty?")}"')
        assert "newer version of the panel, which has mailboxes.9999_later:" in installation.run("restore", file).stderr
        superuser.execute(f"ALTER ROLE {OWNER} NOCREATEROLE")
        try:
            assert f"ALTER ROLE {OWNER} CREATEROLE" in installation.run("restore", file).stderr
        finally:
            superuser.execute(f"ALTER ROLE {OWNER} CREATEROLE")
        with psycopg.connect(server.url("empty")) as empty:
            row = empty.execute("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace").fetchone()
            assert row == (0,)
        superuser.execute("DROP DATABASE empty")


def test_the_settings_and_the_servers_files_are_in_it(installation: Installation, tmp_path: Path) -> None:
    installation.run("backup")
    with tarfile.open(installation.backups[0]) as archive:
        assert {Path(name).name for name in archive.getnames()} >= {
            "SHA256SUMS", "database.dump", "dovecot-database-password", "etc.tar", "mail-database-password",
            "migrations", "panel.env", "postfix-database-password", "server-version",
        }  # fmt: skip
        archive.extractall(tmp_path, filter="data")
    with tarfile.open(tmp_path / "etc.tar") as archive:
        assert any(name.endswith("etc/panel.env") for name in archive.getnames())


@pytest.mark.parametrize("arguments", [[], ["a", "b"], ["/nonexistent"]])
def test_a_wrong_call_is_one_line(installation: Installation, arguments: list[str]) -> None:
    refused = installation.run("restore", *arguments)
    assert refused.returncode == 1
    assert len(refused.stderr.splitlines()) == 1
