"""Tests whose rows are committed, because others read them through connections of their own.

In place of pytest-django's `transactional_db`, whose flush takes ten times as long: it empties every table and writes
every content type and permission anew.
"""

from collections.abc import Iterator

import psycopg
from django.apps import apps
from django.db import OperationalError, connection

# What migrations wrote, and nobody changes.
KEPT = {"auth_group", "auth_group_permissions", "auth_permission", "django_content_type"}


def emptied_afterwards(blocker) -> Iterator[None]:
    """For a fixture `db`: rows are committed, and gone after the test."""
    with blocker.unblock():
        yield
        empty_tables()


def empty_tables() -> None:
    """Truncates the tables that hold something, and those that refer to them.

    A server that is still at a request of the test may hold a table that we want while it wants one that we hold.
    """
    for _attempt in range(20):
        try:
            _truncate_what_is_filled()
        except OperationalError as error:
            if not isinstance(error.__cause__, psycopg.errors.DeadlockDetected):
                raise
        else:
            return
    raise AssertionError("a server does not leave the tables")


def _truncate_what_is_filled() -> None:
    with connection.cursor() as cursor:
        asked = " UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT FROM {name})" for name in tables())
        cursor.execute(asked)
        if filled := [name for (name,) in cursor.fetchall()]:
            cursor.execute(f"TRUNCATE {', '.join(filled)} CASCADE")


def begin_with_new_tables() -> None:
    """Within a test's transaction: tables, their numbers and indexes without a trace of what other tests took back."""
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(tables())} RESTART IDENTITY")


def tables() -> list[str]:
    models = apps.get_models(include_auto_created=True)
    of_no_model = {"mailboxes_former_home"}
    return sorted({model._meta.db_table for model in models if model._meta.managed} - KEPT | of_no_model)
