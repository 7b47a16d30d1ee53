"""Vacation actions (RFC 5230) of Sieve scripts, read with sievelib: in themselves, or within dates (RFC 5260).

Roundcube, Nextcloud, Modoboa and Pigeonhole's users write `if allof (currentdate … "ge" …, currentdate … "le" …)
{ vacation … }`. What stands under another condition cannot be carried over as it is, and says so.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from email import message_from_string
from email.message import Message
from typing import Any

from sievelib.commands import ActionCommand, Command, add_commands
from sievelib.parser import Parser

from importing import texts, values
from importing.facts import Problem, Responder
from responders.core.charset import decode

MAX_DEPTH = 20
# Messages that our own rules of silence leave unanswered anyway.
_MACHINES = re.compile(
    r"precedence|list-.*|x-(spam|mailing|list|auto).*|auto-submitted|feedback-id|return-path", re.IGNORECASE
)
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)")
_DAY = timedelta(days=1)


class IncludeCommand(ActionCommand):
    """RFC 6609 §3.2, which sievelib does not know."""

    extension = "include"
    args_definition = [
        {"name": "location", "type": ["tag"], "values": [":personal", ":global"], "required": False},
        {"name": "once", "type": ["tag"], "values": [":once"], "required": False},
        {"name": "optional", "type": ["tag"], "values": [":optional"], "required": False},
        {"name": "script", "type": ["string"], "required": True},
    ]


add_commands([IncludeCommand])


class _Other(ValueError):
    """A condition that is not about dates; the text names it."""


@dataclass(frozen=True)
class _When:
    """Between which local times, and whether at all."""

    start: datetime | None = None
    end: datetime | None = None
    is_on: bool = True

    def and_also(self, other: "_When") -> "_When":
        starts = [one for one in (self.start, other.start) if one]
        ends = [one for one in (self.end, other.end) if one]
        return _When(max(starts, default=None), min(ends, default=None), self.is_on and other.is_on)


@dataclass(frozen=True)
class Found:
    """What a script holds. `included`: names of the owner's other scripts that it runs."""

    responders: tuple[Responder, ...] = ()
    problems: tuple[Problem, ...] = ()
    included: tuple[str, ...] = ()


def read(script: str, address: str, *, zone: str) -> Found:
    """The vacation actions of a script, those that are on first. Never raises for what the script holds."""
    if "vacation" not in script and "include" not in script:
        return Found()
    try:
        parser = Parser()
        if not parser.parse(script):
            return Found(problems=(Problem("autoresponder", address, "script-not-understood", str(parser.error)),))
        if _is_cut_off(parser, script):
            return Found(problems=(Problem("autoresponder", address, "script-not-understood", "it is cut off"),))
        return _found(parser.result, address, zone)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError) as error:
        return Found(problems=(Problem("autoresponder", address, "script-not-understood", str(error)),))


def _is_cut_off(parser: Parser, script: str) -> bool:
    """Whether the last command has no end (RFC 5228 §8.2): sievelib leaves such a one out without a word."""
    kinds = [kind for kind, _text in parser.lexer.scan(script.encode()) if not kind.endswith("comment")]
    return bool(kinds) and kinds[-1] not in {"semicolon", "right_cbracket"}


def _found(commands: list[Command], address: str, zone: str) -> Found:
    responders, problems, included = [], [], []
    for command, conditions, is_otherwise in _actions(commands, (), is_otherwise=False, depth=0):
        if command.name == "include":
            if command.arguments.get("location") != ":global":
                included.append(_string(command.arguments["script"]))
            continue
        try:
            responders.append(_responder(command, _within(conditions, zone, is_otherwise), address, zone))
        except _Other as other:
            problems.append(Problem("autoresponder", address, "condition-not-carried-over", str(other)))
    on_first = sorted(responders, key=lambda one: not one.is_enabled)
    return Found(tuple(on_first), tuple(problems), tuple(included))


def _within(conditions: tuple[Command, ...], zone: str, is_otherwise: bool) -> _When:
    """The window that all conditions together leave. Raises _Other."""
    if is_otherwise:
        raise _Other("elsif or else")
    when = _When()
    for condition in conditions:
        when = when.and_also(_when(condition, zone))
    return when


def _actions(
    commands: list[Command], conditions: tuple[Command, ...], *, is_otherwise: bool, depth: int
) -> Iterator[tuple[Command, tuple[Command, ...], bool]]:
    """Each vacation and include, with the conditions that it stands under."""
    if depth > MAX_DEPTH:
        raise ValueError("too deep")
    for command in commands:
        if command.name in {"vacation", "include"}:
            yield command, conditions, is_otherwise
        elif command.children:
            test = command.arguments.get("test")
            inner = (*conditions, test) if isinstance(test, Command) else conditions
            otherwise = is_otherwise or command.name in {"elsif", "else"}
            yield from _actions(command.children, inner, is_otherwise=otherwise, depth=depth + 1)


def _when(test: Command, zone: str) -> _When:
    """The window that a test stands for. Raises _Other."""
    inner = test.arguments.get("tests") or []
    if test.name in {"true", "false"}:
        return _When(is_on=test.name == "true")
    if test.name == "allof" or (test.name == "anyof" and len(inner) == 1):
        when = _When()
        for one in inner:
            when = when.and_also(_when(one, zone))
        return when
    if test.name == "currentdate":
        return _dates(test, zone, is_not=False)
    if test.name == "not":
        return _when_not(test.arguments["test"], zone)
    raise _Other(_shown(test))


def _when_not(test: Command, zone: str) -> _When:
    if test.name == "currentdate":
        return _dates(test, zone, is_not=True)
    if test.name in {"true", "false"}:
        return _When(is_on=test.name == "false")
    names = _strings(test.arguments.get("header-names") or test.arguments.get("header-list") or [])
    inner = test.arguments.get("tests") or []
    if (names and all(_MACHINES.fullmatch(name) for name in names)) or (inner and _all_about_machines(inner)):
        return _When()
    raise _Other(f"not {_shown(test)}")


def _all_about_machines(tests: list[Command]) -> bool:
    return all(
        all(_MACHINES.fullmatch(name) for name in _strings(test.arguments.get("header-names") or ["-"]))
        for test in tests
    )


_INVERSE = {"ge": "lt", "gt": "le", "le": "gt", "lt": "ge"}


def _dates(test: Command, zone: str, *, is_not: bool) -> _When:
    """`currentdate` (RFC 5260 §4): a day, or a moment, compared."""
    part = _string(test.arguments.get("date-part", "")).lower()
    keys = _strings(test.arguments.get("key-list", []))
    kind = str(test.arguments.get("match-type", ":is"))
    comparison = _string(test.extra_arguments.get("match-type", "")) if kind == ":value" else "eq"
    offset = _offset(_string(test.extra_arguments.get("zone", "")))
    if part not in {"date", "iso8601"} or len(keys) != 1 or kind not in {":value", ":is"}:
        raise _Other(_shown(test))
    written = datetime.fromisoformat(keys[0])
    moment = written if part == "date" else values.local_time(keys[0], zone, written_in=offset) or written
    comparison = _INVERSE.get(comparison, "ne") if is_not else comparison
    after = moment + _DAY if part == "date" else moment
    windows = {
        "ge": _When(start=moment), "gt": _When(start=after), "lt": _When(end=moment), "le": _When(end=after),
        "eq": _When(start=moment, end=moment + _DAY),
    }  # fmt: skip
    if comparison not in windows or (comparison == "eq" and part != "date"):
        raise _Other(_shown(test))
    return windows[comparison]


def _offset(written: str) -> timezone | None:
    match = _OFFSET.fullmatch(written)
    if match is None:
        return None
    span = timedelta(hours=int(match[2]), minutes=int(match[3]))
    return timezone(-span if match[1] == "-" else span)


def _responder(command: Command, when: _When, address: str, zone: str) -> Responder:
    given: dict[str, Any] = command.extra_arguments
    seconds = int(given["seconds"]) if "seconds" in given else int(given.get("days", 7)) * 86_400
    subject = _string(given.get("subject", ""))
    made = Responder(
        address,
        is_enabled=when.is_on,
        subject=texts.translated(subject, texts.SIEVE) or texts.DEFAULT_SUBJECT,
        text_body=_string(command.arguments["reason"]),
        from_date=when.start,
        to_date=when.end,
        zone=zone,
        interval_days=values.days(seconds),
        own_addresses=tuple(_bare(one) for one in _strings(given.get("addresses", []))),
    )
    text, markup = _mime_texts(made.text_body) if "mime" in command.arguments else (made.text_body, "")
    return replace(made, text_body=texts.translated(text, texts.SIEVE), html_body=texts.translated(markup, texts.SIEVE))


def _mime_texts(entity: str) -> tuple[str, str]:
    """The plain and the formatted text of a MIME entity (RFC 5230 §4.3)."""
    plain, markup = "", ""
    for part in message_from_string(entity).walk():
        if part.get_content_type() == "text/plain" and not plain:
            plain = _text_of(part)
        elif part.get_content_type() == "text/html" and not markup:
            markup = _text_of(part)
    return plain or texts.plain_of(markup), markup


def _text_of(part: Message) -> str:
    if str(part.get("Content-Transfer-Encoding", "8bit")).lower() in {"7bit", "8bit", "binary"}:
        return str(part.get_payload())
    octets = part.get_payload(decode=True)
    return decode(octets, part.get_content_charset() or "utf-8") if isinstance(octets, bytes) else ""


def _bare(written: str) -> str:
    """The addr-spec of `Anna <anna@firma.pl>`."""
    match = re.search(r"<([^<>]+)>", written)
    return (match[1] if match else written).strip()


def _strings(raw: Any) -> list[str]:
    return [_string(one) for one in raw] if isinstance(raw, list) else [_string(raw)]


def _string(raw: Any) -> str:
    """A string as the script means it (RFC 5228 §2.4.2): sievelib leaves the quotes, or `text:` and its dots."""
    text = str(raw)
    if text.startswith("text:"):
        lines = text.partition("\n")[2].split("\n")
        if lines and lines[-1].rstrip("\r") == ".":
            lines.pop()
        return "\n".join(line[1:] if line.startswith("..") else line for line in lines)
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)
    return text


def _shown(test: Command) -> str:
    given = [test.arguments.get(name) for name in ("header-names", "header-list", "date-part", "key-list")]
    return " ".join([test.name, *(" ".join(_strings(value)) for value in given if value)])[:200]
