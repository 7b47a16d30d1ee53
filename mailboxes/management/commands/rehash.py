"""`manage.py rehash --listen PATH`: hashes of other systems become ours at the next sign-in to a mail program, too."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from mailboxes import rehash


class Command(BaseCommand):
    help = "Run beside Dovecot: makes hashes of ours of those of other systems, when their owners sign in there."
    requires_system_checks: list[str] = []  # most settings are none of its business
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--listen", required=True, type=Path, metavar="PATH",
            help="the socket to make, which `mailconfig dovecot` knows as --rehash-socket",
        )  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["listen"]
        try:
            with rehash.listening(path) as door:
                rehash.follow(door)
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror or error}") from error
        except KeyboardInterrupt:
            return
