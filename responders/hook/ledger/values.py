"""Rows that go into a statement: many as arrays, one a column; one by itself as it is, which is read quicker."""

from collections.abc import Mapping, Sequence
from typing import Any

from responders.hook.dialogue import Row


def values_of(columns: Mapping[str, str], name: str, *, many: bool) -> str:
    """SQL of a table `name` with the columns (and their types) that `columns_of` has the values of."""
    if many:
        arrays = ", ".join(f"%({column})s::{kind}[]" for column, kind in columns.items())
        return f"unnest({arrays}) AS {name} ({', '.join(columns)})"
    values = ", ".join(f"%({column})s::{kind} AS {column}" for column, kind in columns.items())
    return f"(SELECT {values}) AS {name}"


def columns_of(columns: Sequence[str] | Mapping[str, str], rows: Sequence[Row]) -> dict[str, Any]:
    """The values of the rows by their column: a list of each, or where there is one row, what it has."""
    if len(rows) == 1:
        return dict(zip(columns, rows[0], strict=True))
    return {column: [row[place] for row in rows] for place, column in enumerate(columns)}
