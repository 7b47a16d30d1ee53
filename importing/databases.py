"""The same tables from a database that runs: PostgreSQL, MySQL and MariaDB, SQLite. Nothing is written there."""

import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psycopg
import pymysql
import pymysql.cursors
from psycopg import sql

from importing.dumps import Row, Tables, Wanted, read_dump, tables_of_sqlite
from importing.facts import SourceError

# The password, where it does not stand in the address: others on the machine see the arguments of commands.
PASSWORD_VARIABLE = "IMPORT_PASSWORD"  # noqa: S105 (a name)
_TIMEOUT = 20  # seconds to connect
_SQLITE = b"SQLite format 3\0"
_UTC = "+00:00"


def read_tables(source: str, wanted: Wanted, *, database: str = "", prefix: str = "", encoding: str = "") -> Tables:
    """The wanted columns of the wanted tables, from a URL, a file of SQLite or a dump. Raises SourceError.

    postgresql://user@host/name, mysql://user@host/name; the password in the environment (IMPORT_PASSWORD).
    """
    scheme = source.partition("://")[0].lower() if "://" in source else ""
    try:
        if scheme in {"postgresql", "postgres"}:
            found = _postgres(source, wanted, prefix)
        elif scheme in {"mysql", "mariadb"}:
            found = _mysql(source, wanted, prefix)
        elif scheme:
            raise SourceError(f"{scheme}:// is none of postgresql://, mysql:// and the path of a file")
        else:
            found = _file(Path(source), wanted, database, prefix, encoding)
    except OSError as error:
        raise SourceError(f"{_shown(source)} cannot be read: {error.strerror or error}") from error
    return found


def _shown(source: str) -> str:
    """Without the password, wherever in the address it stands."""
    parts = urlsplit(source)
    return f"{parts.scheme}://{parts.hostname or ''}{parts.path}" if parts.scheme and "://" in source else source


def _file(path: Path, wanted: Wanted, database: str, prefix: str, encoding: str) -> Tables:
    with path.open("rb") as stream:
        is_sqlite = stream.read(len(_SQLITE)) == _SQLITE
    if not is_sqlite:
        return read_dump(path, wanted, database=database, prefix=prefix, encoding=encoding)
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        try:
            return tables_of_sqlite(connection, wanted, prefix=prefix, encoding=encoding)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise SourceError(f"{path} cannot be read: {error}") from error


def _postgres(source: str, wanted: Wanted, prefix: str) -> Tables:
    password = os.environ.get(PASSWORD_VARIABLE)
    more = {"password": password} if password else {}
    try:
        with psycopg.connect(source, connect_timeout=_TIMEOUT, **more) as connection:  # type: ignore[arg-type]
            connection.read_only = True
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            found = {table: _rows_of_postgres(connection, prefix + table, columns) for table, columns in wanted.items()}
            return {table: rows for table, rows in found.items() if rows is not None}
    except psycopg.Error as error:
        raise SourceError(f"{_shown(source)}: {_one_line(error)}") from error


def _rows_of_postgres(
    connection: "psycopg.Connection[tuple[object, ...]]", table: str, columns: Iterable[str]
) -> list[Row] | None:
    there = connection.execute(
        "SELECT attname::text FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped",
        [f'"{table}"'],
    ).fetchall()
    names = sorted({str(name) for (name,) in there} & set(columns))
    if not names:
        return None
    listed = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name in names)
    with connection.cursor(name="import") as cursor:
        cursor.execute(sql.SQL("SELECT {} FROM {}").format(listed, sql.Identifier(table)))
        return [dict(zip(names, map(_text, row), strict=True)) for row in cursor]


def _mysql(source: str, wanted: Wanted, prefix: str) -> Tables:
    parts = urlsplit(source)
    try:
        connection = pymysql.connect(
            host=parts.hostname or "localhost", port=parts.port or 3306, user=unquote(parts.username or ""),
            password=os.environ.get(PASSWORD_VARIABLE) or unquote(parts.password or ""),
            database=unquote(parts.path.strip("/")), charset="utf8mb4", connect_timeout=_TIMEOUT,
            cursorclass=pymysql.cursors.SSCursor,
        )  # fmt: skip
        with connection, connection.cursor() as cursor:
            cursor.execute(f"SET time_zone = '{_UTC}'")  # what a TIMESTAMP is written in
            cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
            found = {table: _rows_of_mysql(cursor, prefix + table, columns) for table, columns in wanted.items()}
            return {table: rows for table, rows in found.items() if rows is not None}
    except (pymysql.Error, ValueError) as error:
        raise SourceError(f"{_shown(source)}: {_one_line(error)}") from error


def _rows_of_mysql(cursor: "pymysql.cursors.Cursor", table: str, columns: Iterable[str]) -> list[Row] | None:
    cursor.execute(
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = DATABASE()"
        " AND table_name = %s",
        [table],
    )
    kinds = {_text(name) or "": (_text(kind) or "").lower() for name, kind in cursor.fetchall()}
    names = sorted(kinds.keys() & set(columns))
    if not names:
        return None
    listed = ", ".join(_as_text(name, kinds[name]) for name in names)
    cursor.execute(f"SELECT {listed} FROM `{table}`")  # noqa: S608 (names of our own)
    return [dict(zip(names, map(_text, row), strict=True)) for row in cursor.fetchall()]


def _as_text(name: str, kind: str) -> str:
    """A TIMESTAMP with its offset: it is a moment. A DATETIME is what was typed."""
    cell = f"CAST(`{name}` AS CHAR)"
    return f"CONCAT({cell}, '{_UTC}')" if kind == "timestamp" else cell


def _text(cell: object) -> str | None:
    if cell is None:
        return None
    return cell.decode("utf-8", "replace") if isinstance(cell, bytes) else str(cell)


def _one_line(error: Exception) -> str:
    words = " ".join(str(part) for part in error.args) or type(error).__name__
    return " ".join(words.split())
