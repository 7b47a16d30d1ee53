"""A responder's text with its placeholders filled in: Liquid, strict when it is saved, bounded when it is sent.

Only conditions are allowed, no loops and no includes, so that a text cannot cost more than its own length.
Values come from strangers: they are put in as text, never read as Liquid, and escaped in HTML.
"""

import functools
import html
import re
from collections.abc import Callable, Iterable
from datetime import MAXYEAR, datetime
from typing import Any, NamedTuple

import liquid
import nh3
from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from liquid.exceptions import LiquidError

from responders.core.days import next_working_day
from responders.core.facts import MailboxFacts, ResponderFacts
from responders.core.matching import choose_text
from responders.core.message import Message

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


class Rendered(NamedTuple):
    """What the reply will say, in `language`. The subject is one line; no `html_body` where the owner wrote none."""

    subject: str
    text_body: str
    html_body: str
    language: str


class _Given(NamedTuple):
    """What placeholders are filled in from."""

    responder: ResponderFacts
    mailbox: MailboxFacts
    message: Message
    language: str
    case_number: str


# A date costs more than all the rest of a text: only what a text names is worked out.
_VALUES: dict[str, Callable[[_Given], str]] = {
    "sender.name": lambda it: (it.message.from_name or it.message.reverse_path)[:_MAX_VALUE_CHARACTERS],
    "sender.address": lambda it: it.message.reverse_path[:_MAX_VALUE_CHARACTERS],
    "subject": lambda it: it.message.subject[:_MAX_VALUE_CHARACTERS],
    "mailbox.name": lambda it: it.mailbox.name or it.mailbox.address,
    "mailbox.address": lambda it: it.mailbox.address,
    "absence.start": lambda it: local_time(it.responder.from_date, it.language),
    "absence.end": lambda it: local_time(it.responder.to_date, it.language),
    "absence.return_date": lambda it: local_date(_return(it.responder), it.language),
    "deputy.name": lambda it: it.responder.deputy_name or it.responder.deputy_address,
    "deputy.address": lambda it: it.responder.deputy_address,
    "case.number": lambda it: it.case_number,
}
PLACEHOLDERS = tuple(_VALUES)


def _value(given: _Given, name: str) -> str:
    return _VALUES[name](given)


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


_PLACEHOLDER = re.compile(r"\{\{ *([a-z_.]+) *\}\}")
_BRACE = re.compile(r"[{}]")


class _Prepared(NamedTuple):
    """A text made ready once: the placeholders whose values it wants, and what puts these in."""

    names: tuple[str, ...]
    put_in: Callable[[list[str]], str]


@functools.lru_cache(maxsize=4096)
def _prepared(source: str, *, is_html: bool) -> _Prepared:
    """Raises TemplateProblem, LiquidError or RecursionError."""
    _check_outside(source)
    parts = _PLACEHOLDER.split(source)
    if _VALUES.keys() >= set(parts[1::2]) and not any(map(_BRACE.search, parts[::2])):
        return _Prepared(tuple(parts[1::2]), functools.partial(_put_between, parts, html.escape if is_html else str))
    template = (_HTML if is_html else _TEXT).from_string(source)
    names = tuple(_VALUES.keys() & _named(template))
    return _Prepared(names, functools.partial(_put_into_liquid, template, names))


def _put_between(parts: list[str], written: Callable[[str], str], values: list[str]) -> str:
    """Nearly every text: plain, with a few placeholders. What Liquid makes of it, at a twentieth of the cost."""
    filled = parts.copy()
    filled[1::2] = map(written, values)
    return "".join(filled)


def _put_into_liquid(template: liquid.BoundTemplate, names: tuple[str, ...], values: list[str]) -> str:
    nested: dict[str, Any] = {}
    for name, value in zip(names, values, strict=True):
        root, _dot, leaf = name.partition(".")
        nested[root] = {**nested.get(root, {}), leaf: value} if leaf else value
    return str(template.render(nested))


def _named(template: liquid.BoundTemplate) -> Iterable[str]:
    return {str(variable) for variables in template.analyze().globals.values() for variable in variables}


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
        return frozenset(_named(_TEXT.from_string(source)))
    except (TemplateProblem, LiquidError, RecursionError):
        return frozenset()


def for_reading(source: str) -> str:
    """A subject or a text as people read it at a glance: … where something is filled in for each sender."""
    return _FULL_STOP.sub("…", _FILLED_IN.sub("…", _CHOICE.sub("", source))).strip() or source


def render(responder: ResponderFacts, mailbox: MailboxFacts, message: Message, case_number: str = "") -> Rendered:
    """Subject and texts for this sender, in the language and for the audience that `choose_text` says.

    Never raises for what a text or a message holds: a text that cannot be rendered goes out without its placeholders.
    """
    text = choose_text(responder, message, mailbox)
    value_of = functools.partial(_value, _Given(responder, mailbox, message, text.language, case_number))
    subject = " ".join(_fill(text.subject, value_of).split())[:MAX_SUBJECT_CHARACTERS]
    html_body = nh3.clean(_fill(text.html_body, value_of, is_html=True)) if text.html_body else ""
    return Rendered(subject, _fill(text.text_body, value_of), html_body, text.language)


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


def _return(responder: ResponderFacts) -> datetime | None:
    """The first working day that is not before the end: nobody is back on a Sunday or at Christmas."""
    end = responder.to_date
    if end is None or end.year == MAXYEAR:
        return end
    return datetime.combine(next_working_day(end.date(), responder.country), end.time())


def _fill(source: str, value_of: Callable[[str], str], *, is_html: bool = False) -> str:
    if "{" not in source:
        return source
    try:
        prepared = _prepared(source, is_html=is_html)
        filled = prepared.put_in([value_of(name) for name in prepared.names])
    except (TemplateProblem, LiquidError, RecursionError):
        return _MARKUP.sub("", source)
    is_long = len(filled) * 4 > MAX_OUTPUT_OCTETS and len(filled.encode("utf-8", "replace")) > MAX_OUTPUT_OCTETS
    return _MARKUP.sub("", source) if is_long else filled


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
