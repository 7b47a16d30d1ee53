"""Whether a locked package has a hole that is known: `python -m tests.audit requirements/run.txt`.

Asks the database that pip-audit asks. Where it cannot be reached, or does not know the packages, this says so: nothing
was compared, and that is no result.
"""

import json
import subprocess
import sys
from typing import Any


def asked(lock: str) -> list[dict[str, Any]] | None:
    """The packages with what is known of each; None where nobody answered."""
    command = [sys.executable, "-m", "pip_audit", "-r", lock, "--require-hashes", "--disable-pip", "-f", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        print(done.stderr.strip().splitlines()[-1:] or "pip-audit said nothing", file=sys.stderr)
        return None
    return found


def main(lock: str) -> int:
    """Print one line for each hole; the exit status is 1 if there is one."""
    packages = asked(lock)
    known = [one for one in packages or [] if "skip_reason" not in one]
    if not known:
        print("The database of known holes could not be asked: nothing was compared.", file=sys.stderr)
        return 0
    holes = [(one, hole) for one in known for hole in one["vulns"]]
    for one, hole in holes:
        print(f"{one['name']} {one['version']}: {hole['id']}, mended in {', '.join(hole['fix_versions']) or '-'}")
    print(f"{len(known)} packages compared, {len(packages or []) - len(known)} not known there, {len(holes)} holes.")
    return 1 if holes else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
