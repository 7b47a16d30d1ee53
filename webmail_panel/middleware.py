"""Response headers that Django does not set by itself, and what every page does for the person who is signed in."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.middleware import AuthenticationMiddleware, get_user
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.functional import SimpleLazyObject
from django.utils.http import urlencode

from mailboxes import access, devices, second_factor
from mailboxes.models import User
from webmail_panel.database import patience

GetResponse = Callable[[HttpRequest], HttpResponse]

# No inline script or style and nothing from elsewhere. data: is for Bootstrap's icons inside its style sheet, and for
# the QR code, which must not stand in a file or an address.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
# django-unfold needs inline style attributes and Alpine's evaluation of expressions.
ADMIN_CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "script-src 'self' 'unsafe-eval'; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
# Where staff may go before they have proved twice who they are: to do so, and away; without a factor to set one up.
TO_PROVE = {
    "account_reauthenticate", "mfa_reauthenticate", "mfa_reauthenticate_webauthn",
    "account_logout", "admin:logout", "set_language",
}  # fmt: skip
TO_SET_UP = {"mfa_index", "mfa_activate_totp", "mfa_add_webauthn"} | TO_PROVE


class ShortPatienceMiddleware:
    """While a page is made, a database that does not answer is given up within seconds."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with patience.short():
            return self.get_response(request)


class PersonMiddleware(AuthenticationMiddleware):
    """Django's own, and who is signed in comes with what nearly every page asks about them (`access.know`)."""

    def process_request(self, request: HttpRequest) -> None:
        super().process_request(request)
        request.user = SimpleLazyObject(lambda: _known(request))  # type: ignore[assignment]


def _known(request: HttpRequest) -> User | AnonymousUser:
    user = get_user(request)
    if isinstance(user, User) and user.ways is None:
        access.know(user)
    return user


class SecurityHeadersMiddleware:
    """Adds the content security policy and the permissions policy to every answer."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        is_admin = request.path.startswith("/admin/")
        response.setdefault(
            "Content-Security-Policy", ADMIN_CONTENT_SECURITY_POLICY if is_admin else CONTENT_SECURITY_POLICY
        )
        response.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
        return response


class OwnLanguageMiddleware:
    """The language that a person chose wins over the cookie and over what the browser asks for."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        language = request.user.language if request.user.is_authenticated else ""
        if language in dict(settings.LANGUAGES):
            translation.activate(language)
            request.LANGUAGE_CODE = language
        return self.get_response(request)


class LastSeenMiddleware:
    """Keeps the list of signed-in devices up to date."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated:
            devices.note_visit(request, timezone.now())
        return self.get_response(request)


class SecondFactorMiddleware:
    """Staff prove twice who they are before they see anything: set up a factor, or show it."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, _view: Any, _args: Any, _kwargs: Any) -> HttpResponse | None:
        user = request.user
        if not user.is_authenticated or not access.needs_second_factor(user) or second_factor.is_proven(request):
            return None
        if second_factor.main_factors(user).exists():
            return None if _is_open(request, TO_PROVE) else redirect(_proof_before(request))
        return None if _is_open(request, TO_SET_UP) else redirect("mfa_index")


def _is_open(request: HttpRequest, names: set[str]) -> bool:
    return request.resolver_match is not None and request.resolver_match.view_name in names


def _proof_before(request: HttpRequest) -> str:
    """The page that asks for a code, then leads to where the request wanted to go; what was sent is not kept."""
    query = urlencode({REDIRECT_FIELD_NAME: request.get_full_path()}) if request.method == "GET" else ""
    return f"{reverse('mfa_reauthenticate')}?{query}"
