"""Programs that a benchmark runs in other processes stand there as text, and nobody notices a name that moved."""

import ast
from importlib import import_module

import pytest

from bench.scale import clock, many, retention


@pytest.mark.parametrize("program", [clock.WORKER, many.WORKER, retention.WORKER], ids=["clock", "many", "retention"])
def test_they_find_what_they_import(program: str) -> None:
    found = [node for node in ast.walk(ast.parse(program)) if isinstance(node, ast.ImportFrom)]
    assert found
    for node in found:
        module = import_module(node.module or "")
        for name in node.names:
            assert hasattr(module, name.name) or import_module(f"{node.module}.{name.name}")
