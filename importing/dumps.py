"""Dump files of MySQL, MariaDB, PostgreSQL and SQLite as rows, read as a stream.

Measured on one core with a dump of MySQL: a general SQL parser (sqlglot 30) reads 0.3 MB/s and its tokenizer alone
1.7 MB/s; the patterns here, which know INSERT and COPY and step over everything else, 15 MB/s and more. SQLite reads
its own dumps.
"""

import gzip
import re
import sqlite3
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

from importing.facts import SourceError

Row = dict[str, str | None]
# Which columns of which tables are wanted.
Wanted = Mapping[str, frozenset[str]]
Tables = dict[str, list[Row]]

_BLOCK = 1 << 20
MAX_STATEMENT = 256 << 20
MAX_SQLITE_DUMP = 1 << 30
_HEAD = 1 << 16

# One statement, up to its semicolon: strings, names and comments are stepped over whole. Possessive: no going back.
_MYSQL = re.compile(
    rb"""(?:[^'"`;#/\\\-]++|'(?:[^'\\]++|\\.)*+'|"(?:[^"\\]++|\\.)*+"|`[^`]*+`"""
    rb"""|--(?=[ \t\r\n])[^\n]*+\n|\#[^\n]*+\n|/\*(?:[^*]++|\*(?!/))*+\*/|[/\\\-](?![*\-]))*+;""",
    re.DOTALL,
)
_POSTGRES = re.compile(
    rb"""(?:[^'";$/\-eE]++"""
    rb"""|[eE]'(?:[^'\\]++|\\.|'')*+'|[eE](?!')|'[^']*+'|"[^"]*+\"|--[^\n]*+\n"""
    rb"""|\$(?!\w*\$)|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$"""
    rb"""|/\*(?:[^*]++|\*(?!/))*+\*/|[/\-](?![*\-]))*+;""",
    re.DOTALL,
)
# Comments and psql's own lines before a statement. What MySQL runs of them (/*!40101 SET NAMES latin2 */) is one.
_LEADING = re.compile(rb"(?:\s++|\\[a-z][^\n]*+\n|--[^\n]*+\n|#[^\n]*+\n|/\*(?!!)(?:[^*]++|\*(?!/))*+\*/)*+")
_NAME = rb"""(?:[`"]?([\w$-]+)[`"]?\s*\.\s*)?[`"]?([\w$-]+)[`"]?"""
_INSERT = re.compile(
    rb"(?i)(?:INSERT|REPLACE)\s+(?:IGNORE\s+)?INTO\s+"
    + _NAME
    + rb"\s*(?:\(([^)]*)\)\s*)?(?:OVERRIDING \w+ VALUE\s*)?VALUES?"
)
_CREATE = re.compile(rb"(?i)CREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?" + _NAME + rb"\s*\(")
_COPY = re.compile(rb"(?i)COPY\s+" + _NAME + rb"\s*\(([^)]*)\)\s+FROM\s+stdin")
_USE = re.compile(rb"(?i)USE\s+`?([\w$-]+)`?")
_NAMES = re.compile(rb"(?i)(?:/\*!\d+\s*)?SET\s+(?:NAMES|client_encoding\s*(?:=|TO))\s*'?([\w-]+)'?")
# mysqldump and phpMyAdmin write what is a TIMESTAMP in UTC, whatever the server's zone is, and say so here; a DATETIME
# is written as it was typed.
_ZONE = re.compile(rb"""(?i)(?:/\*!\d+\s*)?SET\s+(?:SESSION\s+)?TIME_ZONE\s*=\s*['"]([+-]\d\d:\d\d)['"]""")
# A value, or what stands between values.
_TOKEN = re.compile(
    rb"""(?:_binary\s*)?(?P<e>[eEbBxX]?)'(?P<text>(?:[^'\\]++|\\.|'')*+)'|(?P<plain>[^\s,()';]++)|(?P<mark>[(),;])|\s++""",
    re.DOTALL,
)
_TOKEN_PLAIN = re.compile(  # PostgreSQL: a backslash in '…' is a letter, in E'…' it is not
    rb"""[eE]'(?P<e>(?:[^'\\]++|\\.|'')*+)'|'(?P<text>[^']*+(?:''[^']*+)*+)'|(?P<plain>[^\s,()';]++)|(?P<mark>[(),;])|\s++""",
    re.DOTALL,
)
# mysqldump, mariadb-dump and pg_dump say at the end that this is all.
_SAYS_ITS_END = re.compile(rb"(?:MySQL|MariaDB) dump |PostgreSQL database (?:cluster )?dump")
_END = re.compile(rb"Dump completed|dump complete")
_NOT_A_COLUMN = {
    b"PRIMARY", b"KEY", b"UNIQUE", b"CONSTRAINT", b"INDEX", b"FULLTEXT", b"SPATIAL", b"CHECK", b"FOREIGN", b"EXCLUDE",
    b"LIKE",
}  # fmt: skip
_ESCAPE = re.compile(rb"\\(.)|''", re.DOTALL)
_MYSQL_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"0": b"\0", b"b": b"\b", b"Z": b"\x1a"}
_COPY_ESCAPE = re.compile(rb"\\([0-7]{1,3}|x[0-9a-fA-F]{1,2}|.)", re.DOTALL)
_COPY_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f", b"v": b"\v"}
# As servers name them.
_ENCODINGS = {
    "latin1": "cp1252", "latin2": "iso8859-2", "cp1250": "cp1250", "win1250": "cp1250", "utf8": "utf-8",
    "utf8mb3": "utf-8", "utf8mb4": "utf-8", "sql_ascii": "utf-8", "iso_8859_2": "iso8859-2", "binary": "utf-8",
}  # fmt: skip


@dataclass
class _Reading:
    """What is known while a dump is read."""

    wanted: Wanted
    database: str = ""
    prefix: str = ""
    encoding: str = ""
    is_mysql: bool = True
    used: str = ""
    declared: str = "utf-8"
    offset: str = ""
    columns: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    found_in: dict[str, str] = field(default_factory=dict)
    tables: Tables = field(default_factory=dict)

    def text(self, octets: bytes | None) -> str | None:
        """Whatever is UTF-8 is; then what was asked for or what the dump says. Broken bytes become U+FFFD."""
        if octets is None:
            return None
        try:
            return octets.decode("utf-8")
        except UnicodeDecodeError:
            return octets.decode(self.encoding or self.declared, "replace")

    def cell(self, octets: bytes | None, kind: str) -> str | None:
        """The text of a cell of MySQL, of a TIMESTAMP with the offset in which the dump has it."""
        text = self.text(octets)
        return f"{text}{self.offset}" if text and self.offset and kind == "TIMESTAMP" else text


def read_dump(path: Path, wanted: Wanted, *, database: str = "", prefix: str = "", encoding: str = "") -> Tables:
    """The wanted columns of the wanted tables. `encoding`: of what is not UTF-8; otherwise as the dump says.

    `prefix`: what stands before the names of the tables. `database`: which, where the dump holds several.
    Raises SourceError, OSError.
    """
    try:
        with _opened(path) as stream:
            return _read_stream(stream, _Reading(wanted, database, prefix, encoding))
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SourceError(f"{path} cannot be unpacked: {error}") from error


def _read_stream(stream: BinaryIO, reading: _Reading) -> Tables:
    head = stream.read(_HEAD)
    kind = _kind(head)
    if kind == "sqlite":
        return _read_sqlite(head, stream, reading)
    reading.is_mysql = kind == "mysql"
    source = _Stream(head, stream, _MYSQL if reading.is_mysql else _POSTGRES)
    for statement in source.statements():
        _read(reading, statement, source)
    return reading.tables


def _opened(path: Path) -> BinaryIO:
    with path.open("rb") as stream:
        magic = stream.read(5)
    if magic == b"PGDMP":
        raise SourceError(f"{path} is in pg_dump's own format: make text of it with pg_restore --file=dump.sql {path}")
    return cast("BinaryIO", gzip.open(path)) if magic.startswith(b"\x1f\x8b") else path.open("rb")


def _kind(head: bytes) -> str:
    if b"PostgreSQL database dump" in head or re.search(rb"(?m)^COPY .* FROM stdin;", head):
        return "postgres"
    if re.match(rb"(?:\s|--[^\n]*\n)*(?:PRAGMA |BEGIN TRANSACTION)", head) and b"`;" not in head:
        return "sqlite"
    if re.search(
        rb"(?i)MySQL dump|MariaDB dump|phpMyAdmin|(?:INSERT INTO|CREATE TABLE)[^;]*`|INSERT INTO|CREATE TABLE", head
    ):
        return "mysql"
    raise SourceError("this is no dump of MySQL, MariaDB, PostgreSQL or SQLite in text form")


class _Stream:
    """The bytes of a dump, a statement or a line of COPY at a time."""

    def __init__(self, head: bytes, stream: BinaryIO, whole: re.Pattern[bytes]) -> None:
        self._buffer, self._position = head, 0
        self._stream, self._whole = stream, whole
        self._says_its_end = bool(_SAYS_ITS_END.search(head))

    def _more(self) -> bool:
        """Read on; whether there was more. Twice as much each time: looking again costs no more than reading."""
        block = self._stream.read(max(_BLOCK, len(self._buffer) - self._position))
        self._buffer, self._position = self._buffer[self._position :] + block, 0
        if len(self._buffer) > MAX_STATEMENT:
            raise SourceError("a statement of this dump does not end: is it whole?")
        return bool(block)

    def _next(self) -> re.Match[bytes] | None:
        start = cast("re.Match[bytes]", _LEADING.match(self._buffer, self._position)).end()
        return self._whole.match(self._buffer, start)

    def statements(self) -> Iterator[bytes]:
        """Each statement; after COPY, `lines` must be read to its end before the next one."""
        while True:
            match = self._next()
            # What ends with the buffer may go on in the next block.
            while (match is None or match.end() == len(self._buffer)) and self._more():
                match = self._next()
            match = self._next()
            if match is None:
                _refuse_half(self._buffer[self._position :], says_its_end=self._says_its_end)
                return
            self._position = match.end()
            yield match[0]

    def lines(self) -> Iterator[bytes]:
        """What follows COPY … FROM stdin, up to the line that ends it."""
        next(self._lines(), b"")  # the rest of the statement's own line
        for line in self._lines():
            if line.rstrip(b"\r") == b"\\.":
                return
            yield line
        raise SourceError("this dump ends in the middle of a table: is it whole?")

    def _lines(self) -> Iterator[bytes]:
        while True:
            end = self._buffer.find(b"\n", self._position)
            if end < 0:
                if not self._more():
                    return
                continue
            line, self._position = self._buffer[self._position : end], end + 1
            yield line


def _read(reading: _Reading, statement: bytes, stream: _Stream) -> None:
    if match := _INSERT.match(statement):
        _read_insert(reading, match, statement[match.end() :])
    elif match := _CREATE.match(statement):
        reading.columns[_of(reading, match)] = _columns_in(statement[match.end() :])
    elif match := _COPY.match(statement):
        _read_copy(reading, match, stream.lines())
    elif match := _USE.match(statement):
        reading.used = match[1].decode("utf-8", "replace")
    elif match := _NAMES.match(statement):
        reading.declared = _ENCODINGS.get(match[1].decode("ascii", "replace").lower(), "utf-8")
    elif match := _ZONE.match(statement):
        reading.offset = match[1].decode()


def _refuse_half(rest: bytes, *, says_its_end: bool) -> None:
    """What is left at the end may be comments, or what psql understands (\\unrestrict), and nothing else."""
    left = rest[cast("re.Match[bytes]", _LEADING.match(rest)).end() :].strip()
    if (left and not left.startswith((b"\\", b"--", b"#", b"/*"))) or (says_its_end and not _END.search(rest)):
        raise SourceError("this dump ends before its end: is it whole?")


def _of(reading: _Reading, match: re.Match[bytes]) -> tuple[str, str]:
    """Database (or schema) and table."""
    qualifier = (match[1] or b"").decode("utf-8", "replace")
    return (qualifier or reading.used, match[2].decode("utf-8", "replace"))


def _rows_of(reading: _Reading, place: tuple[str, str]) -> tuple[frozenset[str], list[Row]] | None:
    """The wanted columns of a table and where its rows go; None: not wanted."""
    database, written = place
    table = written.removeprefix(reading.prefix)
    if table not in reading.wanted or not written.startswith(reading.prefix):
        return None
    if reading.database and database != reading.database:
        return None
    if reading.found_in.setdefault(table, database) != database:
        raise SourceError(
            f"this dump has {table} of {reading.found_in[table]} and of {database}: choose with --database"
        )
    return reading.wanted[table], reading.tables.setdefault(table, [])


def _read_insert(reading: _Reading, match: re.Match[bytes], values: bytes) -> None:
    place = _of(reading, match)
    found = _rows_of(reading, place)
    if found is None:
        return
    kinds = reading.columns.get(place, {})
    names = _listed(match[3]) if match[3] else list(kinds)
    if not names:
        raise SourceError(f"this dump does not say which columns {place[1]} has: make it with the tables' structure")
    wanted, rows = found
    places = [(index, name, kinds.get(name, "")) for index, name in enumerate(names) if name in wanted]
    for cells in _tuples(values, is_mysql=reading.is_mysql):
        if len(cells) == len(names):
            rows.append({name: reading.cell(cells[index], kind) for index, name, kind in places})


def _tuples(values: bytes, *, is_mysql: bool) -> Iterator[list[bytes | None]]:
    """The rows of an INSERT. A value that is no literal is taken as its text."""
    cells: list[bytes | None] = []
    depth = 0
    for match in (_TOKEN if is_mysql else _TOKEN_PLAIN).finditer(values):
        kind = match.lastgroup
        if kind == "mark":
            depth += {b"(": 1, b")": -1}.get(match["mark"], 0)
            if match["mark"] == b")" and depth == 0:
                yield cells
                cells = []
        elif kind is not None and depth == 1:
            cells.append(_value(match, kind, is_mysql=is_mysql))


def _value(match: re.Match[bytes], kind: str, *, is_mysql: bool) -> bytes | None:
    if kind == "plain":
        plain = match["plain"]
        if plain.upper() == b"NULL":
            return None
        return bytes.fromhex(plain[2:].decode()) if re.fullmatch(rb"0x(?:[0-9a-fA-F]{2})+", plain) else plain
    if kind == "text":
        text = match["text"]
        if is_mysql and match["e"] in {b"b", b"B"}:
            return str(int(text or b"0", 2)).encode()
        return _unescaped(text) if is_mysql else text.replace(b"''", b"'")
    return _unescaped(match["e"])


def _unescaped(text: bytes) -> bytes:
    if b"\\" not in text and b"''" not in text:
        return text
    return _ESCAPE.sub(lambda match: _MYSQL_ESCAPES.get(match[1], match[1]) if match[1] else b"'", text)


def _read_copy(reading: _Reading, match: re.Match[bytes], lines: Iterator[bytes]) -> None:
    found = _rows_of(reading, _of(reading, match))
    if found is None:
        for _line in lines:
            pass
        return
    wanted, rows = found
    names = _listed(match[3])
    places = [(index, name) for index, name in enumerate(names) if name in wanted]
    for line in lines:
        cells = line.rstrip(b"\r").split(b"\t")
        if len(cells) == len(names):
            rows.append({name: reading.text(_copied(cells[index])) for index, name in places})


def _copied(cell: bytes) -> bytes | None:
    """A cell of COPY's text format (PostgreSQL's manual, COPY, “Text Format”)."""
    if cell == b"\\N":
        return None
    return _COPY_ESCAPE.sub(_copy_escape, cell) if b"\\" in cell else cell


def _copy_escape(match: re.Match[bytes]) -> bytes:
    written = match[1]
    if written[:1] in b"01234567":
        return bytes([int(written, 8) & 0xFF])
    if written[:1] == b"x" and len(written) > 1:
        return bytes([int(written[1:], 16)])
    return _COPY_ESCAPES.get(written, written)


def _listed(names: bytes) -> list[str]:
    return [name.strip().strip(b'`"').decode("utf-8", "replace") for name in names.split(b",")]


def _columns_in(body: bytes) -> dict[str, str]:
    """The columns of a CREATE TABLE, by the first word of each part at the top, with the first word of their types."""
    columns: dict[str, str] = {}
    name, depth, is_first = "", 0, True
    for match in re.finditer(rb"""'(?:[^'\\]|\\.|'')*'|[`"]([^`"]+)[`"]|([^\s,()'`"]+)|([(),])""", body):
        mark, word = match[3], match[1] or match[2] or b""
        if mark == b")" and depth == 0:
            break
        if mark:
            depth += {b"(": 1, b")": -1}.get(mark, 0)
            is_first = mark == b"," and depth == 0
        elif is_first:
            name = word.decode("utf-8", "replace") if match[1] or word.upper() not in _NOT_A_COLUMN else ""
            is_first = False
        elif name and depth == 0:
            columns.setdefault(name, word.decode("utf-8", "replace").upper())
    return columns


def _read_sqlite(head: bytes, stream: BinaryIO, reading: _Reading) -> Tables:
    """SQLite runs its own dump, in memory and without a way out of it."""
    content = (head + stream.read(MAX_SQLITE_DUMP)).replace(b"\0", b"")
    if len(content) >= MAX_SQLITE_DUMP:
        raise SourceError("this dump is too large to be read: give the database file itself")
    database = sqlite3.connect(":memory:")
    database.set_authorizer(_only_tables)
    try:
        database.executescript("".join(reading.text(line) or "" for line in content.splitlines(keepends=True)))
        return tables_of_sqlite(database, reading.wanted, prefix=reading.prefix, encoding=reading.encoding)
    except sqlite3.Error as error:
        raise SourceError(f"SQLite cannot read this dump: {error}") from error
    finally:
        database.close()


def _only_tables(action: int, *_about: str | None) -> int:
    """No other files, nothing without an end; settings and triggers of the dump do nothing."""
    if action in {sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH, sqlite3.SQLITE_RECURSIVE}:
        return sqlite3.SQLITE_DENY
    idle = {sqlite3.SQLITE_PRAGMA, sqlite3.SQLITE_CREATE_TRIGGER, sqlite3.SQLITE_CREATE_VTABLE}
    return sqlite3.SQLITE_IGNORE if action in idle else sqlite3.SQLITE_OK


def tables_of_sqlite(database: sqlite3.Connection, wanted: Wanted, *, prefix: str, encoding: str) -> Tables:
    """The wanted columns of an open database. Raises sqlite3.Error."""
    reading = _Reading(wanted, prefix=prefix, encoding=encoding)
    database.set_authorizer(None)
    database.text_factory = bytes
    for table, columns in wanted.items():
        quoted = '"' + (prefix + table).replace('"', '""') + '"'
        there = [bytes(row[1]).decode("utf-8", "replace") for row in database.execute(f"PRAGMA table_info({quoted})")]
        names = [name for name in there if name in columns]
        if names:
            listed = ", ".join(f'"{name}"' for name in names)
            rows = database.execute(f"SELECT {listed} FROM {quoted}")  # noqa: S608 (names of our own)
            reading.tables[table] = [
                {name: reading.text(_octets(cell)) for name, cell in zip(names, row, strict=True)} for row in rows
            ]
    return reading.tables


def _octets(cell: object) -> bytes | None:
    return cell if cell is None or isinstance(cell, bytes) else str(cell).encode()
