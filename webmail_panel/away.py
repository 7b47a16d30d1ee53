"""What a visitor sees of a request that failed: that the database is away, or that something broke."""

import sys

import psycopg
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views.decorators.csrf import requires_csrf_token
from django.views.defaults import server_error

from webmail_panel.middleware import CONTENT_SECURITY_POLICY

SECONDS_TO_COME_AGAIN = 30
# Of an error that the server itself told (PostgreSQL's manual, appendix A): it has no room for one more, or it goes
# down or comes up. Other errors that it tells are of the question.
TOLD_AWAY = {"53300", "57P01", "57P02", "57P03"}


@requires_csrf_token
def handler500(request: HttpRequest) -> HttpResponse:
    """503 and when to come again, while the database is away; else 500."""
    if not is_database_away(sys.exc_info()[1]):
        return server_error(request)
    page = HttpResponse(render_to_string("503.html"), status=503)
    # What failed was mostly the first look at who is there, and the middleware behind it never came to its turn.
    page.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    page.headers["Retry-After"] = str(SECONDS_TO_COME_AGAIN)
    page.headers["Cache-Control"] = "no-store"
    return page


def is_database_away(error: BaseException | None) -> bool:
    """Whether time mends it: no connection, or one that was lost or given up."""
    cause = error.__cause__ if isinstance(error, OperationalError | InterfaceError) else None
    if isinstance(cause, psycopg.InterfaceError):
        return True
    return isinstance(cause, psycopg.OperationalError) and (cause.sqlstate is None or cause.sqlstate in TOLD_AWAY)
