"""The log has an owner of its own: the panel's role adds to it and nothing else, whatever it tries."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from django.core.management import CommandError, call_command

from mailboxes import log_owner
from mailboxes.log_owner import FUNCTIONS, TABLES, Wall
from tests import databases
from tests.log_attacks import attacks
from webmail_panel import embedded
from webmail_panel.doctor import panel
from webmail_panel.doctor.finding import Status

ROOT = Path(__file__).resolve().parent.parent.parent
Role = psycopg.Connection[tuple[Any, ...]]


@dataclass
class House:
    """A server set up as docs/operate.md says: the panel's role makes roles and owns its database, no more."""

    server: embedded.Postgres
    url: str
    folder: Path

    def manage(self, *arguments: str) -> str:
        env = {**os.environ, "DATABASE_URL": self.url}
        command = [sys.executable, str(ROOT / "manage.py"), *arguments]
        return subprocess.run(command, env=env, cwd=ROOT, check=True, capture_output=True, text=True).stdout

    def manage_all(self, *commands: list[str]) -> None:
        """Several, one after the other, in one process: each would take a second to begin."""
        self.manage("shell", "-c", f"from django.core.management import call_command\nfor one in {commands!r}:\n"
                                   "    call_command(*one)")  # fmt: skip

    def as_superuser(self, statements: str) -> None:
        with psycopg.connect(self.server.url("modest"), autocommit=True) as superuser:
            superuser.execute(statements)  # type: ignore[call-overload]  # a string that is read from a command

    def as_panel(self) -> Role:
        return psycopg.connect(self.url, autocommit=True)


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    folder = Path(os.environ["PANEL_TESTS_VAR_DIR"]) / "log-owner"
    server = embedded.start_postgres(folder, durable=False)
    try:
        with psycopg.connect(server.url(), autocommit=True) as superuser:
            superuser.execute("CREATE ROLE modest LOGIN CREATEROLE PASSWORD 'modest'")
            superuser.execute("CREATE DATABASE modest OWNER modest TEMPLATE template0")
        url = urlsplit(server.url("modest"))
        made = House(server, urlunsplit(url._replace(netloc="modest:modest@")), folder)
        databases.fill(made.url)
        made.manage("mailbox", "add", "anna@firma.example", "--create-domain")
        made.as_superuser(made.manage("logrole"))
        made.as_superuser(made.manage("logrole"))  # twice is once
        yield made
    finally:
        server.stop()


@pytest.fixture
def role(house: House) -> Iterator[Role]:
    """Signed in as the panel is, with a person who did something."""
    with house.as_panel() as signed_in:
        signed_in.execute(
            "INSERT INTO mailboxes_logline (at, model, key, name, words, actor_id, place)"
            " SELECT now(), 'mailboxes.mailbox', '1', 'x', 'made', id, '192.0.2.1' FROM mailboxes_user LIMIT 1"
        )
        signed_in.execute(
            "INSERT INTO responders_responderevent (kind, at, recorded_at, changes, actor_id, place, mailbox_id)"
            " SELECT 'created', now(), now(), '{}', owner_id, '192.0.2.1', id FROM mailboxes_mailbox LIMIT 1"
        )
        yield signed_in


@pytest.mark.parametrize("statement", attacks("modest", "modest"))
def test_the_panels_role_cannot(role: Role, statement: str) -> None:
    with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.DependentObjectsStillExist)) as refused:
        role.execute(statement)
    assert not isinstance(refused.value, psycopg.errors.DependentObjectsStillExist) or "ROLE" in statement


CODE_OF_THE_LOG = """
SELECT DISTINCT p.proname FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
    WHERE t.tgrelid = ANY(%(tables)s::regclass[]) AND NOT t.tgisinternal
UNION SELECT p.proname FROM pg_depend d JOIN pg_proc p ON d.refclassid = 'pg_proc'::regclass AND d.refobjid = p.oid
    LEFT JOIN pg_constraint c ON d.classid = 'pg_constraint'::regclass AND c.oid = d.objid
    LEFT JOIN pg_attrdef a ON d.classid = 'pg_attrdef'::regclass AND a.oid = d.objid
    LEFT JOIN pg_index i ON d.classid = 'pg_class'::regclass AND i.indexrelid = d.objid
    WHERE coalesce(c.conrelid, a.adrelid, i.indrelid) = ANY(%(tables)s::regclass[])
        AND p.pronamespace = 'public'::regnamespace
"""


def test_whatever_code_runs_when_a_line_is_written_is_the_owners(role: Role) -> None:
    """Triggers, checks, defaults, indexes: who may replace such a function writes into the lines what he likes."""
    found = {name for (name,) in role.execute(CODE_OF_THE_LOG, {"tables": list(TABLES)}).fetchall()}
    assert "responders_history_stays" in found
    assert found - set(FUNCTIONS) == set()
    owners = role.execute(
        "SELECT DISTINCT pg_get_userbyid(proowner) FROM pg_proc"
        " WHERE pronamespace = 'public'::regnamespace AND proname = ANY(%s)", [list(FUNCTIONS)],
    ).fetchall()  # fmt: skip
    assert owners == [("webmail_panel_log",)]


def test_it_grants_itself_nothing(role: Role) -> None:
    """PostgreSQL only warns, so what it may do is looked at."""
    for table in TABLES:
        role.execute(f"GRANT ALL ON {table} TO modest")
        may = role.execute(
            "SELECT array_agg(right_) FROM unnest('{UPDATE,DELETE,TRUNCATE,TRIGGER,REFERENCES}'::text[]) right_"
            " WHERE has_table_privilege(%s, right_)", [table],
        ).fetchone()  # fmt: skip
        assert may == (["DELETE"] if table == "django_admin_log" else None,)


def test_what_the_triggers_guard_they_still_guard(role: Role) -> None:
    """Columns that may be emptied are not filled again, with whatever setting; Django's own log loses no line."""
    role.execute("INSERT INTO mailboxes_user (email, password, name, language, is_staff, is_superuser, is_active,"
                 " date_joined) VALUES ('inny@firma.example', '', '', '', false, false, true, now())"
                 " ON CONFLICT DO NOTHING")  # fmt: skip
    role.execute("INSERT INTO django_admin_log (action_time, object_repr, action_flag, change_message, user_id)"
                 " SELECT now(), 'x', 2, 'x', min(id) FROM mailboxes_user")  # fmt: skip
    for statement in (
        "UPDATE responders_responderevent SET actor_id = (SELECT max(id) FROM mailboxes_user)",
        "DELETE FROM django_admin_log",
    ):
        role.execute("SET panel.erasing = 'on'")
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="only added to"):
            role.execute(statement)


def test_a_person_is_forgotten_by_the_function_alone_and_a_line_tells(house: House, role: Role) -> None:
    house.manage("person", "erase", "anna@firma.example")
    left = role.execute(
        "SELECT count(*) FROM mailboxes_logline l JOIN mailboxes_user u ON u.id = l.actor_id"
        " WHERE u.email = 'anna@firma.example'"
    ).fetchone()
    assert left == (0,)
    last = role.execute("SELECT words, way FROM mailboxes_logline ORDER BY id DESC LIMIT 1").fetchone()
    assert last is not None
    assert "was forgotten in" in last[0]
    assert last[1] == "command"


def test_the_panel_works_on(house: House, role: Role, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands, the mail servers' role, deletions that empty what the history names, migrations."""
    for server in ("postfix", "dovecot"):
        monkeypatch.setenv(f"{server.upper()}_DATABASE_PASSWORD", "letters0and0digits")
    house.manage_all(
        ["mailrole", "postfix"], ["mailrole", "dovecot"],
        ["mailbox", "add", "jan@nowa.example", "--create-domain"],
        ["mailbox", "suspend", "jan@nowa.example"], ["mailbox", "delete", "jan@nowa.example"],
        ["shell", "--command", PURGE], ["migrate", "--verbosity=0"],
    )  # fmt: skip
    told = role.execute("SELECT words FROM mailboxes_logline WHERE name = 'jan@nowa.example' ORDER BY id").fetchall()
    assert [words for (words,) in told] == ["made", "suspended", "deleted", "deleted for good"]


PURGE = """
from datetime import timedelta
from django.utils import timezone
from mailboxes import hosting
from mailboxes.models import User
hosting.purge_deleted(timezone.now() + timedelta(days=400))
User.objects.get(email="jan@nowa.example").delete()
"""


def test_the_doctor_sees_the_wall_and_that_it_is_open_for_an_upgrade(house: House) -> None:
    with house.as_panel() as role:
        assert panel.judge_log(log_owner.wall(role)).status is Status.OK
        house.as_superuser(house.manage("logrole", "--open"))
        assert log_owner.wall(role) == Wall(is_superuser=False, owns=True, owns_around=False, may_join=False)
        role.execute("ALTER TABLE mailboxes_logline ADD COLUMN later integer")
        role.execute("ALTER TABLE mailboxes_logline DROP COLUMN later")
        house.as_superuser(house.manage("logrole"))
        assert log_owner.wall(role) == Wall(is_superuser=False, owns=False, owns_around=False, may_join=False)


def test_a_backup_is_made_and_put_back_by_the_panels_role(house: House) -> None:
    """As deploy/bin does it: in the new database the panel's role owns everything until `logrole` runs again."""
    dump, binaries = house.folder / "panel.dump", house.server.bin_dir
    subprocess.run([binaries / "pg_dump", "--format=custom", "--no-owner", f"--file={dump}", house.url], check=True)
    with psycopg.connect(house.server.url(), autocommit=True) as superuser:
        superuser.execute("CREATE DATABASE again OWNER modest TEMPLATE template0")
    there = urlunsplit(urlsplit(house.url)._replace(path="/again"))
    command = [
        binaries / "pg_restore",
        "--no-owner",
        "--exit-on-error",
        "--single-transaction",
        f"--dbname={there}",
        dump,
    ]
    subprocess.run(command, check=True)
    with psycopg.connect(there) as role:
        assert log_owner.wall(role).owns
        assert role.execute("SELECT count(*) > 0 FROM mailboxes_logline").fetchone() == (True,)


@pytest.mark.parametrize(
    ("wall", "status", "words"),
    [
        (Wall(True, True, True, True), Status.WARN, "superuser"),
        (Wall(False, True, False, False), Status.WARN, "owns the log and"),
        (Wall(False, False, True, False), Status.WARN, "schema or database"),
        (Wall(False, False, False, True), Status.WARN, "member of the log's owner"),
        (Wall(False, False, False, False), Status.OK, "only added to"),
    ],
)
def test_the_doctor_says_what_is_left_to_do(wall: Wall, status: Status, words: str) -> None:
    finding = panel.judge_log(wall)
    assert finding.status is status
    assert words in finding.seen


def test_where_the_panel_is_a_superuser_the_command_says_that_it_helps_nothing(db: None) -> None:
    with pytest.raises(CommandError, match="a superuser, whom nothing keeps from anything"):
        call_command("logrole")
