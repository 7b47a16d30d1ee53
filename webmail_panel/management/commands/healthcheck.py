"""`manage.py healthcheck web|hook|worker|beat|rehash`: exit code 0 if the service does its work, else 1 and why."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from webmail_panel import health


class Command(BaseCommand):
    help = "Ask a service whether it does its work."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        services = parser.add_subparsers(dest="service", required=True)
        web = services.add_parser("web", help="/healthz of the web server")
        web.add_argument("--address", default="127.0.0.1:8000", help="HOST:PORT (default: %(default)s)")
        hook = services.add_parser("hook", help="the delivery hook's LMTP greeting")
        hook.add_argument("--address", default="127.0.0.1:8024", help="HOST:PORT (default: %(default)s)")
        hook.add_argument("--health", default="", help="HOST:PORT that lmtpd was given as --health")
        worker = services.add_parser("worker", help="a ping through the broker")
        worker.add_argument("--name", default="", help="of the worker (default: celery@ and this host's name)")
        services.add_parser("beat", help="the time of the last periodic task")
        listener = services.add_parser("rehash", help="the socket for old hashes")
        listener.add_argument("--socket", required=True, type=Path, metavar="PATH", help="its --listen")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._check(options)
        except health.Unhealthy as error:
            raise CommandError(f"{options['service']}: {error}") from error
        self.stdout.write("ok")

    def _check(self, options: dict[str, Any]) -> None:
        match options["service"]:
            case "web":
                health.check_web(options["address"])
            case "hook":
                health.check_hook(options["address"], options["health"])
            case "worker":
                health.check_worker(options["name"])
            case "beat":
                health.check_beat()
            case "rehash":
                health.check_rehash(options["socket"])
