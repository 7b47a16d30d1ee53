"""The command line as a shell uses it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("command", ["version", "diffsettings --all"], ids=["little", "much"])
def test_a_reader_that_goes_away_is_no_fault(command: str) -> None:
    """As with `| head`."""
    program = subprocess.Popen(
        [sys.executable, "manage.py", *command.split()], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert program.stdout is not None
    program.stdout.close()
    _nothing, complaint = program.communicate(timeout=300)
    assert (program.returncode, complaint) == (1, b"")


@pytest.mark.parametrize(
    "command", ["customer list --json", "domain show firma.example", "mailbox suspend a@b.example"]
)
def test_a_database_that_is_away_is_told_in_one_line(command: str) -> None:
    """Not by a hundred lines of Python's."""
    finished = subprocess.run(
        [sys.executable, "manage.py", *command.split()], cwd=ROOT, capture_output=True, text=True, timeout=600,
        env={**os.environ, "DATABASE_URL": "postgresql://panel:x@127.0.0.1:1/panel"}, check=False,
    )  # fmt: skip
    *_checks, told = finished.stderr.splitlines()
    assert (finished.returncode, finished.stdout) == (1, "")
    assert told.startswith("The database cannot be asked: ")
    assert "Traceback" not in finished.stderr
