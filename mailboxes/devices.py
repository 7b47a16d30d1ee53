"""Where a person is signed in: browser, address and when it was last seen."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from allauth.account.adapter import get_adapter
from allauth.usersessions.models import UserSession
from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.sessions.models import Session
from django.core.cache.backends.locmem import LocMemCache
from django.http import HttpRequest
from django.utils.translation import gettext as _

from mailboxes.log import Actor, record
from mailboxes.models import User

SEEN_EVERY = timedelta(minutes=5)
# Of this process alone: whether Redis is there plays no part in whether a page comes.
_asked_lately = LocMemCache("devices", {"TIMEOUT": 60, "OPTIONS": {"MAX_ENTRIES": 10_000}})
USER_AGENT_CHARACTERS = 200  # what the column holds
# The first mark that the browser's own words hold decides: many name others as well.
_BROWSERS = (
    ("Edg", "Edge"), ("OPR/", "Opera"), ("SamsungBrowser/", "Samsung Internet"), ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"), ("CriOS/", "Chrome"), ("Chrome/", "Chrome"), ("Safari/", "Safari"),
)  # fmt: skip
_SYSTEMS = (
    ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("CrOS", "ChromeOS"),
    ("Macintosh", "macOS"), ("Linux", "Linux"),
)  # fmt: skip


@dataclass(frozen=True)
class Device:
    """One browser that is signed in."""

    row: UserSession
    name: str
    is_this: bool


def devices_of(user: User, *, this: str | None, now: datetime) -> list[Device]:
    """The latest first, after the browser whose session key is `this`. What is over is forgotten."""
    rows = list(UserSession.objects.filter(user=user).order_by("-last_seen_at"))
    alive = _alive(user, [row.session_key for row in rows], now)
    if over := [row.pk for row in rows if row.session_key not in alive]:
        UserSession.objects.filter(pk__in=over).delete()
    devices = [
        Device(row, browser_name(row.user_agent), row.session_key == this) for row in rows if row.session_key in alive
    ]
    return sorted(devices, key=lambda device: not device.is_this)


def end(user: User, pk: int, *, this: str | None, actor: Actor) -> bool:
    """End one of the person's sessions but not this one; False if there is none of that number."""
    ended = _end(UserSession.objects.filter(user=user, pk=pk).exclude(session_key=this or ""))
    if ended:
        record(user, "signed out on another device", actor)
    return ended > 0


def end_others(user: User, *, this: str | None, actor: Actor) -> int:
    """End every session but this one; return how many there were."""
    ended = _end(UserSession.objects.filter(user=user).exclude(session_key=this or ""))
    if ended:
        record(user, f"signed out on all other devices: {ended}", actor)
    return ended


def end_all(user: User) -> int:
    """Sign the person out everywhere."""
    return _end(UserSession.objects.filter(user=user))


def forget_ended(now: datetime) -> int:
    """Delete sessions that are over, and the rows that tell whose they were; return how many sessions."""
    count: int = Session.objects.filter(expire_date__lte=now).delete()[0]
    UserSession.objects.exclude(session_key__in=Session.objects.values("session_key")).delete()
    return count


def note_visit(request: HttpRequest, now: datetime) -> None:
    """Keep when and from where this session was last seen, to five minutes; its row was made at sign-in.

    Each process asks the database once a minute and session, not at every page.
    """
    if not _asked_lately.add(str(request.session.session_key), True):
        return
    rows = UserSession.objects.filter(session_key=request.session.session_key, last_seen_at__lt=now - SEEN_EVERY)
    rows.update(
        ip=get_adapter(request).get_client_ip(request),
        user_agent=request.headers.get("User-Agent", "")[:USER_AGENT_CHARACTERS],
        last_seen_at=now,
    )


def browser_name(user_agent: str) -> str:
    """“Firefox on Windows”, of what a browser says about itself (RFC 9110 §10.1.5)."""
    browser = _first(_BROWSERS, user_agent)
    system = _first(_SYSTEMS, user_agent)
    if browser and system:
        return _("%(browser)s on %(system)s") % {"browser": browser, "system": system}
    return browser or system or _("An unknown program")


def _first(marks: Iterable[tuple[str, str]], text: str) -> str:
    return next((name for mark, name in marks if mark in text), "")


def _alive(user: User, keys: list[str], now: datetime) -> set[str]:
    """Sessions that are neither over nor opened with an earlier password."""
    hashes = {user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()}
    sessions = Session.objects.filter(session_key__in=keys, expire_date__gt=now)
    return {row.session_key for row in sessions if row.get_decoded().get(HASH_SESSION_KEY) in hashes}


def _end(rows: "Iterable[UserSession]") -> int:
    """How many sessions ended. A row alone is none: a new password gives its own session another key, and leaves the
    row of the old one.
    """
    keys = [row.session_key for row in rows]
    UserSession.objects.filter(session_key__in=keys).delete()
    return int(Session.objects.filter(session_key__in=keys).delete()[0])
