"""Texts of other systems as ours: their placeholders become ours, what only looks like one stays what it is. Pure."""

import html
import re
from collections.abc import Mapping

import nh3

# A brace that Liquid would take for the beginning of a placeholder.
_BRACE = re.compile(r"\{(?=[{%])")
_BRACE_BEFORE = re.compile(r"\{(?=[{%]|\Z)")
_ESCAPED = '{{ "{" }}'
_BLOCK_END = re.compile(r"(?i)<br\s*/?>|</(?:p|div|li|tr|h[1-6]|table|ul|ol|blockquote)>")
_BLANK = re.compile(r"\n{3,}")
DEFAULT_SUBJECT = "Auto: {{ subject }}"

# As each system documents them: the placeholder as it is written there, and ours.
POSTFIXADMIN = {"$SUBJECT": "subject"}
MODOBOA = {
    "%(name)s": "mailbox.name", "%(fromdate)s": "absence.start", "%(untildate)s": "absence.end", "%%": "",
}  # fmt: skip
CPANEL = {"%subject%": "subject", "%from%": "sender.name", "%email%": "sender.address"}
SIEVE = {"${subject}": "subject"}


def translated(text: str, placeholders: Mapping[str, str]) -> str:
    """The text with their placeholders as ours. One that stands for nothing (`%%`) is its first letter."""
    made, words = "", ""
    for part in re.split("(" + "|".join(map(re.escape, placeholders)) + ")", text) if placeholders else [text]:
        if ours := placeholders.get(part):
            made += literal(words, is_before_placeholder=True) + f"{{{{ {ours} }}}}"
            words = ""
        else:
            words += part[:1] if part in placeholders else part
    return made + literal(words)


def literal(text: str, *, is_before_placeholder: bool = False) -> str:
    """Liquid that gives exactly this text."""
    return (_BRACE_BEFORE if is_before_placeholder else _BRACE).sub(lambda _match: _ESCAPED, text)


def plain_of(markup: str) -> str:
    """The words of a formatted text, a line for each paragraph."""
    lines = _BLOCK_END.sub("\n", markup)
    words = html.unescape(nh3.clean(lines, tags=set()))
    return _BLANK.sub("\n\n", "\n".join(line.strip() for line in words.splitlines())).strip()


def has_broken_letters(*texts: str) -> bool:
    """Whether a text lost letters because its bytes were in no known encoding."""
    return any("\ufffd" in text for text in texts)
