"""`manage.py logrole [--open]`: what a superuser of the database runs so that the panel cannot change its own log."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from mailboxes import log_owner


class Command(BaseCommand):
    help = (
        "Print the statements that give the log an owner of its own: for psql, as a superuser, in the panel's database."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--open", action="store_true", help="those that give it back, for an upgrade that changes the log's tables"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT r.rolname, r.rolsuper, current_database() FROM pg_roles r WHERE r.rolname = current_user"
            )
            panel, is_superuser, database = cursor.fetchone()
        if is_superuser:
            raise CommandError(
                f"the panel signs in as {panel}, a superuser, whom nothing keeps from anything: give it another role"
            )
        statements = log_owner.giving_back(panel) if options["open"] else log_owner.parting(panel, database)
        self.stdout.write("BEGIN;")
        for statement in statements:
            self.stdout.write(f"{statement.as_string(connection.connection)};")
        self.stdout.write("COMMIT;")
