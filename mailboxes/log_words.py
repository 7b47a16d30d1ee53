"""The log's words as a person reads them. They are kept in English, as they were written; here they are translated.

Pure: what is written is taken apart, and a part that is not known stays as it is.
"""

import re
from collections.abc import Callable

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

# What is written → what is read; %(what)s is the part behind the words.
WORDS = (
    _("made"), _("saved as it was"), _("saved"), _("deleted for good"), _("deleted"), _("suspended"), _("resumed"),
    _("taken back"), _("is being removed for good"),
    _("proven by the DNS"), _("password changed"), _("password set"), _("password set anew"),
    _("second factor removed; signed out everywhere"), _("second factor set up: app"), _("second factor removed: app"),
    _("second factor set up: security key"), _("second factor removed: security key"), _("recovery codes made"),
    _("signed out on another device"), _("calendar feed: a new address"), _("calendar feed: off"),
    _("a note of staff removed"), _("a note of staff added"), _("given to the hook again"), _("password"),
    _("passwords fetched"), _("passwords forgotten"),
)  # fmt: skip
WITH_MORE = (
    _("signed out on all other devices: %(what)s"), _("made; targets: %(what)s"), _("new password for %(what)s"),
    _("password of %(what)s taken over"), _("%(what)s may not sign in"), _("%(what)s may sign in"),
    _("domain claimed: %(what)s"), _("claim given up: %(what)s"), _("alias deleted: %(what)s"),
    _("alias taken back: %(what)s"), _("deleted; targets: %(what)s"), _("deleted; mailboxes, aliases: %(what)s"),
    _("deleted; domains: %(what)s"), _("taken back; domains: %(what)s"),
    _("password of a mail program made: %(what)s"), _("password of a mail program ended: %(what)s"),
    _("DKIM key made: %(what)s"), _("DKIM key signs: %(what)s"), _("DKIM key deleted: %(what)s"),
    _("brought in step with the clock: %(what)s"), _("purged: %(what)s"), _("lifted: %(what)s"),
    _("%(what)s looks after it no more"), _("turned: %(what)s"), _("a person was forgotten in %(what)s lines"),
    _("opened by another sign-in, too: %(what)s"), _("opened by another sign-in no more: %(what)s"),
    _("a sign-in of its own, no longer that of %(what)s"),
)  # fmt: skip
SUCCESSOR = _("successor: %(who)s from %(since)s")
# Names of what is no field of the row's model.
NAMES = {"targets": _("targets"), "successor": _("successor"), "administrators": _("administrators")}
VALUES = {"True": _("yes"), "False": _("no"), "None": "–"}

_KNOWN = set(WORDS)
_MORE = [
    (re.compile("(?s)" + re.escape(words).replace(re.escape("%(what)s"), "(.+)") + r"\Z"), words)
    for words in WITH_MORE
]  # fmt: skip
_SUCCESSOR = re.compile(r"successor: (\S+) from (.+)\Z")
_FIELD = re.compile(r"(?s)([a-z][a-z0-9_]*): (.*)\Z")
_BETWEEN = re.compile(r"; (?=[a-z][a-z0-9_]*: .* → )")

Label = Callable[[str], str | None]


def sentence(words: str, label: Label) -> str:
    """In the present language. `label` gives the name of a field that a person reads, None where there is no such."""
    return _whole(words) or "; ".join(_whole(part) or _field(part, label) for part in _BETWEEN.split(words))


def _whole(words: str) -> str:
    if words in _KNOWN:
        return gettext(words)
    if found := _SUCCESSOR.match(words):
        return gettext(SUCCESSOR) % {"who": found[1], "since": found[2]}
    for pattern, form in _MORE:
        if found := pattern.match(words):
            return gettext(form) % {"what": found[1]}
    return ""


def _field(words: str, label: Label) -> str:
    found = _FIELD.match(words)
    name = found and (gettext(NAMES[found[1]]) if found[1] in NAMES else label(found[1]))
    if not found or not name:
        return words
    return f"{name}: {' → '.join(_value(one) for one in found[2].split(' → '))}"


def _value(words: str) -> str:
    return gettext(VALUES[words]) if words in VALUES else words
