"""`manage.py preparedatabase`: from nothing, from a database of an earlier version, broken off, twice at once."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from mailboxes import log_owner, mail_roles, panel_role
from mailboxes.log_owner import Wall
from tests import databases
from tests.log_attacks import OF_A_ROLE_THAT_MAKES_NO_ROLES, attacks
from webmail_panel import embedded
from webmail_panel.embedded import DATABASE_OWNER, PANEL_ROLE

ROOT = Path(__file__).resolve().parents[2]
CLOSED = Wall(is_superuser=False, owns=False, owns_around=False, may_join=False)
Session = psycopg.Connection[Any]


@dataclass
class House:
    """A server, and a database in it with the name of the panel's, anew for every test."""

    server: embedded.Postgres

    def env(self, **changed: str) -> dict[str, str]:
        return {
            **os.environ,
            "REQUIRE_STAFF_MFA": "1",  # no warning
            "DATABASE_URL": self.server.panel_url,
            "SETUP_DATABASE_URL": self.server.url("postgres"),
            **changed,
        }

    def manage(self, *arguments: str, **changed: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(
            command, env=self.env(**changed), cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
        )

    def prepare(self) -> None:
        prepared = self.manage("preparedatabase", "--verbosity=0")
        assert prepared.returncode == 0, prepared.stderr

    def started(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "manage.py", "preparedatabase", "--verbosity=0"]
        return subprocess.Popen(command, env=self.env(), cwd=ROOT)

    def as_superuser(self, database: str = DATABASE_OWNER) -> Session:
        return psycopg.connect(self.server.url(database), autocommit=True)

    def as_panel(self) -> Session:
        return psycopg.connect(self.server.panel_url, autocommit=True)

    def is_closed(self) -> bool:
        with self.as_panel() as panel, self.as_superuser() as superuser:
            return log_owner.wall(panel) == CLOSED and panel_role.is_parted(superuser)


@pytest.fixture(scope="module")
def server() -> Iterator[embedded.Postgres]:
    folder = Path(os.environ["PANEL_TESTS_VAR_DIR"]) / "preparedatabase"
    server = embedded.start_postgres(folder, durable=False)
    yield server
    server.stop()


@pytest.fixture
def house(server: embedded.Postgres) -> House:
    house = House(server)
    with house.as_superuser("postgres") as superuser:
        superuser.execute(f"DROP DATABASE IF EXISTS {DATABASE_OWNER} WITH (FORCE)")
        readers = (mail_roles.BOTH, mail_roles.POSTFIX, mail_roles.DOVECOT)
        of_mail = [name for role in readers for name in (role.default_name, role.group)]
        for role in (PANEL_ROLE, panel_role.SETUP, log_owner.ROLE, *of_mail):
            superuser.execute(f"DROP ROLE IF EXISTS {role}")
        superuser.execute(f"CREATE DATABASE {DATABASE_OWNER}")
    return house


def test_from_nothing_the_panel_gets_a_role_that_works_and_cannot_change_the_log(house: House) -> None:
    house.prepare()
    assert house.is_closed()
    assert house.manage("mailbox", "add", "anna@firma.example", "--create-domain").returncode == 0
    assert house.manage("shell", "-c", PARTS).returncode == 0
    with house.as_panel() as panel:
        assert panel.execute("SELECT count(*) > 0 FROM mailboxes_logline").fetchone() == (True,)
        for statement in [*attacks(PANEL_ROLE, DATABASE_OWNER), *OF_A_ROLE_THAT_MAKES_NO_ROLES]:
            with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.DependentObjectsStillExist)):
                panel.execute(statement)
    assert house.manage("person", "erase", "anna@firma.example").returncode == 0


# The worker makes the decisions' tables of the days to come.
PARTS = """
from datetime import timedelta
from django.utils import timezone
from responders import decision_partitions
assert decision_partitions.make_ahead(90, timezone.now() + timedelta(days=400))
"""


def test_run_again_it_changes_nothing_but_a_password_that_was_changed(house: House) -> None:
    house.prepare()
    with house.as_superuser() as superuser:
        before = superuser.execute(EVERYTHING).fetchall()
        house.prepare()
        assert superuser.execute(EVERYTHING).fetchall() == before
        assert house.is_closed()
    other = house.server.panel_url.replace(house.server.panel_password, "letters0and0digits")
    assert house.manage("preparedatabase", DATABASE_URL=other).returncode == 0
    psycopg.connect(other).close()
    house.prepare()
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(other)


EVERYTHING = """
SELECT relname::text, pg_get_userbyid(relowner)::text, relacl::text, xmin::text FROM pg_class
    WHERE relnamespace = 'public'::regnamespace
UNION ALL SELECT proname, pg_get_userbyid(proowner), proacl::text, xmin::text FROM pg_proc
    WHERE pronamespace = 'public'::regnamespace
UNION ALL SELECT datname, pg_get_userbyid(datdba), datacl::text, xmin::text FROM pg_database
ORDER BY 1, 2, 3, 4
"""


def test_a_database_of_an_earlier_version_keeps_everything(house: House) -> None:
    """There the panel worked as the superuser, who therefore owns all of it."""
    as_before = {"DATABASE_URL": house.server.url()}
    databases.fill(house.server.url())
    assert house.manage("mailbox", "add", "anna@firma.example", "--create-domain", **as_before).returncode == 0
    with house.as_superuser() as superuser:
        tables = [name for (name,) in superuser.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v')"
        )]  # fmt: skip
        before = {name: superuser.execute(f'SELECT count(*) FROM "{name}"').fetchone() for name in tables}
        house.prepare()
        assert {name: superuser.execute(f'SELECT count(*) FROM "{name}"').fetchone() for name in tables} == before
        owners = superuser.execute(OWNERS).fetchall()
    assert house.is_closed()
    assert owners == [(PANEL_ROLE,), (log_owner.ROLE,)]
    assert house.manage("mailbox", "suspend", "anna@firma.example").returncode == 0
    with house.as_panel() as panel:
        assert panel.execute("SELECT words FROM mailboxes_logline ORDER BY id DESC LIMIT 1").fetchone() == (
            "suspended",
        )


# What an extension brought stays the superuser's.
OWNERS = """
SELECT pg_get_userbyid(relowner) AS owner FROM pg_class WHERE relnamespace = 'public'::regnamespace
UNION SELECT pg_get_userbyid(proowner) FROM pg_proc p WHERE pronamespace = 'public'::regnamespace
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
ORDER BY 1
"""


def test_an_upgrade_changes_the_logs_tables_and_leaves_them_closed(house: House) -> None:
    house.prepare()
    back = house.manage("migrate", "responders", "0031", "--verbosity=0", DATABASE_URL=house.server.url())
    assert back.returncode == 0, back.stderr
    refused = house.manage("migrate", "--verbosity=0")  # as the panel's role: it is not the owner
    assert refused.returncode
    assert "must be owner of table responders_responderevent" in refused.stderr
    house.prepare()
    assert house.is_closed()
    with house.as_panel() as panel:
        panel.execute("SELECT deleted_responder FROM responders_responderevent")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            panel.execute("DROP FUNCTION responders_keep_the_number() CASCADE")


@pytest.mark.parametrize("tag", ["CREATE TABLE", "CREATE VIEW"])
def test_killed_half_way_it_goes_on(house: House, tag: str) -> None:
    """Each time in the middle of a migration: its very first table, and later; the server still works on it."""
    with house.as_superuser() as superuser:
        hold_at(superuser, tag)
        killed = house.started()
        while superuser.execute(IS_HELD).fetchone() == (0,):
            assert killed.poll() is None
            time.sleep(0.05)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert not panel_role.is_parted(superuser)
        superuser.execute("DROP SCHEMA hold CASCADE")
        house.prepare()
        assert superuser.execute(IS_HELD).fetchone() == (0,)
        assert superuser.execute(OWNERS).fetchall() == [(PANEL_ROLE,), (log_owner.ROLE,)]
    assert house.is_closed()


IS_HELD = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


def hold_at(superuser: Session, tag: str) -> None:
    """Whoever runs a statement of this kind waits for as long as this session lives."""
    superuser.execute("SELECT pg_advisory_lock(99)")
    superuser.execute("CREATE SCHEMA hold")
    superuser.execute(
        "CREATE FUNCTION hold.hold() RETURNS event_trigger LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM pg_advisory_xact_lock(99); END'"
    )
    superuser.execute(
        f"CREATE EVENT TRIGGER hold ON ddl_command_start WHEN TAG IN ('{tag}') EXECUTE FUNCTION hold.hold()"
    )


def test_two_at_once_wait_for_each_other(house: House) -> None:
    both = [house.started(), house.started()]
    assert [one.wait(300) for one in both] == [0, 0]
    assert house.is_closed()


def test_a_lock_that_somebody_works_under_meanwhile_is_waited_for(house: House) -> None:
    """The panel of the old version goes on while a container sets up the new one."""
    databases.fill(house.server.url())
    with house.as_superuser() as working:
        with working.transaction():
            working.execute("LOCK TABLE mailboxes_mailbox IN ROW EXCLUSIVE MODE")
            preparing = house.started()
            while working.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone() == (0,):
                assert preparing.poll() is None
                time.sleep(0.05)
        assert preparing.wait(300) == 0
    assert house.is_closed()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"SETUP_DATABASE_URL": ""}, "SETUP_DATABASE_URL must be the address of a superuser"),
        ({"DATABASE_URL": "postgresql:///webmail_panel"}, "must name the panel's role and its password"),
        ({"DATABASE_URL": "SUPERUSER"}, "webmail_panel is a superuser: DATABASE_URL must name another role"),
        ({"SETUP_DATABASE_URL": "postgresql://webmail_panel:x@127.0.0.1:1/postgres"}, "the database refuses: "),
        ({"SETUP_DATABASE_URL": "MODEST"}, "a role that is no superuser"),
    ],
)
def test_what_it_cannot_work_with_it_says_in_a_line(house: House, changed: dict[str, str], words: str) -> None:
    with house.as_superuser() as superuser:
        superuser.execute("DROP ROLE IF EXISTS modest")
        superuser.execute("CREATE ROLE modest LOGIN PASSWORD 'modest'")
    modest = house.server.url("postgres").replace(f"{DATABASE_OWNER}:{house.server.password}", "modest:modest")
    known = {"SUPERUSER": house.server.url(), "MODEST": modest}
    refused = house.manage("preparedatabase", **{name: known.get(url, url) for name, url in changed.items()})
    assert refused.returncode
    assert len(refused.stderr.splitlines()) == 1
    assert words in refused.stderr
