"""docs/conformance.md: every clause once, and each with tests that exist."""

import ast
import functools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "conformance.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("| ").split(" | ")]
    for line in PAGE.splitlines()
    if line.startswith("| ") and not line.startswith(("| clause |", "| --- "))
]
CLAUSE = re.compile(r"RFC \d{4} §\d+(?:\.\d+)*(?:, .+)?")
TEST = re.compile(r"`(tests/\w+/(test_\w+)\.py)::(test_\w+)`")


@functools.cache
def collected(path: str) -> frozenset[str]:
    """The tests of a file that pytest collects: its functions; there are no classes of tests here."""
    tree = ast.parse((ROOT / path).read_text())
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_clause_says_what_it_asks_what_we_do_and_which_tests_show_it(row: list[str]) -> None:
    clause, asks, does, shown = row
    assert CLAUSE.fullmatch(clause)
    assert asks
    assert does
    named = shown.split(", ")
    tests = [TEST.fullmatch(name) for name in named]
    assert [name for name, test in zip(named, tests, strict=True) if test is None] == []
    missing = [test[0] for test in tests if test and test[3] not in collected(test[1])]
    assert missing == []


def test_no_clause_stands_twice() -> None:
    clauses = [row[0] for row in ROWS]
    assert sorted(set(clauses)) == sorted(clauses)


@pytest.mark.parametrize(
    "number",
    [3834, 5230, 6131, 2033, 2920, 3461, 5321, 5322, 2047, 2231, 6531, 6532, 8098, 3464, 7505, 8601, 3282, 4021],
)
def test_each_standard_has_its_clauses(number: int) -> None:
    assert any(row[0].startswith(f"RFC {number} ") for row in ROWS)
