"""A cPanel account's files: the home directory, or the tree of a cpmove backup (homedir/ and va/).

`.autorespond/ADDRESS` is a small message; `ADDRESS.json` has start and stop in Unix time and the interval. Tags in
texts are those of cPanel's documentation: %subject%, %from% (the sender's name), %email% (the sender's address).
`etc/DOMAIN/passwd`, `shadow` and `quota` (octets) have the mailboxes, `va/DOMAIN` or /etc/valiases/DOMAIN the rest.
"""

import csv
import json
import re
from dataclasses import replace
from email import message_from_string
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from pathlib import Path
from typing import Any

from importing import files, texts, values
from importing.facts import Alias, Domain, DomainAlias, Mailbox, Problem, Responder, Source, SourceError

_SUFFIXES = (".json", ".conf", ".yaml", ".lock")
_RESPONDS = re.compile(r"/cpanel/bin/autorespond\b")
_CHARSET = re.compile(rb"(?im)^content-type:[^\r\n]*charset=\"?([\w-]+)")
_SETTING = re.compile(r"(?m)^\s*[\"']?(start|stop|interval)[\"']?\s*:\s*[\"']?(\d+)")
# In hours as the form asks for it; from this number on it can only be seconds.
_SECONDS = 3_600


def read(folder: Path, *, zone: str, valiases: Path | None = None) -> Source:
    """All that is cheap to take. Raises SourceError, OSError."""
    home = folder / "homedir" if (folder / "homedir").is_dir() else folder
    found = _valiases(folder, home) if valiases is None else valiases
    source = Source()
    for domain in files.folders(home / "etc") if (home / "etc").is_dir() else []:
        _mailboxes(domain, source)
    responding = _aliases(found, source) if found else None
    _domain_aliases([folder / "vad", *([found.with_name("vdomainaliases")] if found else [])], source)
    for path in files.folders(folder / "mm") if (folder / "mm").is_dir() else []:  # Mailman's: name_firma.pl
        source.problems.append(Problem("alias", "@".join(path.name.rsplit("_", 1)), "mailing-list"))
    if (home / ".autorespond").is_dir():
        for path in sorted((home / ".autorespond").iterdir()):
            if "@" in path.name and path.suffix not in _SUFFIXES:
                _autoresponder(path, zone, responding, source)
    if not source.mailboxes and not source.responders and not source.problems:
        raise SourceError(f"{folder} has neither .autorespond nor etc/DOMAIN/passwd: is it a cPanel account's home?")
    return source


def _valiases(folder: Path, home: Path) -> Path | None:
    places = (folder / "va", home.parent / "va", folder / "etc" / "valiases", home / "etc" / "valiases")
    return next((place for place in places if place.is_dir()), None)


def _mailboxes(folder: Path, source: Source) -> None:
    people = _colons(folder / "passwd")
    if not people:
        return
    hashes, spaces = _colons(folder / "shadow"), _colons(folder / "quota")
    source.domains.append(Domain(folder.name))
    for local_part in people:
        octets = (spaces.get(local_part) or ["0"])[0].strip()
        source.mailboxes.append(
            Mailbox(
                f"{local_part}@{folder.name}",
                password=(hashes.get(local_part) or [""])[0],
                quota_mb=values.megabytes(int(octets)) if octets.isascii() and octets.isdecimal() else None,
            )
        )


def _colons(path: Path) -> dict[str, list[str]]:
    """Lines of fields with colons between them, by the first field."""
    lines = (files.text_of(path, within=path.parent) or "").splitlines()
    fields = (line.split(":") for line in lines if ":" in line and not line.startswith("#"))
    return {name: rest for name, *rest in fields if name}


def _aliases(folder: Path, source: Source) -> set[str]:
    """The aliases of each domain, and whose mail goes through cPanel's autoresponder."""
    responding = set()
    for path in sorted(found for found in folder.iterdir() if "." in found.name and not found.is_symlink()):
        for line in (files.text_of(path, within=folder) or "").splitlines():
            address, colon, leads_to = line.partition(":")
            if not colon or address.startswith("#"):
                continue
            targets = [target.strip() for target in next(csv.reader([leads_to], skipinitialspace=True), [])]
            if any(_RESPONDS.search(target) for target in targets):
                responding.add(address.strip().lower())
            _alias(address.strip(), [target for target in targets if not _RESPONDS.search(target)], path.name, source)
    return responding


def _domain_aliases(folders: list[Path], source: Source) -> None:
    """Domains whose every address stands for the same one at another: vad/DOMAIN, /etc/vdomainaliases/DOMAIN."""
    for path in (found for folder in folders if folder.is_dir() for found in sorted(folder.iterdir())):
        for name, rest in _colons(path).items():
            source.domain_aliases.append(DomainAlias(name.strip(), ":".join(rest).strip()))


def _alias(address: str, targets: list[str], domain: str, source: Source) -> None:
    written = f"@{domain}" if address == "*" else address
    # Nobody by that name: what the panel does without being told.
    targets = [target for target in targets if target and not target.startswith((":fail:", ":blackhole:"))]
    if written.startswith("@") and [target for target in targets if "@" not in target]:
        source.problems.append(Problem("catch-all", domain, "catch-all-is-no-mailbox", ", ".join(targets)))
    elif targets:
        source.aliases.append(Alias(written, tuple(targets)))


def _autoresponder(path: Path, zone: str, responding: set[str] | None, source: Source) -> None:
    octets = files.octets_of(path, within=path.parent)
    if octets is None:
        source.problems.append(Problem("file", path.name, "too-large-or-a-link"))
        return
    charset = _CHARSET.search(octets)
    try:
        message = message_from_string(files.decoded(octets, charset[1].decode() if charset else "cp1250"))
        made = _responder(path, message, zone)
    except (MessageError, ValueError, TypeError, OverflowError, LookupError, RecursionError) as error:
        source.problems.append(Problem("autoresponder", path.name, "not-understood", str(error)))
        return
    if responding is not None and path.name.lower() not in responding:
        source.problems.append(Problem("autoresponder", path.name, "not-in-use", is_note=True))
        made = replace(made, is_enabled=False)
    source.responders.append(made)


def _responder(path: Path, message: Message, zone: str) -> Responder:
    settings = _settings(path)
    body = str(message.get_payload())
    is_html = message.get_content_type() == "text/html"
    subject = str(make_header(decode_header(str(message.get("Subject", "") or "Re: %subject%"))))
    interval = settings.get("interval", 0)
    return Responder(
        path.name,
        is_enabled=True,
        subject=texts.translated(subject, texts.CPANEL),
        text_body=texts.translated(texts.plain_of(body) if is_html else body, texts.CPANEL),
        html_body=texts.translated(body, texts.CPANEL) if is_html else "",
        from_date=values.from_unix(settings.get("start", 0), zone),
        to_date=values.from_unix(settings.get("stop", 0), zone),
        zone=zone,
        interval_days=values.days(interval if interval >= _SECONDS else interval * 3_600),
    )


def _settings(path: Path) -> dict[str, int]:
    """start, stop, interval: of ADDRESS.json, of ADDRESS.conf or .yaml in older versions. Raises ValueError."""
    for suffix in (".json", ".conf", ".yaml"):
        written = files.text_of(path.with_name(path.name + suffix), within=path.parent)
        if written is None:
            continue
        if suffix != ".json":
            return {name: int(number) for name, number in _SETTING.findall(written)}
        found: Any = json.loads(written)
        settings = found if isinstance(found, dict) else {}
        return {name: int(settings[name]) for name in ("start", "stop", "interval") if settings.get(name)}
    return {}
