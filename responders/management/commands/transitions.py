"""`manage.py transitions apply`: what Celery beat does every few seconds, once."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from responders import services


class Command(BaseCommand):
    help = "Bring the stored state of the responders in step with the clock."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=["apply"])

    def handle(self, *args: Any, **options: Any) -> None:
        moves = services.apply_due_transitions(services.database_now())
        self.stdout.write(f"{moves} transitions applied")
