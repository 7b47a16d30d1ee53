"""`manage.py mailrole`: the database role that Postfix and Dovecot read with."""

import os
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, transaction
from django.db.utils import Error as DatabaseError
from psycopg import sql

from mailboxes.database_roles import signs_in

GROUP = "webmail_panel_mail"  # made by the migrations; may SELECT the views for mail servers and nothing else
DEFAULT_ROLE = "webmail_panel_mta"
MIN_PASSWORD_CHARACTERS = 12


class Command(BaseCommand):
    help = "Make the read-only database role of Postfix and Dovecot, or give it another password."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "name",
            nargs="?",
            default=os.environ.get("MAIL_DATABASE_USER") or DEFAULT_ROLE,
            help="of the role (default: MAIL_DATABASE_USER, or %(default)s)",
        )
        parser.add_argument(
            "--password-stdin",
            action="store_true",
            help="read the password from standard input instead of MAIL_DATABASE_PASSWORD",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        name, password = options["name"], _password(from_stdin=options["password_stdin"])
        try:
            with transaction.atomic():
                was_made = _make_or_change(name, password)
        except DatabaseError as error:
            raise CommandError(f"the database refuses: {str(error).partition(chr(10))[0]}") from error
        self.stdout.write(f"{name} {'made' if was_made else 'changed'}")


def _password(*, from_stdin: bool) -> str:
    password = sys.stdin.readline().rstrip("\n") if from_stdin else os.environ.get("MAIL_DATABASE_PASSWORD", "")
    if len(password) < MIN_PASSWORD_CHARACTERS or not password.isascii() or not password.isprintable():
        raise CommandError(
            f"a password of {MIN_PASSWORD_CHARACTERS} ASCII characters or more is needed:"
            " MAIL_DATABASE_PASSWORD or --password-stdin"
        )
    return password


def _make_or_change(name: str, password: str) -> bool:
    """Whether the role is new. Raises CommandError for a role that does more than this one should."""
    role = sql.Identifier(name)
    is_new = _is_new(name)
    if is_new:
        _execute(sql.SQL("CREATE ROLE {} IN ROLE {}").format(role, sql.Identifier(GROUP)))
    # A new role may nothing else by itself. To say so (NOSUPERUSER …) takes a superuser, which the panel need not be.
    _execute(signs_in(connection.connection, name, password))
    # A mail server that waits for an answer stops mail; it asks again later instead.
    _execute(sql.SQL("ALTER ROLE {} SET statement_timeout = '5s'").format(role))
    _execute(sql.SQL("ALTER ROLE {} SET default_transaction_read_only = on").format(role))
    return is_new


def _is_new(name: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT rolsuper OR rolcreaterole OR rolcreatedb, pg_has_role(oid, %s, 'MEMBER')"
            " FROM pg_roles WHERE rolname = %s",
            [GROUP, name],
        )
        row = cursor.fetchone()
    if row is None:
        return True
    is_mighty, is_member = row
    if is_mighty or not is_member or name == GROUP:
        raise CommandError(f"{name} is a role already, with other duties; choose another name")
    return False


def _execute(statement: sql.Composed) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
