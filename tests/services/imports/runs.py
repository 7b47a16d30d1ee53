"""Runs the command and reads its report."""

import io
import json
from pathlib import Path
from typing import Any

from django.core.management import CommandError, call_command

HERE = Path(__file__).parent


def run(system: str, source: object, *options: str) -> tuple[int, list[dict[str, Any]]]:
    """Exit status and items; the last one sums up."""
    out, status = io.StringIO(), 0
    try:
        call_command("import", system, str(source), "--json", *options, stdout=out)
    except CommandError as error:
        status = error.returncode
        if status == 1:
            raise
    return status, [json.loads(line) for line in out.getvalue().splitlines()]


def found(items: list[dict[str, Any]], **about: str) -> list[tuple[str, str, str]]:
    return [
        (item["state"], item["name"], item["reason"])
        for item in items
        if "kind" in item and all(item[name] == value for name, value in about.items())
    ]
