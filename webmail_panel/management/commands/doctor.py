"""`manage.py doctor [--json]`: is this installation well? A line for each thing, and what to do where it is not.

Exit code 1 if something is broken (FAIL); warnings and what cannot be seen from here leave it at 0.
"""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from responders.mailconfig.arguments import HOOK
from webmail_panel.doctor import configuration, host, mail_servers, panel
from webmail_panel.doctor.finding import Finding, Status, unknown

NGINX, POSTFIX, DOVECOT, RSPAMD = "nginx", "postfix", "dovecot", "rspamd"
PARTS = ["web", "hook", NGINX, POSTFIX, DOVECOT, RSPAMD]


class Command(BaseCommand):
    help = "Look at every part of a running installation, and say what to do about what is not well."
    requires_system_checks: list[str] = []  # it reports them among the rest

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="a JSON object a line")
        parser.add_argument("--postfix", default="/etc/postfix", metavar="DIR", help="(default: %(default)s)")
        parser.add_argument("--dovecot", default="/etc/dovecot", metavar="DIR", help="(default: %(default)s)")
        parser.add_argument("--rspamd", default="/etc/rspamd/local.d", metavar="DIR", help="(default: %(default)s)")
        parser.add_argument("--nginx", default="/etc/nginx/conf.d", metavar="DIR", help="(default: %(default)s)")
        parser.add_argument("--web", default="127.0.0.1:8000", metavar="HOST:PORT", help="(default: %(default)s)")
        parser.add_argument(
            "--hook", action="append", metavar="HOST:PORT", help="may be repeated (default: where Postfix sends copies)"
        )
        parser.add_argument(
            "--hook-health", default="127.0.0.1:8026", metavar="HOST:PORT", help="(default: %(default)s)"
        )
        parser.add_argument(
            "--without", action="append", default=[], metavar="PART", choices=PARTS,
            help="a part that this host does not have; may be repeated",
        )  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        failed = 0
        for finding in findings(options):
            failed += finding.status is Status.FAIL
            text = json.dumps(finding.as_dict(), ensure_ascii=False) if options["json"] else str(finding)
            self.stdout.write(text)
            self.stdout.flush()
        if failed:
            raise CommandError(f"{failed} of these must be mended")


def findings(options: dict[str, Any]) -> Iterator[Finding]:
    """Everything, in the order in which things need each other."""
    yield from panel.check_settings()
    has_database = False
    for finding in panel.check_database():
        has_database |= finding.check == "migrations" and finding.status is Status.OK
        yield finding
    if has_database:
        yield panel.check_log()
    something = panel.known_or_nothing() if has_database else panel.UNKNOWN_TO_US
    yield from _services(options)
    yield mail_servers.check_relay(something)
    yield from _postfix(options, something, has_database=has_database)
    yield from _dovecot(options, something, has_database=has_database)
    yield from _rspamd(options, has_database=has_database)
    yield from _host(options)


def _services(options: dict[str, Any]) -> Iterator[Finding]:
    redis = panel.check_redis()
    yield redis
    has_redis = redis.status is not Status.FAIL
    worker = panel.check_worker(has_redis=has_redis)
    yield worker
    yield panel.check_beat(has_redis=has_redis, has_worker=worker.status is Status.OK)
    if "web" not in options["without"]:
        yield panel.check_web(options["web"])
    if NGINX not in options["without"]:
        yield configuration.check_files(NGINX, Path(options["nginx"]))
    if "hook" not in options["without"]:
        sent_to = configuration.options(POSTFIX, Path(options["postfix"])).get("hook")
        for address in options["hook"] or sent_to or [HOOK]:
            yield panel.check_hook(address, _health_of(address, options["hook_health"]))


def _health_of(address: str, health: str) -> str:
    """A hook on another host has its health port there, if it shows it at all: not asked."""
    return health if address.rpartition(":")[0] == health.rpartition(":")[0] else ""


def _postfix(options: dict[str, Any], something: panel.Known, *, has_database: bool) -> Iterator[Finding]:
    folder = Path(options["postfix"])
    if POSTFIX in options["without"]:
        return
    yield configuration.check_files(POSTFIX, folder)
    if not (folder / "main.cf").exists():
        return
    yield from mail_servers.check_postfix(folder)
    yield from mail_servers.check_maps(folder, something)
    if has_database:
        yield from _role(POSTFIX, folder)
    yield mail_servers.check_queue(folder, time.time())


def _dovecot(options: dict[str, Any], something: panel.Known, *, has_database: bool) -> Iterator[Finding]:
    folder = Path(options["dovecot"])
    if DOVECOT in options["without"]:
        return
    yield configuration.check_files(DOVECOT, folder)
    if (folder / "dovecot.conf").exists():
        yield from mail_servers.check_dovecot(folder, something)
        if has_database:
            yield from _role(DOVECOT, folder)
            yield panel.check_sign_ins()
            if rehash := configuration.options(DOVECOT, folder).get("rehash_socket"):
                yield panel.check_rehash(Path(rehash))


def _role(server: str, folder: Path) -> Iterator[Finding]:
    """The one that the server's files name; where they cannot be read, the check of the files has said so."""
    if name := configuration.options(server, folder).get("database_user"):
        yield panel.check_mail_role(server, name)


def _rspamd(options: dict[str, Any], *, has_database: bool) -> Iterator[Finding]:
    if has_database:
        yield panel.check_signing_keys()  # they lie in Redis, wherever rspamd itself is
    if RSPAMD in options["without"]:
        return
    yield configuration.check_files(RSPAMD, Path(options["rspamd"]))
    if postfix := configuration.options(POSTFIX, Path(options["postfix"])):
        yield mail_servers.check_signer(postfix["milter"])


def _host(options: dict[str, Any]) -> Iterator[Finding]:
    postfix = configuration.options(POSTFIX, Path(options["postfix"]))
    dovecot = configuration.options(DOVECOT, Path(options["dovecot"]))
    helo = mail_servers.postfix_value(Path(options["postfix"]), "smtp_helo_name")
    yield host.check_dns(settings.MAIL_HOSTNAME, helo)
    yield host.check_spf(helo or settings.MAIL_HOSTNAME)
    if certificate := postfix.get("tls_cert") or dovecot.get("tls_cert"):
        yield host.check_certificate(Path(certificate), settings.MAIL_HOSTNAME, datetime.now(UTC))
    else:
        yield unknown("certificate", "no mail server's files on this host name one")
    yield from host.check_disks(
        {
            "panel": str(settings.VAR_DIR),
            "mail": dovecot.get("mail_dir", ""),
            "queue": mail_servers.postfix_value(Path(options["postfix"]), "queue_directory"),
        }
    )
