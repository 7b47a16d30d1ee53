"""The panel's own database role, as docs/operate.md makes it, is no superuser: everything works with it."""

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
            cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert finished.returncode == 0, finished.stderr

    mail_url = url.replace(f"panel:{PASSWORD}", f"webmail_panel_postfix:{PASSWORD}")
    with psycopg.connect(mail_url, autocommit=True) as connection:
        assert connection.execute("SELECT count(address) FROM mail_mailboxes").fetchone() == (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT * FROM mailboxes_user")
