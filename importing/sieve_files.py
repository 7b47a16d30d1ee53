"""Sieve scripts below a folder of mail: …/DOMAIN/USER/sieve with .dovecot.sieve, as Dovecot keeps them."""

from dataclasses import replace
from pathlib import Path

from importing import files, sieve
from importing.facts import Problem, Source, SourceError
from mailboxes import addresses

ACTIVE = ".dovecot.sieve"
MAX_INCLUDES = 20


def read(place: Path, *, zone: str, address: str = "") -> Source:
    """The scripts of every mailbox below the folder; or one file, with whose it is. Raises SourceError, OSError."""
    source = Source()
    if place.is_file():
        if not address:
            raise SourceError(f"{place} is one script: say whose with --address")
        _take(source, place, place.parent, address, zone, is_active=True)
        return source
    if not place.is_dir():
        raise SourceError(f"{place} is neither a folder nor a file")
    for owner, folder in _homes(place):
        if address in {"", owner}:
            _home(source, folder, owner, zone)
    return source


def _homes(root: Path) -> list[tuple[str, Path]]:
    """Whose home each folder is: DOMAIN/USER, or USER@DOMAIN."""
    found = []
    for outer in files.folders(root):
        if "@" in outer.name:
            found.append((outer.name, outer))
        else:
            found.extend((f"{inner.name.replace(':', '/')}@{outer.name}", inner) for inner in files.folders(outer))
    return [(owner, folder) for owner, folder in found if addresses.normal_form_or_none(owner)]


def _home(source: Source, home: Path, owner: str, zone: str) -> None:
    """The script that is active; where none is, those that lie there, switched off."""
    active = _active(home)
    if active is not None:
        _take(source, active, home, owner, zone, is_active=True)
        return
    folder = home / "sieve"
    scripts = sorted(folder.glob("*.sieve")) if folder.is_dir() else []
    for script in [folder, *scripts] if folder.is_file() else scripts:
        _take(source, script, home, owner, zone, is_active=False)


def _active(home: Path) -> Path | None:
    link = home / ACTIVE
    if link.is_symlink():
        # An absolute link leads into the old host's folder: the script of that name lies here.
        inside = link.resolve()
        here = home / "sieve" / link.readlink().name
        return (
            inside if inside.is_file() and inside.is_relative_to(home.resolve()) else here if here.is_file() else None
        )
    return link if link.is_file() else None


def _take(source: Source, path: Path, home: Path, owner: str, zone: str, *, is_active: bool) -> None:
    """The script and, of the owner's own, those that it includes."""
    waiting, seen = [path], set[Path]()
    while waiting and len(seen) < MAX_INCLUDES:
        current = waiting.pop(0)
        if current in seen:
            continue
        seen.add(current)
        text = files.text_of(current, within=home)
        if text is None:
            source.problems.append(Problem("file", str(current), "too-large-or-a-link", owner))
            continue
        found = sieve.read(text, owner, zone=zone)
        source.problems.extend(found.problems)
        if found.responders and not is_active:
            source.problems.append(Problem("autoresponder", owner, "script-not-active", current.name, is_note=True))
        source.responders.extend(
            replace(made, is_enabled=made.is_enabled and is_active) for made in found.responders
        )  # fmt: skip
        scripts = home / "sieve" if (home / "sieve").is_dir() else home
        waiting.extend(scripts / f"{Path(name).name}.sieve" for name in found.included)
