"""What should stand in the panel for what the source holds: passwords, autoresponders. Pure: `now` is an argument."""

from dataclasses import dataclass
from datetime import datetime

from importing.facts import Mailbox, Responder
from importing.items import Item, left_out, note
from mailboxes import foreign_hashes
from mailboxes.foreign_hashes import NotTaken, Taken
from responders.core import schedule
from responders.models import ResponderType
from responders.validation import ResponderInput, tidy

MAX_NAME = 200


def name_of(mailbox: Mailbox) -> str:
    return " ".join(_storable(mailbox.name).split())[:MAX_NAME]


def _storable(text: str) -> str:
    """Without NUL and lone surrogates, which no database stores."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def password_of(mailbox: Mailbox, *, keeps_weak: bool) -> tuple[Taken | None, Item | None]:
    """The hash to take, and what is to be said of it."""
    read = foreign_hashes.read(mailbox.password, mailbox.password_scheme)
    if isinstance(read, NotTaken):
        return None, left_out("password", mailbox.address, f"password-{read.reason}", read.scheme)
    if read.is_weak and not keeps_weak:
        return None, left_out("password", mailbox.address, "password-weak", read.scheme)
    reasons = {"DJANGO": "password-for-the-panel-only", "PLAIN": "password-was-plain"}
    reason = "password-weak-kept" if read.is_weak else reasons.get(read.scheme, "")
    return read, note("password", mailbox.address, reason, read.scheme) if reason else None


@dataclass(frozen=True)
class WantedResponder:
    """`values`: to save. `is_over`: it ended in the source, so it comes switched off and without its dates.

    `as_it_was`: with those dates, as an earlier import may have saved it.
    """

    values: ResponderInput
    as_it_was: ResponderInput
    is_over: bool


def responder_of(responder: Responder, now: datetime) -> WantedResponder:
    """A window makes it an absence message; without one it is a standing reply, on until switched off."""
    start, end = (_existing(local, responder.zone) for local in (responder.from_date, responder.to_date))
    is_over = end is not None and schedule.to_utc(end, responder.zone) <= now
    kind = ResponderType.ABSENCE if start or end else ResponderType.STANDING

    def values(*, with_dates: bool) -> ResponderInput:
        return tidy(
            ResponderInput(
                type=kind.value, is_enabled=responder.is_enabled and with_dates,
                from_date=start if with_dates else None, to_date=end if with_dates else None,
                time_zone=responder.zone, subject=_storable(responder.subject),
                text_body=_storable(responder.text_body),
                html_body=_storable(responder.html_body), interval_days=responder.interval_days,
                answers_once=responder.answers_once,
            )
        )  # fmt: skip

    return WantedResponder(values(with_dates=not is_over), values(with_dates=True), is_over)


def _existing(local: datetime | None, zone: str) -> datetime | None:
    """A time that the clock skips or has twice is the next one that it has once."""
    try:
        if local is not None:
            schedule.to_utc(local, zone)
    except schedule.LocalTimeError as error:
        return error.after
    return local


_COMPARED = (
    "type", "is_enabled", "from_date", "to_date", "time_zone", "subject", "text_body", "html_body", "interval_days",
    "answers_once",
)  # fmt: skip


def differing(wanted: WantedResponder, there: ResponderInput) -> list[str]:
    """What the stored responder has otherwise than the source; nothing where it is either form of it."""
    found = [
        [name for name in _COMPARED if getattr(form, name) != getattr(there, name)]
        for form in (wanted.values, wanted.as_it_was)
    ]
    return min(found, key=len)
