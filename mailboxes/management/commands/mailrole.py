"""`manage.py mailrole postfix|dovecot`: the database role that a mail server reads with."""

import os
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, transaction
from django.db.utils import Error as DatabaseError
from psycopg import sql

from mailboxes import mail_roles
from mailboxes.database_roles import signs_in
from mailboxes.mail_roles import MailRole

MIN_PASSWORD_CHARACTERS = 12
NO_LIMIT = -1  # as PostgreSQL says it


class Command(BaseCommand):
    help = "Make the read-only database role of Postfix or Dovecot, or give it another password."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "server",
            choices=[*mail_roles.OF_SERVERS, "both"],
            help="whose role; both: the one that earlier versions made for the two together",
        )
        parser.add_argument("--name", default="", help="of the role (default: POSTFIX_DATABASE_USER or kin)")
        parser.add_argument(
            "--password-stdin",
            action="store_true",
            help="read the password from standard input instead of POSTFIX_DATABASE_PASSWORD or kin",
        )
        parser.add_argument(
            "--connections", type=int, metavar="N",
            help="to the database at most; 0 is no limit (default of a new role: a part of max_connections,"
            " seven tenths for Postfix, a third for Dovecot; that of an old one stays)",
        )  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        role = mail_roles.OF_SERVERS.get(options["server"], mail_roles.BOTH)
        name = options["name"] or os.environ.get(role.user_variable) or role.default_name
        password = _password(role, from_stdin=options["password_stdin"])
        if options["connections"] is not None and options["connections"] < 0:
            raise CommandError("--connections must be 0 or more")
        try:
            with transaction.atomic():
                was_made = _make_or_change(role, name, password, options["connections"])
        except DatabaseError as error:
            raise CommandError(f"the database refuses: {str(error).partition(chr(10))[0]}") from error
        self.stdout.write(f"{name} {'made' if was_made else 'changed'}")


def _password(role: MailRole, *, from_stdin: bool) -> str:
    password = sys.stdin.readline().rstrip("\n") if from_stdin else os.environ.get(role.password_variable, "")
    if len(password) < MIN_PASSWORD_CHARACTERS or not password.isascii() or not password.isprintable():
        raise CommandError(
            f"a password of {MIN_PASSWORD_CHARACTERS} ASCII characters or more is needed:"
            f" {role.password_variable} or --password-stdin"
        )
    return password


def _make_or_change(role: MailRole, name: str, password: str, connections: int | None) -> bool:
    """Whether it is new. Raises CommandError for a role of the database that does more than this one should."""
    identifier = sql.Identifier(name)
    is_new = _is_new(role, name)
    if is_new:
        _execute(sql.SQL("CREATE ROLE {} IN ROLE {}").format(identifier, sql.Identifier(role.group)))
    # A new role may nothing else by itself. To say so (NOSUPERUSER …) takes a superuser, which the panel need not be.
    _execute(signs_in(connection.connection, name, password))
    # A mail server that waits for an answer stops mail; it asks again later instead.
    _execute(sql.SQL("ALTER ROLE {} SET statement_timeout = '5s'").format(identifier))
    _execute(sql.SQL("ALTER ROLE {} SET default_transaction_read_only = on").format(identifier))
    if is_new or connections is not None:
        limit = _share(role) if connections is None else connections or NO_LIMIT
        _execute(sql.SQL("ALTER ROLE {} CONNECTION LIMIT {}").format(identifier, sql.Literal(limit)))
    return is_new


def _share(role: MailRole) -> int:
    """So many connections that whatever this server does, the others find one."""
    if role.connections == 1:
        return NO_LIMIT
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('max_connections')::int")
        return int(cursor.fetchone()[0] * role.connections)


def _is_new(role: MailRole, name: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT rolsuper OR rolcreaterole OR rolcreatedb, pg_has_role(oid, %s, 'MEMBER')"
            " FROM pg_roles WHERE rolname = %s",
            [role.group, name],
        )
        row = cursor.fetchone()
    if row is None:
        return True
    is_mighty, is_member = row
    if is_mighty or not is_member or name == role.group:
        raise CommandError(f"{name} is a role already, with other duties; choose another name")
    return False


def _execute(statement: sql.Composed) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
