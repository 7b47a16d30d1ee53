"""The panel's own database role, as docs/operate.md makes it, is no superuser: everything works with it."""

import importlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from webmail_panel.embedded import Postgres, start_postgres

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "letters0and0digits"


@pytest.fixture
def server() -> Iterator[Postgres]:
    with tempfile.TemporaryDirectory(prefix="panel-owner-") as folder:
        Path(folder).chmod(0o755)
        server = start_postgres(Path(folder) / "postgres", durable=False)
        try:
            yield server
        finally:
            server.stop()


def test_migrations_and_the_mail_servers_role_need_no_superuser(server: Postgres) -> None:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(f"CREATE ROLE panel LOGIN CREATEROLE PASSWORD '{PASSWORD}'")
        connection.execute("CREATE DATABASE panel OWNER panel TEMPLATE template0")
    url = server.url("panel").replace(f"webmail_panel:{server.password}", f"panel:{PASSWORD}")
    env = {**os.environ, "DATABASE_URL": url, "POSTFIX_DATABASE_PASSWORD": PASSWORD}
    for arguments in (["migrate", "--verbosity=0"], ["mailrole", "postfix"], ["mailrole", "postfix"]):
        finished = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT, env=env, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert finished.returncode == 0, finished.stderr

    mail_url = url.replace(f"panel:{PASSWORD}", f"webmail_panel_postfix:{PASSWORD}")
    with psycopg.connect(mail_url, autocommit=True) as connection:
        assert connection.execute("SELECT count(address) FROM mail_mailboxes").fetchone() == (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT * FROM mailboxes_user")


def test_where_the_panels_role_may_make_no_roles_the_migration_says_what_to_do(server: Postgres) -> None:
    """As on PostgreSQL 15, once the log has an owner of its own (docs/operate.md)."""
    roles = importlib.import_module("responders.migrations.0038_roles_of_mail_servers").ROLES
    with psycopg.connect(server.url(), autocommit=True) as superuser:
        superuser.execute(f"CREATE ROLE panel LOGIN NOCREATEROLE PASSWORD '{PASSWORD}'")
        url = server.url().replace(f"webmail_panel:{server.password}", f"panel:{PASSWORD}")
        with psycopg.connect(url, autocommit=True) as panel:
            with pytest.raises(
                psycopg.errors.InsufficientPrivilege, match="the role panel may make no roles"
            ) as refused:
                panel.execute(roles)
            assert str(refused.value.diag.message_hint).startswith("ALTER ROLE panel CREATEROLE, then migrate")
            superuser.execute("ALTER ROLE panel CREATEROLE")
            panel.execute(roles)
            superuser.execute("ALTER ROLE panel NOCREATEROLE")
            panel.execute(roles)  # they are there
