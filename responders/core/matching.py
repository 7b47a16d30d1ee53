"""Whom and what a responder is for: its audience, its addresses, its words; and in which language it answers."""

import re
import unicodedata
from collections.abc import Iterable

from mailboxes.addresses import normal_form_or_none, split, without_subaddress
from responders.core.body import body_text
from responders.core.facts import Audience, Conditions, MailboxFacts, ResponderFacts, Text
from responders.core.message import Message

_STROKES = str.maketrans({"ł": "l", "đ": "d", "ø": "o", "ß": "ss", "æ": "ae", "œ": "oe", "ı": "i"})
_LANGUAGE_RANGE = re.compile(r"([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)\s*(?:;\s*q\s*=\s*([01](?:\.[0-9]{0,3})?))?")
_MAX_RANGES = 20


def is_colleague(message: Message, mailbox: MailboxFacts) -> bool:
    """Whether the reverse-path is in a domain of the mailbox's own customer."""
    address = normal_form_or_none(message.reverse_path)
    return address is not None and split(address)[1] in mailbox.colleague_domains


def is_meant_for_sender(responder: ResponderFacts, message: Message, mailbox: MailboxFacts) -> bool:
    """Whether the sender belongs to the responder's audience."""
    if responder.audience is Audience.EVERYONE:
        return True
    return is_colleague(message, mailbox) == (responder.audience is Audience.COLLEAGUES)


def own_addresses_written_to(
    message: Message, mailbox: MailboxFacts, delimiter: str, chosen: frozenset[str] = frozenset()
) -> list[str]:
    """The mailbox's own addresses (of the `chosen` ones, if any) in To, Cc, Bcc and their Resent-…, as written."""
    own = mailbox.own_addresses & chosen if chosen else mailbox.own_addresses
    return [found for found in message.addressed_to if found in own or without_subaddress(found, delimiter) in own]


def answering_address(
    message: Message, mailbox: MailboxFacts, responder: ResponderFacts, delimiter: str, written_to: str
) -> str:
    """Where the reply comes from: the address that was written to, `written_to` (of the envelope) before others."""
    named = own_addresses_written_to(message, mailbox, delimiter, responder.addresses)
    return written_to if written_to in named else next(iter(named), mailbox.address)


def fits(conditions: Conditions, message: Message) -> bool:
    """Whether the message is one that the responder is for."""
    return _is_from(conditions.senders, message) and _holds_word(conditions, message)


def folded(text: str) -> str:
    """Without case and accents, spaces single: what counts as the same word."""
    plain = text.casefold()
    if not plain.isascii():
        # Without accents before too: ordering a long run of them takes time in the square of it.
        plain = unicodedata.normalize("NFKD", _without_accents(plain)).casefold()
        plain = _without_accents(plain.translate(_STROKES))
    return " ".join(plain.split())


def _without_accents(text: str) -> str:
    return "".join(letter for letter in text if not unicodedata.combining(letter))


def stem(word: str) -> str:
    """What inflected forms have in common: the folded word without its last vowels, three letters at least."""
    plain = folded(word)
    short = plain.rstrip("aeiouy")
    return short if len(short) >= 3 else plain


def choose_text(responder: ResponderFacts, message: Message, mailbox: MailboxFacts) -> Text:
    """The text for this sender: colleagues' where there is one, in a language the message asks for, else the own."""
    own = Text(responder.language or mailbox.language, responder.subject, responder.text_body, responder.html_body)
    if not responder.texts:
        return own
    texts = [own, *(text for text in responder.texts if not text.for_colleagues)]
    if is_colleague(message, mailbox):
        texts = [text for text in responder.texts if text.for_colleagues] or texts
    by_language = {text.language.lower(): text for text in reversed(texts)}
    wanted = [language for language in wanted_languages(message) if language in by_language]
    return by_language[wanted[0]] if wanted else by_language.get(own.language.lower(), texts[0])


def wanted_languages(message: Message) -> tuple[str, ...]:
    """What the message asks to be answered in, best first: Accept-Language, then Content-Language (RFC 3282).

    Each language also in its short form: “pl-PL” asks for “pl” too (RFC 4647 §3.4).
    """
    ranges = [found for value in message.all("accept-language") for found in _ranges(value)]
    ranges.sort(key=lambda found: -found[1])
    ranges += [found for value in message.all("content-language") for found in _ranges(value)]
    tags = [tag for tag, quality in ranges if quality > 0]
    return tuple(dict.fromkeys(form for tag in tags for form in (tag, tag.partition("-")[0])))


def _ranges(value: str) -> list[tuple[str, float]]:
    found = _LANGUAGE_RANGE.findall(value[:1_000])[:_MAX_RANGES]
    return [(tag.lower(), float(quality or 1)) for tag, quality in found]


def _is_from(senders: Iterable[str], message: Message) -> bool:
    wanted = frozenset(senders)
    if not wanted:
        return True
    paths = (normal_form_or_none(message.reverse_path), message.from_address)
    return any(path in wanted or split(path)[1] in wanted for path in paths if path)


def _holds_word(conditions: Conditions, message: Message) -> bool:
    words = [word for word in conditions.words if folded(word)]
    if not words:
        return True
    pattern = "|".join(_word_pattern(word, forms=conditions.word_forms) for word in words)
    looks_for = re.compile(rf"(?<!\w)(?:{pattern})(?!\w)")
    if looks_for.search(folded(message.subject)):
        return True
    return conditions.in_body and looks_for.search(folded(body_text(message.content))) is not None


def _word_pattern(word: str, *, forms: bool) -> str:
    return re.escape(stem(word)) + r"\w*" if forms else re.escape(folded(word))
