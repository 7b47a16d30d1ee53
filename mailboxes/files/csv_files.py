"""CSV files that come in from spreadsheets, and those that go out to them."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.http import StreamingHttpResponse
from django.utils.translation import gettext as _

MEGABYTE = 1024 * 1024
MAX_MB = 5
# A spreadsheet takes what begins with one of these for a formula, and runs it (OWASP, CSV injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_SEPARATORS = ",;\t"


class FileProblem(ValueError):
    """The file cannot be read; the text says why, in the active language."""


def content_of(file: "UploadedFile[bytes]", *, max_mb: int = MAX_MB) -> bytes:
    """What somebody uploads; what is too large is not read at all. Raises FileProblem."""
    _refuse_larger(file.size or 0, max_mb)
    return bytes(file.read())


def _refuse_larger(octets: int, max_mb: int) -> None:
    if octets > max_mb * MEGABYTE:
        raise FileProblem(_("This file is larger than %(most)d MB.") % {"most": max_mb})


def read(
    content: bytes, names: Mapping[str, str], *, max_rows: int, key: str = "address", max_mb: int = MAX_MB
) -> list[dict[str, str]]:
    """Its rows, by our names of its columns (`names`: heading in lower case → name). Unknown columns are left out.

    Raises FileProblem: not text, no column of the name `key`, too large.
    """
    _refuse_larger(len(content), max_mb)
    if content.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise FileProblem(_("This is a spreadsheet: save it as CSV first."))
    text = _decoded(content).replace("\0", "")
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text))
    try:
        columns = [names.get(heading.strip().lower(), "") for heading in next(rows, [])]
        if key not in columns:
            words = _("The first line must name the columns, and one of them must be “%(column)s”.")
            raise FileProblem(words % {"column": key})
        found = [_row(columns, cells) for cells in _first(rows, max_rows + 1)]
    except csv.Error as error:
        raise FileProblem(_("This is not a CSV file.")) from error
    if len(found) > max_rows:
        raise FileProblem(_("There are more than %(number)s rows: make several files of it.") % {"number": max_rows})
    return [row for row in found if any(row.values())]


def _first(rows: Iterable[list[str]], number: int) -> Iterator[list[str]]:
    for _number, row in zip(range(number), rows, strict=False):
        yield row


def _row(columns: list[str], cells: list[str]) -> dict[str, str]:
    return {name: cell.strip() for name, cell in zip(columns, cells, strict=False) if name}


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1250", "replace")  # what a Polish spreadsheet writes


def _separator(text: str) -> str:
    heading = text.partition("\n")[0]
    return max(_SEPARATORS, key=heading.count)


class _Line:
    """What `csv.writer` writes to: it hands back each line."""

    def write(self, line: str) -> str:
        return line


def lines(rows: Iterable[Iterable[Any]]) -> Iterator[bytes]:
    """Rows as a spreadsheet reads them: UTF-8 with its mark, and nothing that it would take for a formula."""
    writer = csv.writer(_Line())
    yield b"\xef\xbb\xbf"
    for row in rows:
        yield writer.writerow([harmless(cell) for cell in row]).encode("utf-8", "replace")


def harmless(cell: Any) -> str:
    """The cell as text; with an apostrophe before it where it would be a formula."""
    text = "" if cell is None else str(cell)
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def answer(name: str, rows: Iterable[Iterable[Any]]) -> StreamingHttpResponse:
    """A file to save, sent while it is made."""
    response = StreamingHttpResponse(lines(rows), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    return response
