"""The database role of the mail servers reads some views, counts what is sent, and does nothing else."""

import os
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from psycopg.conninfo import conninfo_to_dict

from tests.mta.conftest import Hosting
from tests.mta.stack import ROLE_PASSWORD, ROOT, Stack
from webmail_panel import embedded

VIEWS = {
    "mail_domains", "mail_mailboxes", "mail_aliases", "mail_accounts", "mail_app_passwords", "mail_deputies",
    "mail_refused", "responder_copy",
}  # fmt: skip
Reader = psycopg.Connection[tuple[Any, ...]]


def sign_in(stack: Stack, password: str) -> Reader:
    parameters = conninfo_to_dict(stack.database_url) | {"user": stack.role, "password": password}
    return psycopg.connect(**parameters, autocommit=True)  # type: ignore[arg-type]  # a dict of every option


@pytest.fixture
def reader(stack: Stack, hosting: Hosting) -> Iterator[Reader]:
    """Signed in as Postfix is."""
    with sign_in(stack, ROLE_PASSWORD) as made:
        yield made


def test_the_role_reads_its_views_and_nothing_else(reader: Reader) -> None:
    names = reader.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v', 'm', 'p')"
    ).fetchall()
    assert {"mailboxes_user", "responders_responder", "mail_recipients"} < {name for (name,) in names}
    assert {name for (name,) in names if may_read(reader, name)} == VIEWS


def may_read(reader: Reader, name: str) -> bool:
    try:
        reader.execute(f'SELECT * FROM "{name}" LIMIT 1')
    except psycopg.errors.InsufficientPrivilege:
        return False
    return True


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE mail_domains SET domain = 'x.example'",
        "DELETE FROM mail_mailboxes",
        "INSERT INTO mail_domains VALUES ('x.example')",
        "CREATE TABLE mine (x int)",
        "CREATE FUNCTION panel_now() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE ROLE another",
        "SET ROLE webmail_panel",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT count(email) FROM mailboxes_user",
        "UPDATE mailboxes_sendingcount SET recipients = 0",
        "DELETE FROM mailboxes_sendingstop",
        "ALTER FUNCTION mail_sending(text, integer, integer) SECURITY INVOKER",
    ],
)
def test_the_role_changes_nothing(reader: Reader, statement: str) -> None:
    reader.execute("SET default_transaction_read_only = off")
    with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectNotInPrerequisiteState)):
        reader.execute(statement)


def test_another_password_does_not_open(stack: Stack) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        sign_in(stack, "another password")


def test_asked_again_it_changes_the_password(stack: Stack, hosting: Hosting, monkeypatch: pytest.MonkeyPatch) -> None:
    role = f"{stack.role}_two"
    said = StringIO()
    for password in ("the first password", "the second password"):
        monkeypatch.setenv("MAIL_DATABASE_PASSWORD", password)
        call_command("mailrole", role, stdout=said)
    assert said.getvalue() == f"{role} made\n{role} changed\n"
    parameters = conninfo_to_dict(stack.database_url) | {"user": role, "password": "the second password"}
    with psycopg.connect(**parameters) as made:  # type: ignore[arg-type]  # a dict of every option
        made.execute("SELECT * FROM mail_domains")
    with connection.cursor() as cursor:
        cursor.execute(f"DROP ROLE {role}")


def test_an_owner_who_may_only_make_roles_can_make_it() -> None:
    """Set up as docs/operate.md says: the panel's own role is no superuser."""
    folder = Path(os.environ["PANEL_TESTS_VAR_DIR"]) / "mta-modest-owner"
    server = embedded.start_postgres(folder, durable=False)
    try:
        with psycopg.connect(server.url(), autocommit=True) as superuser:
            superuser.execute("CREATE ROLE modest LOGIN CREATEROLE PASSWORD 'modest'")
            superuser.execute("CREATE DATABASE modest OWNER modest")
        url = urlsplit(server.url("modest"))
        env = {
            **os.environ,
            "DATABASE_URL": urlunsplit(url._replace(netloc="modest:modest@")),
            "MAIL_DATABASE_USER": "modest_reader",
            "MAIL_DATABASE_PASSWORD": ROLE_PASSWORD,
        }
        for command in (["migrate", "--verbosity=0"], ["mailrole"], ["mailrole"]):
            subprocess.run([sys.executable, ROOT / "manage.py", *command], env=env, cwd=ROOT, check=True)
    finally:
        server.stop()


@pytest.mark.parametrize("name", ["webmail_panel", "webmail_panel_mail", "pg_monitor"])
def test_a_role_with_other_duties_is_left_alone(
    stack: Stack, hosting: Hosting, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAIL_DATABASE_PASSWORD", ROLE_PASSWORD)
    with pytest.raises(CommandError, match=f"^{name} is a role already, with other duties; choose another name$"):
        call_command("mailrole", name)


@pytest.mark.parametrize("password", ["", "short", "zażółć gęślą jaźń", "tab\tand the like"])
def test_a_password_that_will_not_do_is_refused(
    stack: Stack, hosting: Hosting, password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAIL_DATABASE_PASSWORD", password)
    with pytest.raises(CommandError, match="MAIL_DATABASE_PASSWORD or --password-stdin"):
        call_command("mailrole", "somebody")
