"""The pages that are shown when everything else may have failed. These tests have no database: nothing may ask it."""

import re
from pathlib import Path

import psycopg
import pytest
from django.db import OperationalError
from django.http import HttpResponse
from django.test import RequestFactory

from webmail_panel.away import handler500

STATIC = Path(__file__).resolve().parents[2] / "static"


def page_about(error: Exception) -> HttpResponse:
    """As Django makes it: while the error is handled, by a request that nobody signed in has."""
    try:
        raise error
    except type(error):
        return handler500(RequestFactory().get("/"))


def away() -> OperationalError:
    error = OperationalError("no connection")
    error.__cause__ = psycopg.OperationalError("no connection")
    return error


@pytest.mark.parametrize(
    ("error", "status", "polish", "english"),
    [
        (ValueError("planted"), 500, "Coś poszło nie tak", "Something went wrong"),
        (away(), 503, "Zaraz wracamy", "Back in a moment"),
    ],
    ids=["500", "503"],
)
def test_it_stands_without_the_rest_in_both_languages(error: Exception, status: int, polish: str, english: str) -> None:
    page = page_about(error)
    assert page.status_code == status
    shown = page.content.decode()
    for heading, way in ((polish, "Do moich skrzynek"), (english, "To my mailboxes")):
        assert re.search(rf"<h1>{heading}</h1>\s*<p>[^<]{{40,}}</p>\s*<p><a href=\"/\">{way}</a></p>", shown)
    assert len(re.findall("<h1>", shown)) == 2
    named = re.findall(r'(?:href|src)="/static/([^"]+)"', shown)
    assert len(named) == 4
    assert all((STATIC / name).is_file() for name in named)
    assert "{" not in shown
