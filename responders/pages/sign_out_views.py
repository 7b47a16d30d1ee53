"""Signing out by hand."""

from allauth.account import views as account
from django.http import HttpRequest, HttpResponse

from mailboxes.models import User
from responders.drafting import writing


def sign_out(request: HttpRequest) -> HttpResponse:
    """As allauth does it; what was typed in this session and not saved goes, too."""
    if request.method == "POST" and isinstance(request.user, User):
        writing.forget_session(request.user, request.session.session_key)
    response: HttpResponse = account.logout(request)
    return response
