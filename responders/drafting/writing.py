"""What a person is writing into the responder form: kept as it is typed, offered when they come back.

A tab that was closed, a browser that was killed, a telephone that fell into the water: the panel's database has it, for
the person who typed it alone, on any device. Nothing of it lies in the browser, which may be somebody else's tomorrow.
It goes when it is saved, thrown away, or when the session in which it was typed signs out; else after `KEPT_FOR`.
"""

import re
import secrets
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, Q, QuerySet
from django.db.models.functions import JSONObject
from django.http import QueryDict

from mailboxes.models import Mailbox, User
from responders.models import Draft, Responder
from responders.typed import as_text

KEPT_FOR = timedelta(days=14)
LATE = timedelta(hours=1)  # what is over is remembered, so that a request on its way does not bring it back
MOST = 10  # a person
OFFERED = 3
NO_FIELDS = ("csrfmiddlewaretoken", "preview", "save", "send_test", "test_to", "take_ics", "ready", "keep")
KEY = re.compile(r"[A-Za-z0-9_-]{32}", re.ASCII)


def new_key() -> str:
    """Of a form that is opened."""
    return secrets.token_urlsafe(24)


def keep(
    user: User,
    mailbox: Mailbox,
    responder: Responder | None,
    sent: QueryDict,
    *,
    session_key: str | None,
    now: datetime,
) -> bool:
    """Keep what was sent, under the form's key. False where it is too long, or the form has no key."""
    key, typed = sent.get("draft", ""), as_text(sent, but=NO_FIELDS)
    if not KEY.fullmatch(key) or typed is None:
        return False
    kept = {"typed": typed, "changed_at": now, "session": _name(session_key)}
    if not Draft.objects.filter(user=user, key=key).exclude(typed="").update(**kept):
        draft = Draft(user=user, mailbox=mailbox, responder=responder, key=key, began_at=now, **kept)
        Draft.objects.bulk_create([draft], ignore_conflicts=True)  # unless it is over
        _forget_the_oldest(user)
    return True


def begun(user: User, mailbox: Mailbox, responder: Responder | None = None) -> list[Draft]:
    """What the person began to write for the responder, or for a new one of the mailbox; the latest first."""
    return list(_of(user, mailbox).filter(responder=responder)[:OFFERED])


def begun_anywhere(user: User) -> ArraySubquery:
    """The same for all responders of a mailbox: a column for the query that reads the mailbox, for `as_drafts`."""
    columns = ("key", "typed", "mailbox_id", "responder_id", "began_at")
    rows = _latest(Draft.objects.filter(user=user, mailbox=OuterRef("pk")))
    return ArraySubquery(rows.values(row=JSONObject(**dict(zip(columns, columns, strict=True))))[:OFFERED])


def as_drafts(rows: list[dict[str, Any]]) -> list[Draft]:
    """What that column holds."""
    return [Draft(**row | {"began_at": datetime.fromisoformat(row["began_at"])}) for row in rows]


def find(user: User, mailbox: Mailbox, responder: Responder | None, key: str) -> Draft | None:
    """The draft that the person wants to take up."""
    return _of(user, mailbox).filter(responder=responder, key=key).first() if KEY.fullmatch(key) else None


def forget(user: User, mailbox: Mailbox, key: str, now: datetime) -> None:
    """What was sent under the key is saved, or thrown away: nothing of it is kept, whatever comes late."""
    if KEY.fullmatch(key):
        over = Draft(user=user, mailbox=mailbox, key=key, began_at=now, changed_at=now)
        Draft.objects.bulk_create(
            [over], update_conflicts=True, unique_fields=["user", "key"], update_fields=["typed", "changed_at"]
        )


def is_over(user: User, key: str) -> bool:
    """Whether what was sent under the key is saved, or was thrown away."""
    return bool(KEY.fullmatch(key)) and Draft.objects.filter(user=user, key=key, typed="").exists()


def forget_session(user: User, session_key: str | None) -> None:
    """Who signs out leaves nothing of what they typed there; what they typed elsewhere stays."""
    Draft.objects.filter(user=user, session=_name(session_key)).delete()


def delete_old(now: datetime) -> int:
    """Delete what nobody came back to, and what is over; return how many."""
    is_over = Q(typed="", changed_at__lt=now - LATE)
    return int(Draft.objects.filter(is_over | Q(changed_at__lt=now - KEPT_FOR)).delete()[0])


def _of(user: User, mailbox: Mailbox) -> QuerySet[Draft]:
    return _latest(Draft.objects.filter(user=user, mailbox=mailbox))


def _latest(rows: QuerySet[Draft]) -> QuerySet[Draft]:
    return rows.exclude(typed="").order_by("-changed_at")


def _forget_the_oldest(user: User) -> None:
    latest = Draft.objects.filter(user=user).order_by("-changed_at").values("pk")[:MOST]
    Draft.objects.filter(user=user).exclude(pk__in=latest).delete()


def _name(session_key: str | None) -> str:
    return sha256((session_key or "").encode()).hexdigest()
