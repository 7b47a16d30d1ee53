"""What may come from a CSV file, and how: each line is planned and shown, then all are made or none."""

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from django.utils.translation import gettext as _

from mailboxes.files import csv_files

NO_LIMIT = "-"
Row = dict[str, str]


class Line(Protocol):
    """What a line of a file would make; `problem` says why it cannot, `is_there` that just this is made already."""

    @property
    def is_there(self) -> bool:
        """Such a line is a problem, too, unless a file is gone through once more."""

    @property
    def key(self) -> str:
        """Which customer, domain or address it is."""

    @property
    def problem(self) -> str:
        """In the active language; empty where there is none."""

    @property
    def would(self) -> str:
        """What would be made, in words."""

    @property
    def cells(self) -> Sequence[object]:
        """The line anew, in the order of the kind's columns."""


L = TypeVar("L", bound=Line)


@dataclass(frozen=True)
class Made:
    """What was made of a line; the password of a new mailbox is shown once."""

    key: str
    password: str = ""


@dataclass(frozen=True)
class Kind:
    """`columns`: headings in lower case → our names. `order`: our names, first the one without which no line is any."""

    columns: Mapping[str, str]
    order: tuple[str, ...]
    max_rows: int
    plan: Callable[[Iterable[Row]], list[Any]]
    make: Callable[..., list[Made]]
    in_turn: Callable[[Any], Any]  # by what lines are sorted to be made

    def read(self, content: bytes, *, max_rows: int = 0, max_mb: int = csv_files.MAX_MB) -> list[Row]:
        """The rows of a file; `max_rows`: other than somebody may upload. Raises csv_files.FileProblem."""
        most = max_rows or self.max_rows
        return csv_files.read(content, self.columns, key=self.order[0], max_rows=most, max_mb=max_mb)

    def as_text(self, planned: Iterable[Line]) -> str:
        """The lines anew, as CSV: what goes from the preview to the making."""
        written = io.StringIO()
        rows = csv.writer(written)
        rows.writerow(self.order)
        rows.writerows(line.cells for line in planned)
        return written.getvalue()


class NoNumber(ValueError):
    """The text says what was expected, in the active language."""


def number(cell: str, column: str, *, least: int = 0, most: int) -> int | None:
    """None for an empty cell and for “-”. Raises NoNumber."""
    if cell in ("", NO_LIMIT):
        return None
    if not (cell.isascii() and cell.isdecimal() and least <= int(cell[:12]) <= most):
        words = {"column": column, "least": least, "most": most}
        raise NoNumber(_("%(column)s must be a number from %(least)d to %(most)d.") % words)
    return int(cell)


def limit_cell(limit: int | None) -> str:
    """What `number` reads back, and no usual limit takes the place of."""
    return NO_LIMIT if limit is None else str(limit)


def words_of(cell: str) -> list[str]:
    """Several in a cell, between spaces, commas or semicolons."""
    return cell.replace(",", " ").replace(";", " ").split()
