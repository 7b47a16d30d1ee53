"""The brake on wrong passwords and codes: for a guesser it is drawn soon, for the owner never for good.

Counted in Redis, so for all web processes and across restarts. Who could lock an owner out by typing wrong
passwords all day is kept apart from the owner by the browser: one that has signed in to this account before carries a
signed cookie and is counted by itself alone. Everybody else is a stranger, counted by the address they come
from, by that address together with the account, and by the account. Whether the account exists plays no part.
"""

import hashlib
import secrets

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.core.internal import ratelimit
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

# Wrong passwords that are let pass: N/time/what is counted.
LIMITS = {
    "known": "10/5m/key,40/h/key",  # the browser of somebody who has signed in before
    "place": "10/m/ip,100/h/ip",  # whatever account; IPv6 by its /64
    "place-and-account": "5/5m/key,20/h/key",
    "account": "100/h/key",  # guessers who come from everywhere
    "linking": "30/h/key",  # mailboxes that one person adds to their sign-in, right passwords too
    "codes": "20/h/key",  # the same for codes of the second factor: short ones, tried by who knows the password
}
_SALT = "mailboxes.brake:"
_KNOWN_FOR = 365 * 86_400  # seconds


class TooManyWrongPasswords(Exception):
    """Not now, whatever the password is."""


def consume(request: HttpRequest, account: str, *, codes: bool = False) -> ratelimit.RateLimitUsage:
    """Count one attempt at an account (in normal form); to be rolled back if the password, or the code, is right.

    Raises TooManyWrongPasswords; ImmediateHttpResponse with a page of its own where the place is stopped.
    """
    known = _known_as(request, account)
    if codes:
        account = f"codes of {account}"
    if known:
        return _count(request, "known", f"{account} {known}")
    usage = _consume(request, "place", "")
    if usage is None:
        raise ImmediateHttpResponse(ratelimit.respond_429(request))
    usage.usage += _count(request, "place-and-account", f"{account} {ratelimit.get_ip(request)}").usage
    usage.usage += _count(request, "codes" if codes else "account", account).usage
    return usage


def count_linking(request: HttpRequest, person: int) -> None:
    """Count what one person tries, whatever comes of it: hashes cost time. Raises TooManyWrongPasswords."""
    _count(request, "linking", str(person))


def remember(request: HttpRequest, response: HttpResponse, account: str) -> None:
    """This browser has signed in to the account."""
    response.set_signed_cookie(
        _cookie(account),
        _known_as(request, account) or secrets.token_urlsafe(12),
        salt=_SALT + account,
        max_age=_KNOWN_FOR,
        path=reverse("account_login"),
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def _known_as(request: HttpRequest, account: str) -> str:
    """The name of this browser, if it has signed in to the account before; else empty."""
    return request.get_signed_cookie(_cookie(account), default="", salt=_SALT + account, max_age=_KNOWN_FOR) or ""


def _cookie(account: str) -> str:
    return f"known-{hashlib.sha256(account.encode()).hexdigest()[:16]}"


def _count(request: HttpRequest, what: str, key: str) -> ratelimit.RateLimitUsage:
    usage = _consume(request, what, key)
    if usage is None:
        raise TooManyWrongPasswords
    return usage


def _consume(request: HttpRequest, what: str, key: str) -> ratelimit.RateLimitUsage | None:
    usage: ratelimit.RateLimitUsage | None = ratelimit.consume(
        request, app="mailboxes.brake", action=what, config=LIMITS, key=key
    )
    return usage
