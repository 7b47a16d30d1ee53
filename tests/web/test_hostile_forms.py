"""Every form that a page shows, filled in by somebody who is signed in and means harm: no answer is a 500, nothing
leads away from the panel, and nothing that was typed stands in a page as markup.

`make security` sends more of it (HOSTILE=all): each value into each field alone, too.
"""

import io
import os
import re
import zipfile
from collections.abc import Iterator
from http.cookies import SimpleCookie
from urllib.parse import urlsplit

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client
from django.urls import get_resolver

from tests.web.forms_found import FoundForm, forms_of
from tests.web.test_who_may_open_what import World, addresses, asked, taken_back, world

__all__ = ["world"]  # the fixture

EVERYTHING = os.environ.get("HOSTILE") == "all"
MARK = "<script>alert(1)</script>"
HARM = [
    f"'\"><svg onload=alert(1)>{MARK}{{{{ 7 * 7 }}}}{{% for a in b %}}",
    "a\x00b\r\nBcc: victim@example.com\r\n\r\nhello",
    "99999999999999999999999999",
    "żółw\u202e\ufffe🙈" * 5_000,
    "2026-02-30T25:61",
    "//evil.example/",
]
MORE_HARM = [
    "", " ", "-1", "0", "1e309", "NaN", "\ud7ff", "%00%0a", "%s%n{0}{x!r}", "../../../../etc/passwd", "None", "[]",
    '{"a": [', "a" * 1_000_000, "(" * 10_000, "a@" * 10_000, "@", "\\" * 999, "9999-12-31T23:59:59", "0001-01-01",
    "'; DROP TABLE mailboxes_mailbox; --", "=cmd|' /C calc'!A0", "<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]>",
]  # fmt: skip
# What would end the crawl itself: the session, or the way back into it.
NOT_SENT = {"/logout/", "/account/devices/end-others/"}
# Fields that lead a hostile form past the front door.
KEPT = ("csrfmiddlewaretoken", "TOTAL_FORMS", "INITIAL_FORMS", "MIN_NUM_FORMS", "MAX_NUM_FORMS")


def bomb() -> bytes:
    """Ten megabytes of nothing in ten kilobytes."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", b"\0" * 10_000_000)
    return made.getvalue()


FILES = [
    b"", bomb(), b"\x00\xff\xfe" * 1_000, b"BEGIN:VCALENDAR\r\n" + b"BEGIN:VEVENT\r\n" * 3_000,
    b'address,subject\r\n"' + b"a," * 100_000, MARK.encode() + b"\r\nSubject: x\r\n\r\n",
]  # fmt: skip


def fillings(form: FoundForm) -> Iterator[dict[str, object]]:
    """What is sent: harm in every field at once; where everything is asked for, in each alone."""
    harm = HARM + MORE_HARM if EVERYTHING else HARM
    for number, value in enumerate(harm):
        typed: dict[str, object] = {
            name: there if name.endswith(KEPT) else [value] for name, there in form.values.items()
        }
        yield typed | upload(form, number)
    yield {name: there * 2 for name, there in form.values.items()} | upload(form, 0)
    yield {}
    if EVERYTHING:
        for name in form.values:
            for number, value in enumerate(harm):
                yield {**form.values, name: [value]} | upload(form, number)


def upload(form: FoundForm, number: int) -> dict[str, object]:
    content = FILES[number % len(FILES)]
    return {name: SimpleUploadedFile("../a\r\n.csv", content, "text/csv") for name in form.files}


def pages(client: Client, world: World, role: str) -> Iterator[tuple[str, HttpResponse]]:
    has_administration = world.people[role].is_staff  # nobody else: WANTED, where they are asked to sign in
    for name, route in addresses(get_resolver()):
        if name.endswith(("csv", "ics", "file")) or name in {"healthz", "metrics", "admin:jsi18n"}:
            continue
        if name.startswith("admin:") and not has_administration:
            continue
        path = asked(world, name, route)
        answer = client.get(path)
        if answer.status_code == 200 and "html" in answer.headers["Content-Type"]:
            yield path, answer


def has_seen(form: FoundForm, seen: set[tuple[object, ...]]) -> bool:
    """Whether such a form was sent already: the one for the language stands on every page."""
    key = (re.sub(r"\d+", "0", urlsplit(form.action).path), form.method, *sorted(form.values))
    seen.add(key) if (known := key in seen) is False else None
    return known or urlsplit(form.action).path in NOT_SENT


@pytest.mark.parametrize("role", ["owner", "company", "support", "admin"])
@pytest.mark.usefixtures("a_quiet_log")
def test_no_form_is_too_badly_filled_in(world: World, role: str) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(world.people[role])
    cookies = {name: one.value for name, one in client.cookies.items()}
    seen: set[tuple[object, ...]] = set()
    troubles, sent = [], 0
    for path, page in pages(client, world, role):
        for form in forms_of(page.content.decode(), path):
            if has_seen(form, seen) or urlsplit(form.action).netloc:
                continue
            for typed in fillings(form):
                client.cookies = SimpleCookie(cookies)
                with taken_back():
                    answer = (client.get if form.method == "get" else client.post)(form.action, typed)
                sent += 1
                if trouble := wrong_with(answer):
                    troubles.append(f"{path}: {form.method} {form.action} {str(typed)[:200]}: {trouble}")
    assert not troubles, "\n".join(troubles)
    assert sent > 100


def wrong_with(answer: HttpResponse) -> str:
    """What no answer may be, or have."""
    if answer.status_code >= 500:
        return str(answer.status_code)
    where = answer.headers.get("Location", "")
    if urlsplit(where).netloc or where.startswith("//") or "\\" in where:
        return f"leads to {where}"
    if not answer.streaming and MARK.encode() in answer.content and "html" in answer.headers["Content-Type"]:
        return "stands in the page as it was typed"
    return ""
