"""What a person typed into a form after the session had ended: kept for an hour, shown again after signing in.

It lies in the cache under a name that only this browser has; whoever signs in there sees it only on the same page,
and only if that page is theirs to open.
"""

import functools
import secrets
from collections.abc import Callable
from typing import Any

from allauth.core.internal import ratelimit
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import redirect_to_login
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render

from responders.typed import as_text

COOKIE = "typed"
KEPT_FOR = 3_600  # seconds
MAX_OCTETS = 700_000  # the longest texts in any script
# Nobody is signed in where this is kept, and Redis has other work: what one browser keeps takes the place of what it
# kept before, and only so many begin to, from one address and altogether.
LIMITS = {
    "keep": "300/h/ip",  # a preview now and then from everybody behind one address
    "begin": "40/h/ip",
    "begin-anywhere": "400/h/key",  # 280 MB
}
View = Callable[..., HttpResponse]


def keeps_what_was_typed(view: View) -> View:
    """The page asks to sign in, as with `login_required`; what was sent to it meanwhile is not lost."""

    @functools.wraps(view)
    def asked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method == "POST" and not request.user.is_authenticated:
            return _signed_out(request)
        return login_required(view)(request, *args, **kwargs)

    return asked


def typed_before(request: HttpRequest) -> QueryDict | None:
    """What this browser sent to this page while nobody was signed in."""
    path, _newline, typed = cache.get(_key(request), "").partition("\n")
    return QueryDict(typed) if path == request.path else None


def forget(request: HttpRequest) -> None:
    """It is saved, or was thrown away."""
    cache.delete(_key(request))


def kept_for_later(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """The response, after what was sent was kept; the page that it leads to leads back here."""
    return _with_name(request, response) if _keep(request) else response


def _signed_out(request: HttpRequest) -> HttpResponse:
    is_kept = _keep(request)
    if request.headers.get("HX-Request"):
        response = render(request, "responders/signed_out.html", {"is_kept": is_kept})
    else:
        response = redirect_to_login(request.path)
    return _with_name(request, response) if is_kept else response


def _with_name(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    response.set_cookie(
        COOKIE, request.COOKIES[COOKIE], max_age=KEPT_FOR, secure=settings.SESSION_COOKIE_SECURE,
        httponly=True, samesite="Lax",
    )  # fmt: skip
    return response


def _keep(request: HttpRequest) -> bool:
    text = as_text(request.POST, but=("csrfmiddlewaretoken", "preview", "save"))
    if text is None or len(text.encode()) > MAX_OCTETS or not _is_let(request, "keep"):
        return False
    if not _is_name(request.COOKIES.get(COOKIE, "")) or cache.get(_key(request)) is None:
        if not (_is_let(request, "begin") and _is_let(request, "begin-anywhere")):
            return False
        request.COOKIES[COOKIE] = secrets.token_urlsafe(24)
    cache.set(_key(request), f"{request.path}\n{text}", KEPT_FOR)
    return True


def _is_let(request: HttpRequest, action: str) -> bool:
    return bool(ratelimit.consume(request, app="responders.drafts", action=action, config=LIMITS, key="drafts"))


def _key(request: HttpRequest) -> str:
    name = request.COOKIES.get(COOKIE, "")
    return f"typed:{name if _is_name(name) else '-'}"


def _is_name(text: str) -> bool:
    return len(text) == 32 and text.isascii() and text.replace("-", "").replace("_", "").isalnum()
