"""`manage.py preparedatabase`: migrate, and leave the panel a role that cannot change its own log.

For `make run` and containers, where a superuser's address is at hand. Broken off anywhere it is run again and goes on.
"""

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.utils import Error as DatabaseError
from psycopg import sql

from mailboxes import panel_role

PATIENCE = 10  # seconds
TIMES = 5


class Command(BaseCommand):
    help = (
        "Migrate the database, and make the role that DATABASE_URL names, which cannot change the log. A superuser's"
        " address is read from SETUP_DATABASE_URL."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        panel, password = connection.settings_dict["USER"], connection.settings_dict["PASSWORD"]
        if not panel or not password:
            raise CommandError("DATABASE_URL must name the panel's role and its password")
        try:
            with _superuser() as superuser:
                _refuse_the_mighty(superuser, panel)
                _run(superuser, panel_role.signing_in(superuser, panel, password))
                if not panel_role.is_parted(superuser) or _has_migrations_to_run():
                    _migrate(superuser, panel, options["verbosity"])
        except (psycopg.Error, DatabaseError) as error:
            raise CommandError(f"the database refuses: {str(error).partition(chr(10))[0]}") from error


@contextmanager
def _superuser() -> Iterator[psycopg.Connection]:
    """Signed in to the panel's database; one at a time. Raises psycopg.Error, CommandError."""
    url = os.environ.get("SETUP_DATABASE_URL", "")
    if not url:
        raise CommandError("SETUP_DATABASE_URL must be the address of a superuser of the database")
    # No search path: the panel's role may make functions in `public`, which a superuser must not call unawares.
    with psycopg.connect(
        url, dbname=connection.settings_dict["NAME"], autocommit=True, connect_timeout=PATIENCE,
        options="-c search_path=pg_catalog",
    ) as superuser:  # fmt: skip
        if superuser.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone() != (True,):
            raise CommandError("SETUP_DATABASE_URL signs in as a role that is no superuser")
        superuser.execute("SELECT pg_advisory_lock(%s)", [panel_role.LOCK])
        yield superuser


def _refuse_the_mighty(superuser: psycopg.Connection, panel: str) -> None:
    found = superuser.execute("SELECT rolsuper FROM pg_roles WHERE rolname = %s", [panel]).fetchone()
    if found == (True,):
        raise CommandError(f"{panel} is a superuser: DATABASE_URL must name another role, which is then made")


def _has_migrations_to_run() -> bool:
    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def _migrate(superuser: psycopg.Connection, panel: str, verbosity: int) -> None:
    password = secrets.token_urlsafe(24)
    _end_leftovers(superuser)
    _run(superuser, panel_role.opening(superuser, panel, password))
    with _signed_in_as(panel_role.SETUP, password):
        call_command("migrate", interactive=False, verbosity=verbosity)
    _run(superuser, panel_role.closing(panel, superuser.info.dbname))


def _end_leftovers(superuser: psycopg.Connection) -> None:
    """A migration whose program was killed may still be running in the server."""
    superuser.execute(
        "SELECT pg_terminate_backend(pid, %s) FROM pg_stat_activity WHERE usename = %s",
        [PATIENCE * 1000, panel_role.SETUP],
    )


def _run(superuser: psycopg.Connection, statements: Sequence[sql.SQL | sql.Composed]) -> None:
    """All or none. A panel that works meanwhile takes the tables' locks in another order: then once more."""
    for left in reversed(range(TIMES)):
        try:
            with superuser.transaction():
                for statement in statements:
                    superuser.execute(statement)
        except psycopg.errors.DeadlockDetected:
            if not left:
                raise
        else:
            return


@contextmanager
def _signed_in_as(role: str, password: str) -> Iterator[None]:
    own = {name: connection.settings_dict[name] for name in ("USER", "PASSWORD")}
    connection.close()
    connection.settings_dict.update(USER=role, PASSWORD=password)
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict.update(own)
