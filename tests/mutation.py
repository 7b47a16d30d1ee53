"""Mutation tests of the core: `make mutation`. Fails where fewer than 90 % of the mutants are noticed.

    python -m tests.mutation [pattern …]     such as "responders.core.rules*"

mutmut works on a copy in ./mutants, and keeps what it found there: a second run does only what has changed.
docs/mutation.md explains those that live.
"""

import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

WANTED = 90  # per cent
MUTMUT = str(Path(sys.executable).parent / "mutmut")
NOTICED = {"killed", "timeout", "suspicious", "caught by type check", "segfault"}


def environment(folder: str) -> dict[str, str]:
    """What tests/servers.py would set, without its servers: tests/core needs none."""
    (Path(folder) / "static").mkdir()
    return os.environ | {
        "PANEL_TESTS_VAR_DIR": folder,
        "VAR_DIR": folder,
        "SECRET_KEY": "only-for-tests-" + "x" * 50,
        "DEBUG": "0",
        "HTTPS": "0",
        "ALLOWED_HOSTS": "testserver",
        "MAIL_HOSTNAME": "panel.example",
        "DATABASE_URL": "postgresql:///none?host=/nonexistent",
    }


def outcomes() -> dict[str, Counter[str]]:
    """By module, how many mutants were killed, survived and so on."""
    lines = subprocess.run([MUTMUT, "results", "--all", "true"], check=True, capture_output=True, text=True).stdout
    found: dict[str, Counter[str]] = {}
    for line in lines.splitlines():
        mutant, _colon, outcome = line.strip().partition(": ")
        module = mutant.rpartition(".x")[0]
        if module and outcome and outcome != "not checked":
            found.setdefault(module, Counter())[outcome] += 1
    return found


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        command = [MUTMUT, "run", "--max-children", str(os.cpu_count() or 1), *sys.argv[1:]]
        subprocess.run(command, check=True, env=environment(folder))
    noticed = total = 0
    for module, counts in sorted(outcomes().items()):
        here = sum(number for outcome, number in counts.items() if outcome in NOTICED)
        noticed, total = noticed + here, total + counts.total()
        print(f"{module:32} {here:5} of {counts.total():5}  {100 * here / counts.total():5.1f} %")
    print(f"{'together':32} {noticed:5} of {total:5}  {100 * noticed / total:5.1f} %")
    sys.exit(100 * noticed < WANTED * total)


if __name__ == "__main__":
    main()
