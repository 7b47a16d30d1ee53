"""A responder's text with its placeholders filled in: Liquid, strict when it is saved, bounded when it is sent.

Only conditions are allowed, no loops and no includes, so that a text cannot cost more than its own length.
Values come from strangers: they are put in as text, never read as Liquid, and escaped in HTML.
"""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import MAXYEAR, datetime
from typing import Any

import liquid
import nh3
from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from liquid.exceptions import LiquidError

from responders.core.days import next_working_day
from responders.core.facts import MailboxFacts, ResponderFacts
from responders.core.matching import choose_text
from responders.core.message import Message

PLACEHOLDERS = (
    "sender.name",
    "sender.address",
    "subject",
    "mailbox.name",
    "mailbox.address",
    "absence.start",
    "absence.end",
    "absence.return_date",
    "deputy.name",
    "deputy.address",
    "case.number",
)
DEFAULT_SUBJECT = "Auto: {{ subject }}"
MAX_OUTPUT_OCTETS = 200_000
MAX_SUBJECT_CHARACTERS = 500
_MAX_VALUE_CHARACTERS = 1_000
_TAGS = {"content", "output", "illegal", "if", "unless", "case"}
_FILTERS = {"default", "upcase", "downcase", "capitalize", "strip", "truncate", "truncatewords", "escape"}
# The parser takes minutes over some texts of a few kilobytes ("{{" repeated): it only sees what is well-formed
# on the outside and short.
MAX_PLACEHOLDERS = 300
MAX_PLACEHOLDER_CHARACTERS = 500
_DELIMITER = re.compile(r"\{\{|\{%|\}\}|%\}")
_MARKUP = re.compile(
    rf"\{{\{{.{{0,{MAX_PLACEHOLDER_CHARACTERS}}}?\}}\}}|\{{%.{{0,{MAX_PLACEHOLDER_CHARACTERS}}}?%\}}", re.DOTALL
)


class TemplateProblem(ValueError):
    """A text cannot be used. `kind`: placeholder, tag, filter, unclosed-tag, unclosed-brace, too-many or syntax;
    `name`: the placeholder, tag or filter; `line`: counted from 1, 0 where it is not known.
    """

    def __init__(self, kind: str, name: str, line: int) -> None:
        super().__init__(f"line {line}: {kind} {name}".strip())
        self.kind = kind
        self.name = name
        self.line = line


@dataclass(frozen=True, slots=True)
class Rendered:
    """What the reply will say, in `language`. The subject is one line; no `html_body` where the owner wrote none."""

    subject: str
    text_body: str
    html_body: str
    language: str


class _Environment(liquid.Environment):
    block_nesting_limit = 20
    context_depth_limit = 20
    output_stream_limit = MAX_OUTPUT_OCTETS


def _environment(*, autoescape: bool) -> liquid.Environment:
    environment = _Environment(autoescape=autoescape)
    for name in set(environment.tags) - _TAGS:
        del environment.tags[name]
    for name in set(environment.filters) - _FILTERS:
        del environment.filters[name]
    return environment


_TEXT = _environment(autoescape=False)
_FILLED_IN = re.compile(r"\{\{[^{}]*\}\}")
_CHOICE = re.compile(r"\{%[^{}]*%\}")
_FULL_STOP = re.compile(r"…\.(?=\s|$)")
_HTML = _environment(autoescape=True)


@functools.lru_cache(maxsize=4096)
def _compiled(source: str, *, html: bool) -> liquid.BoundTemplate:
    _check_outside(source)
    return (_HTML if html else _TEXT).from_string(source)


def check_template(source: str) -> None:
    """Refuse a text that could not be rendered, or that names a placeholder we have not. Raises TemplateProblem."""
    _check_outside(source)
    try:
        template = _TEXT.from_string(source)
        analysis = template.analyze()
    except LiquidError as error:
        raise _problem(error, source) from error
    except RecursionError as error:
        raise TemplateProblem("syntax", "", 0) from error
    for name, spans in analysis.filters.items():
        if name not in _FILTERS:
            raise TemplateProblem("filter", name, _line(source, spans[0].index))
    for variables in analysis.globals.values():
        for variable in variables:
            if str(variable) not in PLACEHOLDERS:
                raise TemplateProblem("placeholder", str(variable), _line(source, variable.span.index))


def placeholders_used(source: str) -> frozenset[str]:
    """The placeholders that a text names; of a text that does not parse, none."""
    try:
        _check_outside(source)
        used = _TEXT.from_string(source).analyze().globals
    except (TemplateProblem, LiquidError, RecursionError):
        return frozenset()
    return frozenset(str(variable) for variables in used.values() for variable in variables)


def for_reading(source: str) -> str:
    """A subject or a text as people read it at a glance: … where something is filled in for each sender."""
    return _FULL_STOP.sub("…", _FILLED_IN.sub("…", _CHOICE.sub("", source))).strip() or source


def render(responder: ResponderFacts, mailbox: MailboxFacts, message: Message, case_number: str = "") -> Rendered:
    """Subject and texts for this sender, in the language and for the audience that `choose_text` says.

    Never raises for what a text or a message holds: a text that cannot be rendered goes out without its placeholders.
    """
    text = choose_text(responder, message, mailbox)
    values = _values(responder, mailbox, message, text.language) | {"case": {"number": case_number}}
    subject = " ".join(_fill(text.subject, values).split())[:MAX_SUBJECT_CHARACTERS]
    html_body = nh3.clean(_fill(text.html_body, values, html=True)) if text.html_body else ""
    return Rendered(subject, _fill(text.text_body, values), html_body, text.language)


def local_time(local: datetime | None, language: str) -> str:
    """“4 stycznia 2027, godz. 08:00”, “4 January 2027, 08:00”: fits after a preposition in both languages."""
    if local is None:
        return ""
    joint = ", godz. " if language == "pl" else ", "
    return f"{local_date(local, language)}{joint}{local:%H:%M}"


def local_date(local: datetime | None, language: str) -> str:
    """“4 stycznia 2027”, “4 January 2027”, “4. Januar 2027”; English where the language's dates are not known."""
    return format_date(local, "long", locale=_locale(language)) if local else ""


def _locale(language: str) -> Locale:
    try:
        return Locale.parse("en_GB" if language == "en" else language.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        return Locale("en", "GB")


def _values(
    responder: ResponderFacts, mailbox: MailboxFacts, message: Message, language: str
) -> dict[str, dict[str, str] | str]:
    return {
        "sender": {
            "name": (message.from_name or message.reverse_path)[:_MAX_VALUE_CHARACTERS],
            "address": message.reverse_path[:_MAX_VALUE_CHARACTERS],
        },
        "subject": message.subject[:_MAX_VALUE_CHARACTERS],
        "mailbox": {"name": mailbox.name or mailbox.address, "address": mailbox.address},
        "absence": {
            "start": local_time(responder.from_date, language),
            "end": local_time(responder.to_date, language),
            "return_date": local_date(_return(responder), language),
        },
        "deputy": {"name": responder.deputy_name or responder.deputy_address, "address": responder.deputy_address},
    }


def _return(responder: ResponderFacts) -> datetime | None:
    """The first working day that is not before the end: nobody is back on a Sunday or at Christmas."""
    end = responder.to_date
    if end is None or end.year == MAXYEAR:
        return end
    return datetime.combine(next_working_day(end.date(), responder.country), end.time())


def _fill(source: str, values: Mapping[str, Any], *, html: bool = False) -> str:
    if "{" not in source:
        return source
    try:
        return str(_compiled(source, html=html).render(**values))
    except (TemplateProblem, LiquidError, RecursionError):
        return _MARKUP.sub("", source)


def _check_outside(source: str) -> None:
    """Each {{ and {% is closed before the next one opens, none is long, and they are not many."""
    opened, count = None, 0
    for match in _DELIMITER.finditer(source):
        if match[0] in {"}}", "%}"}:
            if opened is not None and match.start() - opened > MAX_PLACEHOLDER_CHARACTERS:
                raise TemplateProblem("syntax", "", _line(source, opened))
            opened = None
            continue
        if opened is not None:
            raise TemplateProblem("unclosed-brace", "", _line(source, opened))
        opened, count = match.start(), count + 1
    if opened is not None:
        raise TemplateProblem("unclosed-brace", "", _line(source, opened))
    if count > MAX_PLACEHOLDERS:
        raise TemplateProblem("too-many", "", 0)


def _problem(error: LiquidError, source: str) -> TemplateProblem:
    words = str(error.args[0]) if error.args else ""
    token = getattr(error, "token", None)
    line = _line(source, token.start_index) if token is not None and token.start_index >= 0 else 0
    quoted = re.search(r"'([^']*)'", words)
    name = quoted[1] if quoted else ""
    if words.startswith("unexpected tag"):
        return TemplateProblem("tag", name, line)
    if match := re.match(r"expected tag (?:'?end)(\w+)", words):
        return TemplateProblem("unclosed-tag", match[1], line)
    if words.startswith(("expected '}}'", "expected '%}'")):
        return TemplateProblem("unclosed-brace", "", line)
    return TemplateProblem("syntax", words[:100], line)


def _line(source: str, index: int) -> int:
    return source.count("\n", 0, index) + 1
