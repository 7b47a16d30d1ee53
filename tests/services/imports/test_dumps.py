"""Dump files as their programs write them, in their encodings, cut off, and made to do harm."""

import contextlib
import gzip
import sqlite3
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from importing import dumps
from importing.dumps import read_dump
from importing.facts import SourceError

WANTED = {"t": frozenset({"a", "b"})}
MYSQL = "CREATE TABLE `t` (`x` int(11) NOT NULL DEFAULT 0, `a` text, `b` text, PRIMARY KEY (`x`), KEY `k` (`a`(10)));\n"


def rows(tmp_path: Path, content: bytes | str, **options: str) -> list[dict[str, str | None]]:
    dump = tmp_path / "dump"
    dump.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_dump(dump, WANTED, **options).get("t", [])


def mysql(*tuples: str) -> str:
    return MYSQL + f"INSERT INTO `t` VALUES {','.join(tuples)};\n"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r"'it\'s'", "it's"), ("'it''s'", "it's"), (r"'a\\'", "a\\"), (r"'a\r\nb\tc\0'", "a\r\nb\tc\0"), ("NULL", None),

        ("-17", "-17"), ("1.5e3", "1.5e3"), ("0x414243", "ABC"), ("_binary 'x'", "x"), ("b'101'", "5"),
        ("'(),;'", "(),;"),
        ("'żółć ; -- /* '", "żółć ; -- /* "), (r"'100\% \_ \q'", r"100% _ q"), ("''", ""),
        ("'a\nINSERT INTO `t`'", "a\nINSERT INTO `t`"),
        ("current_timestamp", "current_timestamp"), ("'`'", "`"), ("'\"'", '"'),
    ],
)  # fmt: skip
def test_a_value_of_mysql(tmp_path: Path, written: str, meant: str | None) -> None:
    assert rows(tmp_path, mysql(f"(1,{written},'end')", "(2,'x','y')")) == [
        {"a": meant, "b": "end"}, {"a": "x", "b": "y"},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("said", "offset"),
    [
        ("", ""), ("/*!40103 SET TIME_ZONE='+00:00' */;", "+00:00"), ('SET time_zone = "+00:00";', "+00:00"),
        ("/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */;", ""), ("SET time_zone = 'SYSTEM';", ""),
    ],
)  # fmt: skip
def test_a_timestamp_of_mysql_is_in_the_zone_that_the_dump_names_and_a_datetime_as_it_was_typed(
    tmp_path: Path, said: str, offset: str
) -> None:
    dump = said + (
        "CREATE TABLE `t` (`k` int(11), `a` timestamp NULL DEFAULT '2000-01-01 00:00:00' COMMENT 'x, y timestamp',"
        " `b` datetime(6) DEFAULT NULL, KEY `a` (`a`));\n"
        "INSERT INTO `t` VALUES (1,'2026-07-01 08:00:00','2026-07-01 08:00:00'),(2,NULL,NULL);\n"
        "INSERT INTO `t` (`b`, `a`) VALUES ('x','2026-07-02 08:00:00');\n"
    )
    assert [(row["a"], row["b"]) for row in rows(tmp_path, dump)] == [
        (f"2026-07-01 08:00:00{offset}", "2026-07-01 08:00:00"), (None, None), (f"2026-07-02 08:00:00{offset}", "x"),
    ]  # fmt: skip


@settings(deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_whatever_stands_in_a_text_comes_back(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    tmp_path = tmp_path_factory.mktemp("dump")
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\0", "\\0")
    assert rows(tmp_path, mysql(f"(1,'{escaped}','end')")) == [{"a": text, "b": "end"}]
    doubled = text.replace("'", "''").replace("\0", "")
    structure = "-- \nCREATE TABLE public.t (\n    a text,\n    b text\n);\nCOPY public.u (a) FROM stdin;\n\\.\n\n"
    postgres = f"{structure}INSERT INTO public.t VALUES ('{doubled}', 'end');\n"
    assert rows(tmp_path, postgres) == [{"a": text.replace("\0", ""), "b": "end"}]
    copied = text.replace("\0", "").replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    assert rows(tmp_path, f"COPY public.t (b, a) FROM stdin;\nend\t{copied}\n\\.\n") == [
        {"a": text.replace("\0", ""), "b": "end"}
    ]
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE t (a text, b text)")
    database.execute("INSERT INTO t VALUES (?, 'end')", [text.replace("\0", "")])
    assert rows(tmp_path, "\n".join(database.iterdump())) == [{"a": text.replace("\0", ""), "b": "end"}]
    database.close()


POSTGRES = """--
-- PostgreSQL database dump
--

\\restrict abcdef

SET statement_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);

CREATE FUNCTION public.f() RETURNS trigger LANGUAGE plpgsql AS $_$
BEGIN
    INSERT INTO t VALUES ('not', 'a row');
    RETURN NEW;  -- it's
END $_$;

CREATE TABLE public."t" (
    x integer NOT NULL,
    a character varying(255) DEFAULT 'it''s'::character varying,
    b numeric(10,2),
    CONSTRAINT c CHECK ((x > 0))
);

COPY public.other (a, b) FROM stdin;
INSERT INTO public.t VALUES (1, 'no', 'row');	x
\\.

COPY public.t (x, a, b) FROM stdin;
1	tab\\there\\nline\\\\	\\N
2	zażółć 'quoted'; -- no comment	\\x41\\102
\\.

INSERT INTO public.t VALUES (3, E'esc\\'aped\\n', NULL);
INSERT INTO public.t (a, x) VALUES ('other''s order', 4);

--
-- PostgreSQL database dump complete
--

\\unrestrict abcdef
"""


def test_a_dump_of_postgresql(tmp_path: Path) -> None:
    assert rows(tmp_path, POSTGRES) == [
        {"a": "tab\there\nline\\", "b": None}, {"a": "zażółć 'quoted'; -- no comment", "b": "AB"},
        {"a": "esc'aped\n", "b": None}, {"a": "other's order"},
    ]  # fmt: skip


@pytest.mark.parametrize("block", [1, 7, 64, 1000])
def test_where_the_reading_is_cut_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    whole_mysql = mysql(r"(1,'it\'s; -- /* '' ','b')", "(2,'x','y')") * 3
    whole = rows(tmp_path, POSTGRES), rows(tmp_path, whole_mysql)
    monkeypatch.setattr(dumps, "_BLOCK", block)
    monkeypatch.setattr(dumps, "_HEAD", 60)
    assert (rows(tmp_path, POSTGRES), rows(tmp_path, whole_mysql)) == whole


@pytest.mark.parametrize("compresslevel", [1, 9])
def test_a_compressed_dump(tmp_path: Path, compresslevel: int) -> None:
    assert rows(tmp_path, gzip.compress(mysql("(1,'x','y')").encode(), compresslevel)) == [{"a": "x", "b": "y"}]


@pytest.mark.parametrize(
    ("head", "encoding", "option"),
    [
        ("/*!40101 SET NAMES latin2 */;\n", "iso8859-2", ""), ("SET NAMES 'cp1250';\n", "cp1250", ""),
        ("", "cp1250", "cp1250"),
        ("/*!40101 SET NAMES utf8mb4 */;\n", "utf-8", ""), ("SET NAMES latin1;\n", "utf-8", ""),
    ],
)  # fmt: skip
def test_letters_in_other_encodings(tmp_path: Path, head: str, encoding: str, option: str) -> None:
    content = (head + mysql("(1,'Łąka i źdźbło','y')")).encode(encoding)
    assert rows(tmp_path, content, encoding=option) == [{"a": "Łąka i źdźbło", "b": "y"}]


def test_the_encoding_of_postgresql(tmp_path: Path) -> None:
    content = POSTGRES.replace("'UTF8'", "'LATIN2'").encode("iso8859-2")
    assert rows(tmp_path, content)[1]["a"] == "zażółć 'quoted'; -- no comment"


def test_broken_bytes_are_marked_and_break_nothing(tmp_path: Path) -> None:
    content = mysql("(1,'BROKEN','y')", "(2,'x','y')").encode().replace(b"BROKEN", b"\xc5\xff\x80")
    first, second = rows(tmp_path, content)
    assert "\ufffd" in str(first["a"])
    assert second == {"a": "x", "b": "y"}


@pytest.mark.parametrize("cut", [50, 200, 300, 600, 700, 800])
def test_a_dump_that_was_cut_off_is_refused(tmp_path: Path, cut: int) -> None:
    with pytest.raises(SourceError, match=r"whole|no dump"):
        rows(tmp_path, POSTGRES[:cut])


def test_one_that_was_cut_between_two_statements_is_refused_too(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="whole"):
        rows(tmp_path, "-- MySQL dump 10.13  Distrib 8.0.36\n" + mysql("(1,'x','y')"))


def test_several_databases_in_one_dump(tmp_path: Path) -> None:
    both = "".join(f"USE `{name}`;\n" + mysql(f"(1,'{name}','y')") for name in ("old", "new"))
    with pytest.raises(SourceError, match="--database"):
        rows(tmp_path, both)
    assert rows(tmp_path, both, database="new") == [{"a": "new", "b": "y"}]


def test_tables_with_a_prefix(tmp_path: Path) -> None:
    assert rows(tmp_path, mysql("(1,'x','y')").replace("`t`", "`pfa_t`"), prefix="pfa_") == [{"a": "x", "b": "y"}]


def test_data_without_its_structure_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="columns"):
        rows(tmp_path, "INSERT INTO `t` VALUES (1,'x','y');\n")


def test_rows_of_another_length_are_not_guessed(tmp_path: Path) -> None:
    assert rows(tmp_path, mysql("(1,'x')", "(2,'x','y')", "(3,'x','y','z')")) == [{"a": "x", "b": "y"}]


HEAD = "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n"


@pytest.mark.parametrize(
    "harm",
    [
        "ATTACH DATABASE '{file}' AS other; CREATE TABLE other.t (a);", "VACUUM INTO '{file}';",
        "SELECT load_extension('{file}');", "SELECT writefile('{file}', 'x');",
        "WITH RECURSIVE r(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM r) INSERT INTO t SELECT a, a FROM r;",
    ],
)  # fmt: skip
def test_a_dump_of_sqlite_that_would_do_harm_does_none(tmp_path: Path, harm: str) -> None:
    file = tmp_path / "harm"
    with pytest.raises(SourceError, match="SQLite"):
        rows(tmp_path, HEAD + "CREATE TABLE t (a text, b text);\n" + harm.format(file=file) + "\nCOMMIT;\n")
    assert not file.exists()


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    tmp_path = tmp_path_factory.mktemp("dump")
    for head in (
        b"-- MySQL dump\n",
        b"COPY public.t (a, b) FROM stdin;\n",
        MYSQL.encode(),
        HEAD.encode(),
        b"\x1f\x8b",
        b"",
    ):
        try:
            rows(tmp_path, head + content)
        except SourceError:
            continue


def test_time_stays_in_proportion_to_size(tmp_path: Path) -> None:
    """Long statements, long texts, many comments: what a pattern that goes back and forth would drown in."""
    for content in (
        mysql("(1,'" + "x" * 3_000_000 + "','y')"), MYSQL + "INSERT INTO `t` VALUES (1,'" + "\\'" * 1_000_000,
        MYSQL + "-- x\n" * 500_000, MYSQL + "/*" * 500_000,
        MYSQL + "INSERT INTO u VALUES " + "(1,2)," * 300_000 + "(1,2);",
        "COPY public.t (a, b) FROM stdin;\n" + "x\ty\n" * 300_000 + "\\.\n",
    ):  # fmt: skip
        began = time.process_time()
        with contextlib.suppress(SourceError):
            rows(tmp_path, content)
        assert time.process_time() - began < 20


def test_a_compressed_dump_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="unpacked"):
        rows(tmp_path, gzip.compress(mysql("(1,'x','y')").encode())[:60])
