"""The import from a MariaDB that runs: a real one, filled with the dumps that the other tests read."""

import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

import pymysql
import pytest
from django.core.management import CommandError
from pymysql.constants import CLIENT

from mailboxes.models import Mailbox
from responders.models import Responder
from tests.services.imports.runs import HERE, run
from webmail_panel.embedded import free_port

PASSWORD = "s3cret/@:?"
DUMPS = {"postfix": "postfixadmin-mysql.sql", "dbispconfig": "ispconfig-mysql.sql"}


@pytest.fixture(autouse=True)
def _now(database_clock: Callable[[datetime | None], None]) -> None:
    database_clock(datetime.fromisoformat("2026-11-27T12:00:00+01:00"))


@pytest.fixture(scope="module")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """host:port of a server with a reader of both databases."""
    folder = tmp_path_factory.mktemp("mariadb")
    subprocess.run(
        ["mariadb-install-db", "--no-defaults", "--user=root", f"--datadir={folder}/data", "--skip-test-db"],
        check=True, capture_output=True,
    )  # fmt: skip
    port = free_port()
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            ["mariadbd", "--no-defaults", "--user=root", f"--datadir={folder}/data", f"--socket={folder}/socket",
             f"--pid-file={folder}/pid", "--bind-address=127.0.0.1", f"--port={port}", "--skip-name-resolve"],
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        fill(folder / "socket")
        yield f"127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(60)


def fill(socket: Path) -> None:
    until = time.monotonic() + 180
    while not socket.exists() and time.monotonic() < until:
        time.sleep(0.1)
    with (
        pymysql.connect(
            unix_socket=str(socket),
            user="root",
            charset="utf8mb4",
            client_flag=CLIENT.MULTI_STATEMENTS,
            autocommit=True,
        ) as root,
        root.cursor() as cursor,
    ):
        for name, dump in DUMPS.items():
            cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
            # The dump holds an impossible date and 0000-00-00, as old servers let in.
            cursor.execute(f"USE {name}; SET sql_mode = 'ALLOW_INVALID_DATES'; SET foreign_key_checks = 0;")
            while cursor.nextset():
                pass
            cursor.execute((HERE / dump).read_text())
            while cursor.nextset():
                pass
            cursor.execute(f"GRANT SELECT ON {name}.* TO reader@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'")


def url(server: str, name: str, password: str = "") -> str:
    return f"mysql://reader{':' + quote(password, safe='') if password else ''}@{server}/{name}"


def report(system: str, source: object) -> list[str]:
    """In an order of its own: a table has none."""
    return sorted(str(item) for item in run(system, source)[1])


@pytest.mark.parametrize(("system", "name"), [("postfixadmin", "postfix"), ("ispconfig", "dbispconfig")])
def test_it_says_the_same_as_a_dump_of_it(
    db: None, mariadb: str, system: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dump = report(system, HERE / DUMPS[name])
    assert report(system, url(mariadb, name, PASSWORD)) == dump
    monkeypatch.setenv("IMPORT_PASSWORD", PASSWORD)
    assert report(system, url(mariadb, name)) == dump


def test_it_is_taken_over(db: None, mariadb: str) -> None:
    run("ispconfig", url(mariadb, "dbispconfig", PASSWORD), "--apply")
    assert Mailbox.objects.get(address="anna@firma.pl").name == "Anna Żółć"
    anna = Responder.objects.get(mailbox__address="anna@firma.pl")
    assert (anna.text_body, anna.from_date) == ("Wracam szóstego.", datetime(2026, 11, 20, 8))


def test_who_may_not_read_it_is_told_in_one_line(db: None, mariadb: str) -> None:
    with pytest.raises(CommandError, match="Access denied") as refused:
        run("ispconfig", url(mariadb, "dbispconfig", "wrong"))
    assert "\n" not in str(refused.value)
    with pytest.raises(CommandError, match="denied"):
        run("ispconfig", url(mariadb, "mysql", PASSWORD))
    with pytest.raises(CommandError, match="is this the database of"):
        run("ispconfig", url(mariadb, "postfix", PASSWORD))
