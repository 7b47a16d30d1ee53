"""The command line as a shell uses it."""

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
