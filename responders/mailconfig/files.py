"""Templates filled in, and written whole or not at all."""

import grp
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

TEMPLATES = settings.BASE_DIR / "deploy"
SUFFIXES = {".cf", ".conf", ".ext", ".inc", ".lua", ".sieve"}
_PLACEHOLDER = re.compile(r"@([A-Z_]+)@")


def write(server: str, output: Path, values: Mapping[str, str], options: Mapping[str, Any]) -> list[Path]:
    """Write every file of the server and return their paths. Nothing is written if an option is wrong."""
    texts = filled_in(server, values)
    group = _group(server, options["group"])
    try:
        _refuse_foreign_files(output, texts, values["MADE_BY"], force=options["force"])
        output.mkdir(mode=0o755, parents=True, exist_ok=True)
        for name, text in texts.items():
            _write_file(output / name, text, group)
    except OSError as error:
        raise CommandError(f"{output} cannot be written: {error.strerror}: {error.filename}") from error
    return [output / name for name in texts]


def filled_in(server: str, values: Mapping[str, str]) -> dict[str, str]:
    """The server's files by their names."""
    templates = sorted(path for path in (TEMPLATES / server).iterdir() if path.suffix in SUFFIXES)
    return {path.name: _fill(path.read_text(), values) for path in templates}


def _fill(template: str, values: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda match: values[match[1]], template)


def _refuse_foreign_files(output: Path, names: Mapping[str, str], made_by: str, *, force: bool) -> None:
    for name in names:
        path = output / name
        if not force and path.exists() and made_by not in path.read_text(errors="replace"):
            raise CommandError(f"{path} was not made by this command; take another folder, or --force")


def _group(server: str, wanted: str | None) -> int | None:
    """Who may read the database's password besides the owner; None: leave it as it is. Raises CommandError."""
    if wanted and wanted.isdecimal():
        return int(wanted)
    known = {entry.gr_name: entry.gr_gid for entry in grp.getgrall()}
    if wanted and wanted not in known:
        raise CommandError(f"--group {wanted}: there is no such group")
    # Debian's user of rspamd has a name of its own.
    own = {"rspamd": "_rspamd"}.get(server, server)
    return known.get(wanted or own) if wanted or os.geteuid() == 0 else None


def _write_file(path: Path, text: str, group: int | None) -> None:
    """Whole or not at all: a mail server may be reading it."""
    is_secret = path.name.startswith(("pgsql-", "dkim_signing.", "sign-in.")) or path.suffix == ".ext"
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    with open(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:  # noqa: PTH123 (the mode)
        file.write(text)
    if is_secret and group is not None:
        os.chown(part, -1, group)
    part.chmod(0o640 if is_secret else 0o644)
    part.replace(path)
