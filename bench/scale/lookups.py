"""What Postfix and Dovecot ask, exactly as it is written into their configuration, and what the server does for it."""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

ROOT = Path(__file__).resolve().parent.parent.parent
POSTMASTERS = ("postmaster", "abuse", "postmaster+dmarc")
LARGE = 1_000  # rows: to read a table of so many from end to end is no look-up
_QUESTION = re.compile(r"= \[\[(SELECT .*?)\]\]", re.DOTALL)  # in Lua
_CONTINUED = re.compile(r"\\\n\s*|\n(?=[ \t])")


@dataclass(frozen=True)
class Lookup:
    """A query of a mail server with places for what it is asked about."""

    name: str
    text: str

    def about(self, key: str) -> str:
        """The statement, filled in as Postfix (`%s`, `%%`) or Dovecot (`%Lu`, `%{sha256:password}`) do it."""
        quoted = key.replace("'", "''")
        if self.name.startswith("dovecot"):
            return self.text.replace("%Lu", quoted).replace("%{sha256:password}", "0" * 64)
        domain = quoted.rpartition("@")[2]
        return self.text.replace("%u@%d", quoted).replace("%s", quoted).replace("%d", domain).replace("%%", "%")


def rendered(folder: Path) -> list[Lookup]:
    """Every look-up, from the files that `manage.py mailconfig` writes into the folder."""
    for server, also in (("postfix", ["--postmaster=postmaster@bench.example"]), ("dovecot", [])):
        environment = os.environ | {f"{server.upper()}_DATABASE_PASSWORD": "only-to-write-the-files"}
        command = [sys.executable, str(ROOT / "manage.py"), "mailconfig", server, "--output", str(folder / server)]
        subprocess.run(
            [*command, *also], check=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
    maps = sorted((folder / "postfix").glob("pgsql-*.cf"))
    found = [Lookup(path.stem.removeprefix("pgsql-"), _setting(path, "query")) for path in maps]
    return [*found, *_of_signing_in(folder / "dovecot" / "sign-in.lua")]


def _of_signing_in(script: Path) -> list[Lookup]:
    """The three questions of the script, with Dovecot's names for what is put in: address, digest of the password."""
    asked = [
        text.replace("%s", "%Lu", 1).replace("%s", "%{sha256:password}")
        for text in _QUESTION.findall(script.read_text())
    ]
    names = ("dovecot password", "dovecot mailbox", "dovecot space")
    return [Lookup(name, text) for name, text in zip(names, asked, strict=True)]


def _setting(path: Path, name: str) -> str:
    for line in _CONTINUED.sub(" ", path.read_text()).splitlines():
        if line.startswith(f"{name} = "):
            return line.partition(" = ")[2].strip()
    raise LookupError(f"{path} says no {name}")


@dataclass(frozen=True)
class Plan:
    """What EXPLAIN (ANALYZE, BUFFERS) says: milliseconds, pages touched, and the nodes of the plan."""

    planning_ms: float
    execution_ms: float
    pages: int
    nodes: list[dict[str, Any]]

    def whole_tables(self) -> list[str]:
        """Tables that are read from end to end."""
        return [node["Relation Name"] for node in self.nodes if node["Node Type"] == "Seq Scan"]


def plan_of(connection: psycopg.Connection[Any], statement: str) -> Plan:
    row = connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}").fetchone()
    assert row is not None
    found = row[0][0]
    top = found["Plan"]
    pages = top["Shared Hit Blocks"] + top["Shared Read Blocks"]
    return Plan(found["Planning Time"], found["Execution Time"], pages, list(_nodes(top)))


# EXPLAIN does not look into functions; this does, and says it as notices. Needs a superuser.
LOOK_INSIDE = {
    "log_min_duration": "0", "log_nested_statements": "on", "log_analyze": "on", "log_buffers": "on",
    "log_format": "json", "log_level": "notice",
}  # fmt: skip


def plans_inside(connection: psycopg.Connection[Any], statement: str) -> list[Plan]:
    """The plans of a statement and of those that it makes in functions, the innermost first."""
    connection.execute("LOAD 'auto_explain'")
    for name, value in LOOK_INSIDE.items():
        connection.execute(f"SET auto_explain.{name} = '{value}'")
    notices: list[str] = []

    def keep(notice: psycopg.errors.Diagnostic) -> None:
        notices.append(notice.message_primary or "")

    connection.add_notice_handler(keep)
    try:
        connection.execute(statement)
    finally:
        connection.remove_notice_handler(keep)
        connection.execute("SET auto_explain.log_min_duration = -1")
    tops = [json.loads(text[text.index("{") :])["Plan"] for text in notices if "plan:" in text]
    return [Plan(0, top["Actual Total Time"], top["Shared Hit Blocks"], list(_nodes(top))) for top in tops]


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for below in node.get("Plans", []):
        yield from _nodes(below)


def large_tables(connection: psycopg.Connection[Any], rows: int = LARGE) -> set[str]:
    found = connection.execute("SELECT relname FROM pg_class WHERE relkind = 'r' AND reltuples > %s", [rows])
    return {name for (name,) in found.fetchall()}


def keys(connection: psycopg.Connection[Any], name: str, count: int = 50) -> list[str]:
    """What is asked: addresses of mailboxes (of every state of responders), of aliases of one and of five, nobody's."""
    if name == "domains":
        found = connection.execute("SELECT name FROM mailboxes_domain ORDER BY md5(name) LIMIT %s", [count]).fetchall()
        return [one for (one,) in found] + ["nobody.example"]
    if name == "postmaster":
        return [f"{whose}@{domain}" for domain in keys(connection, "domains", count // 3) for whose in POSTMASTERS]
    found = connection.execute(
        "(SELECT address FROM mailboxes_mailbox WHERE id <= 10000000 ORDER BY md5(address) LIMIT %(count)s)"
        " UNION ALL (SELECT address FROM mailboxes_alias ORDER BY md5(address) LIMIT %(count)s)"
        " UNION ALL (SELECT '@' || name FROM mailboxes_domain ORDER BY md5(name) LIMIT %(few)s)",
        {"count": count, "few": count // 5},
    ).fetchall()
    return [one for (one,) in found] + ["nobody@nowhere.example"]


def measure(connection: psycopg.Connection[Any], _options: argparse.Namespace) -> list[dict[str, Any]]:
    """A row for each look-up: medians and the worst of ten of a hundred, over many keys, asked twice."""
    print("look-up            plan ms  run ms  together p50    p90  pages  whole tables")
    with tempfile.TemporaryDirectory() as folder:
        lookups = rendered(Path(folder))
    return [_row(connection, lookup) for lookup in lookups]


def _row(connection: psycopg.Connection[Any], lookup: Lookup) -> dict[str, Any]:
    asked = keys(connection, lookup.name)
    for key in asked:
        plan_of(connection, lookup.about(key))
    plans = [plan_of(connection, lookup.about(key)) for key in asked]
    inside = [plan for key in asked[::10] for plan in plans_inside(connection, lookup.about(key))]
    both = sorted(plan.planning_ms + plan.execution_ms for plan in plans)
    row = {
        "lookup": lookup.name,
        "planning_ms": statistics.median(plan.planning_ms for plan in plans),
        "execution_ms": statistics.median(plan.execution_ms for plan in plans),
        "p50_ms": statistics.median(both),
        "p90_ms": both[len(both) * 9 // 10],
        "pages": max(plan.pages for plan in plans),
        "whole_tables": sorted({name for plan in inside for name in plan.whole_tables()}),
    }
    print(
        f"{lookup.name:<18}{row['planning_ms']:>8.3f}{row['execution_ms']:>8.3f}{row['p50_ms']:>14.3f}"
        f"{row['p90_ms']:>7.3f}{row['pages']:>7}  {', '.join(row['whole_tables'])}",
        flush=True,
    )
    return row
