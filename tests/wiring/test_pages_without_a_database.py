"""A page whose database is away says so kindly and soon, also where the database is frozen: takes connections, and
answers nothing."""

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from django.db import OperationalError, connections
from django.db.utils import load_backend

from tests.mta.conftest import OwnPostgres
from tests.wiring.test_health import ROOT, listens, wait_for
from webmail_panel.away import is_database_away
from webmail_panel.database import patience
from webmail_panel.embedded import free_port

PAGE = "/sign-in/"
# Of the test's own client: less than nginx's 65, more than a busy machine makes of ten.
MORE_THAN_A_VISITOR_HAS = 45


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


@pytest.fixture(scope="module")
def postgres() -> Iterator[OwnPostgres]:
    postgres = OwnPostgres(Path(os.environ["PANEL_TESTS_VAR_DIR"]) / "without-a-database")
    manage({"DATABASE_URL": postgres.server.url()}, "migrate")
    yield postgres
    postgres.stop()


def manage(settings: dict[str, str], *arguments: str) -> None:
    command = [sys.executable, "manage.py", *arguments, "--verbosity=0"]
    subprocess.run(command, cwd=ROOT, env=os.environ | settings, check=True)


@pytest.fixture(scope="module")
def web(postgres: OwnPostgres, folder: Path) -> Iterator[int]:
    """The port of web processes as they run for real."""
    port = free_port()
    settings = {"DATABASE_URL": postgres.server.url(), "STATIC_ROOT": str(folder), "HTTPS": "0"}
    manage(settings, "collectstatic", "--noinput")
    command = ["-m", "gunicorn", "--config", "deploy/gunicorn.conf.py", "--workers=1", f"--bind=127.0.0.1:{port}"]
    process = subprocess.Popen(
        [sys.executable, *command, "webmail_panel.wsgi:application"],
        cwd=ROOT, env=os.environ | settings, start_new_session=True,
    )  # fmt: skip
    try:
        assert wait_for(lambda: listens(port))
        assert wait_for(lambda: page(port)[0] == 200)
        yield port
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def page(port: int) -> tuple[int, str, dict[str, str]]:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=MORE_THAN_A_VISITOR_HAS)
    with contextlib.closing(client):
        client.request("GET", PAGE, headers={"Host": "localhost", "Cookie": f"sessionid={'x' * 32}"})
        answer = client.getresponse()
        return answer.status, answer.read().decode(), dict(answer.getheaders())


def assert_told_kindly(answer: tuple[int, str, dict[str, str]]) -> None:
    status, text, headers = answer
    assert status == 503
    assert "Zaraz wracamy" in text
    assert "Back in a moment" in text
    assert headers["Retry-After"] == "30"
    assert "default-src 'self'" in headers["Content-Security-Policy"]


def test_while_the_database_is_frozen_each_page_says_so_and_the_next_is_told_too(
    web: int, postgres: OwnPostgres
) -> None:
    """With a connection that was open, and without one; it goes on by itself."""
    assert page(web)[0] == 200
    with postgres.frozen():
        for _visitor in range(3):
            assert_told_kindly(page(web))
    assert wait_for(lambda: page(web)[0] == 200)


def test_while_the_database_is_dead_each_page_says_so(web: int, postgres: OwnPostgres) -> None:
    postgres.stop()
    try:
        assert_told_kindly(page(web))
    finally:
        postgres.start()
    assert wait_for(lambda: page(web)[0] == 200)


@pytest.fixture
def asked(postgres: OwnPostgres, django_db_blocker: Any) -> Iterator[Any]:
    """A connection of Django's, made as for a page."""
    url = urlsplit(postgres.server.url())
    settings = connections["default"].settings_dict | {
        "NAME": url.path.strip("/"), "USER": url.username, "PASSWORD": url.password,
        "HOST": str(postgres.server.socket_dir), "PORT": "5432", "OPTIONS": {},
    }  # fmt: skip
    with django_db_blocker.unblock():
        wrapper = load_backend(settings["ENGINE"]).DatabaseWrapper(settings, "default")
        yield wrapper
        wrapper.close()


def test_a_long_answer_is_waited_for(asked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server still speaks to others."""
    monkeypatch.setattr(patience, "SILENCE", 0.2)
    looks: list[bool] = []
    speaks = patience._speaks
    monkeypatch.setattr(
        patience, "_speaks", lambda parameters: bool(looks.append(found := speaks(parameters)) or found)
    )
    with patience.short(), asked.cursor() as cursor:
        cursor.execute("SELECT 'told' FROM pg_sleep(2)")
        assert cursor.fetchone() == ("told",)
    assert looks[:2] == [True, True]


def test_a_command_waits_for_as_long_as_it_takes(
    asked: Any, postgres: OwnPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is not told that the server is away because a page found it so."""
    monkeypatch.setattr(patience, "SILENCE", 0.1)
    monkeypatch.setattr(patience, "_left_alone_until", time.monotonic() + 600)
    with asked.cursor() as cursor:
        cursor.execute("SELECT 1")
    answers: list[Any] = []

    def ask() -> None:
        with asked.cursor() as cursor:
            cursor.execute("SELECT 'told'")
            answers.append(cursor.fetchone())

    asked.inc_thread_sharing()
    with postgres.frozen():
        command = threading.Thread(target=ask)
        command.start()
        command.join(3)
        assert command.is_alive()
    command.join()
    assert answers == [("told",)]


def test_what_the_server_says_of_a_question_is_no_outage(asked: Any) -> None:
    with asked.cursor() as cursor:
        cursor.execute("SET statement_timeout = 1")
        with pytest.raises(OperationalError) as refused:
            cursor.execute("SELECT pg_sleep(60)")
    assert isinstance(refused.value.__cause__, psycopg.errors.QueryCanceled)
    assert not is_database_away(refused.value)
    assert not is_database_away(ValueError())
    assert not is_database_away(None)
