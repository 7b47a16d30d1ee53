"""The database roles of the mail servers read what each needs, Postfix's counts what is sent, and nothing else."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from psycopg.conninfo import conninfo_to_dict

from mailboxes import mail_roles
from mailboxes.mail_roles import DOVECOT, OF_SERVERS, POSTFIX, MailRole
from tests.mta.conftest import Hosting
from tests.mta.stack import ROLE_PASSWORD, ROOT, Stack
from webmail_panel import embedded

ROLES = [POSTFIX, DOVECOT]
Reader = psycopg.Connection[tuple[Any, ...]]


def sign_in(stack: Stack, user: str, password: str = ROLE_PASSWORD) -> Reader:
    parameters = conninfo_to_dict(stack.database_url) | {"user": user, "password": password}
    return psycopg.connect(**parameters, autocommit=True)  # type: ignore[arg-type]  # a dict of every option


@pytest.fixture(params=ROLES, ids=lambda role: role.server)
def role(request: pytest.FixtureRequest) -> MailRole:
    found: MailRole = request.param
    return found


@pytest.fixture
def reader(stack: Stack, hosting: Hosting, role: MailRole) -> Iterator[Reader]:
    """Signed in as the server is."""
    with sign_in(stack, f"{stack.role}_{role.server}") as made:
        yield made


def test_it_reads_its_columns_and_nothing_else(reader: Reader, role: MailRole) -> None:
    columns = reader.execute(
        "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0"
        " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v', 'm', 'p') AND NOT a.attisdropped"
    ).fetchall()
    assert {"mailboxes_user", "responders_responder", "mail_recipients"} < {table for table, _column in columns}
    found = {(table, column) for table, column in columns if may_read(reader, table, column)}
    assert found == {(view, column) for view, of_it in role.reads.items() for column in of_it}


def may_read(reader: Reader, table: str, column: str) -> bool:
    try:
        reader.execute(f'SELECT "{column}" FROM "{table}" LIMIT 1')
    except psycopg.errors.InsufficientPrivilege:
        return False
    return True


def test_postfix_sees_no_password_and_dovecot_neither_aliases_nor_who_is_away() -> None:
    assert not POSTFIX.reads.keys() & {"mail_accounts", "mail_app_passwords"}
    assert "mail_lookup_sign_in" not in POSTFIX.calls
    assert DOVECOT.reads.keys() == {"mail_mailboxes", "mail_accounts", "mail_app_passwords"}
    assert DOVECOT.calls == {"mail_lookup_mailbox", "mail_lookup_sign_in", "mail_lookup_space"}


def test_it_calls_its_functions_and_not_those_of_the_other(reader: Reader, role: MailRole) -> None:
    calls = {
        "postfix_aliases": "SELECT postfix_aliases('a@b.example', 'autoreply.invalid')",
        "postfix_copy": "SELECT postfix_copy('a@b.example', 'autoreply.invalid')",
        "postfix_domain": "SELECT postfix_domain('b.example')",
        "postfix_mailbox": "SELECT postfix_mailbox('a@b.example')",
        "postfix_recipient": "SELECT postfix_recipient('a@b.example', 'b.example')",
        "postfix_refused": "SELECT postfix_refused('a@b.example', 'b.example')",
        "postfix_senders": "SELECT postfix_senders('a@b.example')",
        "mail_lookup_aliases": "SELECT mail_lookup_aliases('a@b.example')",
        "mail_lookup_copies": "SELECT mail_lookup_copies('a@b.example')",
        "mail_lookup_postmaster": "SELECT mail_lookup_postmaster('postmaster@b.example', '+', 'a@b.example')",
        "mail_lookup_senders": "SELECT mail_lookup_senders('a@b.example')",
        "mail_sending": "SELECT mail_sending('a@b.example', 1, 1)",
        "mail_lookup_sign_in": "SELECT mail_lookup_sign_in('a@b.example', '')",
        "mail_lookup_space": "SELECT mail_lookup_space('a@b.example')",
        "mail_lookup_mailbox": "SELECT mail_lookup_mailbox('a@b.example')",
    }
    assert calls.keys() == POSTFIX.calls | DOVECOT.calls
    for name, statement in calls.items():
        if name in role.calls:
            reader.execute(statement)
        else:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(statement)


def test_the_database_says_so_too(stack: Stack, hosting: Hosting, role: MailRole) -> None:
    with psycopg.connect(stack.database_url, autocommit=True) as owner:
        rights = mail_roles.rights_of(owner, f"{stack.role}_{role.server}")
        assert rights is not None
        assert (mail_roles.lacking(role, rights), mail_roles.beyond(role, rights)) == ([], [])
        assert (rights.may_sign_in, rights.is_mighty) == (True, False)
        assert mail_roles.rights_of(owner, "nobody_of_that_name") is None


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
        "SET ROLE webmail_panel_mail",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT count(email) FROM mailboxes_user",
        "SELECT pg_notify('x', 'y') FROM mailboxes_user",
        "UPDATE mailboxes_sendingcount SET recipients = 0",
        "DELETE FROM mailboxes_sendingstop",
        "ALTER FUNCTION mail_sending(text, integer, integer) SECURITY INVOKER",
    ],
)
def test_it_changes_nothing(reader: Reader, statement: str) -> None:
    reader.execute("SET default_transaction_read_only = off")
    with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectNotInPrerequisiteState)):
        reader.execute(statement)


def test_neither_the_others_password_nor_another_opens(stack: Stack, role: MailRole) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        sign_in(stack, f"{stack.role}_{role.server}", "another password")


def test_asked_again_it_changes_the_password(
    stack: Stack, hosting: Hosting, role: MailRole, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, said = f"{stack.role}_two", StringIO()
    try:
        for password in ("the first password", "the second password"):
            monkeypatch.setenv(role.password_variable, password)
            call_command("mailrole", role.server, f"--name={name}", stdout=said)
        assert said.getvalue() == f"{name} made\n{name} changed\n"
        with sign_in(stack, name, "the second password") as made:
            made.execute("SELECT address FROM mail_mailboxes")
    finally:
        drop(name)


def drop(name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DROP ROLE IF EXISTS {name}")


def test_what_one_server_takes_leaves_connections_to_the_others(
    stack: Stack, hosting: Hosting, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"{stack.role}_greedy"
    monkeypatch.setenv("POSTFIX_DATABASE_PASSWORD", ROLE_PASSWORD)
    try:
        call_command("mailrole", "postfix", f"--name={name}", "--connections=2", stdout=StringIO())
        with ExitStack() as open_ones:
            for _one in range(2):
                open_ones.enter_context(sign_in(stack, name))
            with pytest.raises(psycopg.OperationalError, match="too many connections for role"):
                sign_in(stack, name)
            sign_in(stack, f"{stack.role}_dovecot").close()
    finally:
        drop(name)


def test_a_limit_of_connections_is_a_part_of_the_servers_and_stays_as_it_was_set(
    stack: Stack, hosting: Hosting, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, limits = f"{stack.role}_limited", []
    monkeypatch.setenv("DOVECOT_DATABASE_PASSWORD", ROLE_PASSWORD)
    try:
        for options in ([], ["--connections=7"], [], ["--connections=0"]):
            call_command("mailrole", "dovecot", f"--name={name}", *options, stdout=StringIO())
            with connection.cursor() as cursor:
                cursor.execute("SELECT rolconnlimit FROM pg_roles WHERE rolname = %s", [name])
                limits.append(cursor.fetchone()[0])
                cursor.execute("SELECT current_setting('max_connections')::int")
                all_of_them = cursor.fetchone()[0]
    finally:
        drop(name)
    assert limits == [all_of_them // 3, 7, 7, -1]
    with pytest.raises(CommandError, match=r"^--connections must be 0 or more$"):
        call_command("mailrole", "dovecot", f"--name={name}", "--connections=-1")


def test_an_owner_who_may_only_make_roles_can_make_them() -> None:
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
            "POSTFIX_DATABASE_USER": "modest_reader",
            "POSTFIX_DATABASE_PASSWORD": ROLE_PASSWORD,
            "DOVECOT_DATABASE_PASSWORD": ROLE_PASSWORD,
        }
        for command in (["migrate", "--verbosity=0"], *(["mailrole", name] for name in [*OF_SERVERS, *OF_SERVERS])):
            subprocess.run([sys.executable, ROOT / "manage.py", *command], env=env, cwd=ROOT, check=True)
    finally:
        server.stop()


@pytest.mark.parametrize("name", ["webmail_panel", "webmail_panel_mail", "webmail_panel_mail_postfix", "pg_monitor"])
def test_a_role_with_other_duties_is_left_alone(
    stack: Stack, hosting: Hosting, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTFIX_DATABASE_PASSWORD", ROLE_PASSWORD)
    with pytest.raises(CommandError, match=f"^{name} is a role already, with other duties; choose another name$"):
        call_command("mailrole", "postfix", f"--name={name}")


def test_the_role_of_one_server_does_not_become_that_of_the_other(
    stack: Stack, hosting: Hosting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOVECOT_DATABASE_PASSWORD", ROLE_PASSWORD)
    with pytest.raises(CommandError, match=r"is a role already, with other duties; choose another name$"):
        call_command("mailrole", "dovecot", f"--name={stack.role}_postfix")


@pytest.mark.parametrize("password", ["", "short", "zażółć gęślą jaźń", "tab\tand the like"])
def test_a_password_that_will_not_do_is_refused(
    stack: Stack, hosting: Hosting, password: str, role: MailRole, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(role.password_variable, password)
    with pytest.raises(CommandError, match=f"{role.password_variable} or --password-stdin"):
        call_command("mailrole", role.server, "--name=somebody")
