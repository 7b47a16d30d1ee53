"""`manage.py import postfixadmin|modoboa|ispconfig|cpanel|sieve SOURCE`: what another mail system holds, taken over."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any
from zoneinfo import available_timezones

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connection
from django.utils.translation import override

from importing import cpanel, ispconfig, modoboa, postfixadmin, sieve_files
from importing.carrying import Carrier, Options
from importing.databases import read_tables
from importing.facts import Source, SourceError
from importing.items import NOT_CARRIED_OVER, Item, State
from importing.settling import settle
from responders.services import database_now

SYSTEMS: dict[str, ModuleType] = {"postfixadmin": postfixadmin, "modoboa": modoboa, "ispconfig": ispconfig}
NOT_ALL = 3  # 2 is a wrong command line
_LOCK = "SELECT pg_try_advisory_lock(7251, 6)"
_UNLOCK = "SELECT pg_advisory_unlock(7251, 6)"


class Command(BaseCommand):
    help = "Take over customers, domains, mailboxes, passwords, aliases and autoresponders of another mail system."

    def add_arguments(self, parser: CommandParser) -> None:
        systems = parser.add_subparsers(dest="system", required=True)
        for name in SYSTEMS:
            system = systems.add_parser(name, help="a dump file, a file of SQLite, postgresql://… or mysql://…")
            _add_common(system)
            system.add_argument("--database", default="", help="which, of a dump that holds several")
            system.add_argument("--prefix", default="", help="what stands before the names of the tables")
            system.add_argument("--encoding", default="", help="of what is not UTF-8; otherwise as the dump says")
            system.add_argument("--scheme", default="CRYPT", help="of passwords that do not name theirs: PLAIN-MD5 …")
        home = systems.add_parser("cpanel", help="the home directory of an account, or an unpacked cpmove backup")
        _add_common(home)
        home.add_argument("--valiases", type=Path, help="the folder with a file for each domain, where it is elsewhere")
        scripts = systems.add_parser("sieve", help="a folder of mail (DOMAIN/USER/sieve), or one script")
        _add_common(scripts)
        scripts.add_argument("--address", default="", help="this mailbox only; whose the script is")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["zone"] not in available_timezones():
            raise CommandError(f"{options['zone']} is not a time zone like Europe/Warsaw")
        counts: Counter[str] = Counter()
        try:
            with override("en"):
                for item in self._items(options):
                    counts[item.state] += 1
                    self._say(item, options)
        except SourceError as error:
            raise CommandError(str(error)) from error
        except (OSError, LookupError) as error:
            raise CommandError(f"{options['source']} cannot be read: {error}") from error
        except DatabaseError as error:
            words = str(error).partition("\n")[0]
            raise CommandError(f"The database refused; what was made so far stays, run it again: {words}") from error
        self._sum_up(counts, options)

    def _items(self, options: dict[str, Any]) -> Iterator[Item]:
        source = settle(_read(options))
        carrier = Carrier(
            source,
            Options(
                now=database_now(),
                zone=options["zone"],
                applies=options["apply"],
                overwrites=options["overwrite"],
                keeps_weak_passwords=options["keep_weak_passwords"],
                leaves_out_expired=options["leave_out_expired"],
            ),
        )
        if not options["apply"]:
            yield from carrier.items()
            return
        with connection.cursor() as cursor:
            cursor.execute(_LOCK)
            if not cursor.fetchone()[0]:
                raise SourceError("another import is running")
        try:
            yield from carrier.items()
        finally:
            with connection.cursor() as cursor:
                cursor.execute(_UNLOCK)

    def _say(self, item: Item, options: dict[str, Any]) -> None:
        self.stdout.write(json.dumps(asdict(item), ensure_ascii=False) if options["json"] else item.line)

    def _sum_up(self, counts: Counter[str], options: dict[str, Any]) -> None:
        if options["json"]:
            self.stdout.write(json.dumps({"applied": options["apply"], "counts": dict(counts)}))
        else:
            words = ", ".join(f"{counts[state]} {state}" for state in State if counts[state]) or "nothing was found"
            self.stdout.write(f"\n{words}.")
            if not options["apply"]:
                self.stdout.write("Nothing was written: this was a dry run. --apply takes it over.")
        if missing := sum(counts[state] for state in NOT_CARRIED_OVER):
            raise CommandError(f"{missing} left out or kept as here; docs/import.md explains", returncode=NOT_ALL)


def _add_common(parser: CommandParser) -> None:
    parser.add_argument("source", help="where it is")
    parser.add_argument("--apply", action="store_true", help="write it; without this, only say what would be written")
    parser.add_argument("--dry-run", dest="apply", action="store_false", help="only say it (so it is by default)")
    parser.add_argument("--overwrite", action="store_true", help="where something is here otherwise, take the source's")
    parser.add_argument("--zone", default=settings.DEFAULT_MAILBOX_TIME_ZONE, help="of dates that name none")
    parser.add_argument("--keep-weak-passwords", action="store_true", help="unsalted hashes and old crypt(3), too")
    parser.add_argument("--leave-out-expired", action="store_true", help="autoresponders whose end has passed")
    parser.add_argument("--json", action="store_true", help="a JSON object a line")


def _read(options: dict[str, Any]) -> Source:
    source, zone = options["source"], options["zone"]
    if options["system"] == "cpanel":
        return cpanel.read(Path(source), zone=zone, valiases=options["valiases"])
    if options["system"] == "sieve":
        return sieve_files.read(Path(source), zone=zone, address=options["address"])
    system = SYSTEMS[options["system"]]
    tables = read_tables(
        source, system.WANTED, database=options["database"], prefix=options["prefix"], encoding=options["encoding"]
    )
    if missing := [table for table in system.REQUIRED if table not in tables]:
        raise SourceError(
            f"there is no table {options['prefix']}{missing[0]}: is this the database of {options['system']}?"
        )
    read: Source = system.read(tables, zone=zone, password_scheme=options["scheme"])
    return read
