"""Whether the files that a mail server reads are the ones that `mailconfig` would write at this moment."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from responders.management.commands import mailconfig
from webmail_panel.doctor.finding import Finding, Status, fail, ok, unknown, warn


def check_files(server: str, folder: Path) -> Finding:
    """Missing, stale or changed by hand."""
    check = f"{server} files"
    if not (folder / mailconfig.MAIN_FILES[server]).exists():
        return unknown(
            check, f"{folder} holds no {mailconfig.MAIN_FILES[server]}: {server} runs elsewhere, or name its folder"
        )
    try:
        wanted = mailconfig.rendered_again(server, folder)
        found = {name: read(folder / name) for name in wanted}
    except CommandError as error:
        return _not_ours(server, check, str(error))
    except PermissionError as error:
        return _not_ours(server, check, f"{error.filename} cannot be read")
    return judge_files(server, folder, wanted, found)


def options(server: str, folder: Path) -> Mapping[str, Any]:
    """What the files were written with; nothing where that cannot be read."""
    try:
        return mailconfig.options_of_last_time(server, folder)
    except CommandError:
        return {}


def judge_files(server: str, folder: Path, wanted: Mapping[str, str], found: Mapping[str, str | None]) -> Finding:
    """`found` has None for a file that is not there."""
    check, remedy = f"{server} files", f"webmail-panel mailconfig {server} --output {folder} --again"
    missing = [name for name, text in found.items() if text is None]
    if missing:
        return fail(check, f"not there: {', '.join(missing)}", remedy)
    changed = [difference(name, text, wanted[name]) for name, text in found.items() if text != wanted[name]]
    if changed:
        seen = f"stale, or changed by hand: {', '.join(changed)}"
        return warn(
            check, seen, f"{remedy} --force, then reload {server}; or change the setting or option it comes from."
        )
    return ok(check, f"{len(found)} files in {folder} are as mailconfig writes them")


def difference(name: str, found: str | None, wanted: str) -> str:
    """The file and the first line that is another one; no line of a file that holds a password."""
    ours, theirs = wanted.splitlines(), (found or "").splitlines()
    number = next((n for n, (one, other) in enumerate(zip(ours, theirs, strict=False), 1) if one != other), 0)
    number = number or min(len(ours), len(theirs)) + 1
    line = theirs[number - 1].strip() if number <= len(theirs) else "the end"
    is_secret = any(mailconfig.PASSWORD_LINE.search(text) for text in (found or "", wanted))
    return f"{name} line {number}" if is_secret else f"{name} line {number} (“{line}”)"


def read(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace")
    except FileNotFoundError:
        return None


def _not_ours(server: str, check: str, why: str) -> Finding:
    if os.geteuid() != 0:
        return unknown(check, why, "Run it as root.")
    return Finding(
        check, Status.FAIL, why, f"Render them with `webmail-panel mailconfig {server}`: docs/operate.md, step 7."
    )
