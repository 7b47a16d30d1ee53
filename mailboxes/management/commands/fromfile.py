"""`manage.py fromfile customers|domains|addresses FILE`: many at once, as the pages take them from a file, without
their limits of size.

First everything is planned; where a line cannot be made nothing is. Then they are made some hundred at a time, each of
these steps a transaction: whoever is stopped half-way goes on with --go-on.
"""

import csv
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from django.core.exceptions import ObjectDoesNotExist
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, transaction
from django.utils.translation import override

from mailboxes import command_line, races
from mailboxes.files import address_files, csv_files, customer_files, domain_files
from mailboxes.files.file_kinds import Kind
from mailboxes.log import COMMAND
from mailboxes.models import Domain
from mailboxes.services import MailboxesError

MAX_MB, MAX_ROWS = 200, 500_000
AT_ONCE = 200
NOT_ALL = 3  # 2 is a wrong command line


class Command(BaseCommand):
    help = "Make customers, domains, or mailboxes and aliases, that stand in a CSV file."

    def add_arguments(self, parser: CommandParser) -> None:
        kinds = parser.add_subparsers(dest="kind", required=True)
        columns = ", ".join
        _add_common(kinds.add_parser("customers", help=f"columns: {columns(customer_files.KIND.order)}"))
        _add_common(kinds.add_parser("domains", help=f"columns: {columns(domain_files.KIND.order)}"))
        some = kinds.add_parser("addresses", help=f"columns: {columns((*address_files.ORDER, address_files.HASH))}")
        _add_common(some)
        some.add_argument(
            "--passwords", type=Path, metavar="FILE",
            help="a new file, for its owner alone, for the passwords of mailboxes that bring no hash",
        )  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        kind = _kind(options["kind"])
        with override("en"), _in_one_line():
            planned = kind.plan(_rows(kind, options["file"]))
            if options["go_on"]:
                planned = [line for line in planned if not line.is_there]
            problems = [line for line in planned if line.problem]
            self._tell(problems or (planned if options["dry_run"] else []), options)
            if problems:
                raise CommandError(f"nothing was made: {len(problems)} of {len(planned)} lines cannot be")
            if options["dry_run"]:
                self._say(f"{len(planned)} lines would be made; this was a dry run", options)
                return
            self._make(kind, planned, options)

    def _tell(self, planned: list[Any], options: dict[str, Any]) -> None:
        for line in planned:
            if options["json"]:
                told = {"key": line.key, "problem": line.problem, "would": "" if line.problem else line.would}
                self.stdout.write(command_line.as_line(told))
            else:
                self.stdout.write(f"{line.key}\t{line.problem or line.would}")

    def _make(self, kind: Kind, planned: list[Any], options: dict[str, Any]) -> None:
        lines, count = sorted(planned, key=kind.in_turn), 0
        with _passwords(lines, options) as passwords:
            try:
                for begin in range(0, len(lines), AT_ONCE):
                    some = lines[begin : begin + AT_ONCE]
                    races.twice(partial(_step, kind, some, passwords))
                    count += len(some)
                    self._say(f"{count} of {len(lines)} made", options)
            except (MailboxesError, ObjectDoesNotExist, DatabaseError, OSError, KeyboardInterrupt) as error:
                words = "stopped" if isinstance(error, KeyboardInterrupt) else " ".join(str(error).split())
                raise CommandError(
                    f"{count} of {len(lines)} were made, go on with --go-on: {words}", returncode=NOT_ALL
                ) from error
        if options["json"]:
            self.stdout.write(command_line.as_line({"made": count}))

    def _say(self, words: str, options: dict[str, Any]) -> None:
        if not options["json"]:
            self.stdout.write(words)


def _add_common(parser: CommandParser) -> None:
    parser.add_argument("file", help="CSV, the first line names the columns; - is standard input")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be made, or why it cannot")
    parser.add_argument("--go-on", action="store_true", help="leave out what is there already")
    parser.add_argument("--json", action="store_true", help="a JSON object a line")


def _kind(name: str) -> Kind:
    if name == "addresses":
        return address_files.kind_for(Domain.objects.filter(deleted_at=None), sets_limits=True, takes_hashes=True)
    return {"customers": customer_files.KIND, "domains": domain_files.KIND}[name]


def _rows(kind: Kind, file: str) -> list[dict[str, str]]:
    content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    rows = kind.read(content, max_rows=MAX_ROWS, max_mb=MAX_MB)
    if not rows:
        raise CommandError(f"{file} has no lines besides the first")
    return rows


@contextmanager
def _in_one_line() -> Iterator[None]:
    try:
        yield
    except (OSError, csv_files.FileProblem, DatabaseError) as error:
        raise CommandError(" ".join(str(error).split())) from error


def _step(kind: Kind, some: list[Any], passwords: TextIO | None) -> None:
    """Passwords are on the disk before their mailboxes are there: none is lost, whatever happens between."""
    with transaction.atomic():
        made = kind.make(some, actor=COMMAND)
        rows = [(row.key, row.password) for row in made if row.password]
        if passwords is not None and rows:
            csv.writer(passwords).writerows(rows)
            passwords.flush()
            os.fsync(passwords.fileno())


@contextmanager
def _passwords(lines: list[Any], options: dict[str, Any]) -> Iterator[TextIO | None]:
    """The file for them, which nobody else reads; it goes on where it was stopped. Raises CommandError."""
    if options["kind"] != "addresses" or all(line.targets or line.password_hash for line in lines):
        yield None
        return
    path: Path | None = options["passwords"]
    if path is None:
        raise CommandError("mailboxes get passwords: say by --passwords into which file")
    with os.fdopen(_opened(path, goes_on=options["go_on"]), "a", newline="") as opened:
        if Path(options["file"]).exists() and path.samefile(options["file"]):
            raise CommandError(f"{path} is the file that is read")
        if stat.S_IMODE(os.fstat(opened.fileno()).st_mode) & 0o077:
            raise CommandError(f"{path}: others than you may read or write it")
        yield opened


def _opened(path: Path, *, goes_on: bool) -> int:
    """New, or as it was left where somebody goes on; never somewhere else by a link. Raises CommandError, OSError."""
    if path.exists() and not goes_on:
        raise CommandError(f"{path} is there already")
    only_new = 0 if goes_on else os.O_EXCL
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | only_new, 0o600)
