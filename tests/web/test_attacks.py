"""What is tried against every web application, tried here: redirects, fields of mail, uploads, patterns."""

import gzip
import importlib
import pkgutil
import plistlib
import re
import time
from pathlib import Path
from types import ModuleType

import pytest
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

import mailboxes
import responders
from mailboxes import services as mailbox_services
from mailboxes.models import LogLine, Mailbox, User
from responders import notices
from responders.models import Responder, ResponderEvent
from responders.services import database_now
from tests.conftest import PASSWORD
from tests.web.test_acting import REASON, give_reason
from tests.web.test_hostile_forms import bomb
from tests.web.test_responder_form import TYPED, new

ELSEWHERE = [
    "https://evil.example/", "//evil.example/", "/\\evil.example/", "\\\\evil.example", "https:evil.example",
    "javascript:alert(1)", "http://testserver@evil.example/", "/\t/evil.example/", "///evil.example",
]  # fmt: skip


@pytest.mark.parametrize("address", ELSEWHERE)
def test_no_page_leads_elsewhere(client: Client, as_support: Client, mailbox: Mailbox, address: str) -> None:
    answers = [
        client.post(reverse("account_login"), {"login": "anna@firma.example", "password": PASSWORD, "next": address}),
        client.post(reverse("set_language"), {"language": "en", "next": address}),
        client.post(reverse("account_logout"), {"next": address}),
        as_support.post(reverse("acting", args=[mailbox.pk]) + f"?next={address}", {"reason": REASON}),
        as_support.post(reverse("acting", args=[mailbox.pk]), {"reason": REASON, "next": address}),
    ]
    for answer in answers:
        where = answer.headers.get("Location", "")
        assert answer.status_code == 302
        assert re.fullmatch(r"/(?![/\\])[\w/?=&%.-]*", where), where


def test_what_is_typed_makes_no_field_of_a_letter(
    as_support: Client, mailbox: Mailbox, standing_reply: Responder
) -> None:
    """A notice to the owner names the subject and the agent's reason; neither begins a line of the letter's head."""
    User.objects.filter(email="pomoc@hosting.example").update(name="Pomoc\r\nBcc: ofiara@example.com")
    give_reason(as_support, mailbox)
    edit = reverse("responder_edit", args=[standing_reply.pk])
    harm = TYPED | {"type": "standing", "version": standing_reply.version, "subject": "Hej\r\nBcc: ofiara@example.com"}
    as_support.post(edit, harm | {"from_date": "", "to_date": ""})
    assert ResponderEvent.objects.exists()
    assert notices.send_due(database_now()) == 1
    [letter] = mail.outbox
    assert letter.recipients() == ["anna@firma.example"]
    assert "Bcc" not in letter.message()
    standing_reply.refresh_from_db()
    assert not set(standing_reply.subject) & set("\r\n")


def test_a_name_makes_no_change_in_the_log_that_never_was(as_anna: Client, mailbox: Mailbox) -> None:
    name = "Anna; is_active: False → True; quota_mb: 5"
    mailbox_services.change_mailbox(mailbox, actor=None, name=name, language="en")
    line = LogLine.objects.get()
    assert line.words == "name: Anna Nowak → Anna, is_active: False -> True, quota_mb: 5; language: pl → en"
    assert "receives mail" not in line.sentence


def test_a_name_breaks_no_profile(as_anna: Client, mailbox: Mailbox) -> None:
    Mailbox.objects.filter(pk=mailbox.pk).update(name='An\x01na\x0b\r\n<Nowak> "&" ]]>')
    page = as_anna.get(reverse("mailbox_profile", args=[mailbox.pk]))
    [account] = plistlib.loads(page.content)["PayloadContent"]
    assert account["EmailAccountName"] == 'Anna<Nowak> "&" ]]>'


@pytest.mark.parametrize("content", [bomb(), gzip.compress(b"BEGIN:VCALENDAR\r\n" + b"A" * 50_000_000)])
def test_what_is_packed_is_not_unpacked(as_anna: Client, as_support: Client, mailbox: Mailbox, content: bytes) -> None:
    began = time.process_time()
    answers = [
        as_anna.post(reverse("try_it", args=[mailbox.pk]), {"file": SimpleUploadedFile("a.eml", content)}),
        as_anna.post(new(mailbox), TYPED | {"ics": SimpleUploadedFile("a.ics", content), "read_ics": "1"}),
        as_support.post(
            reverse("batch_new", args=["end"]), {"file": SimpleUploadedFile("a.csv", content), "types": ["absence"]}
        ),
        as_anna.generic("POST", new(mailbox), content, headers={"Content-Encoding": "gzip"}),
    ]
    assert {answer.status_code for answer in answers} <= {200, 302, 422}
    assert time.process_time() - began < 5  # a guard against work in the size of what is packed, not a measure


ENTITIES = """<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "{file}"><!ENTITY c "&b;&b;&b;">]>
<a xmlns="urn:ietf:params:xml:ns:icalendar-2.0">&c;</a>"""


def test_no_upload_is_read_as_xml(as_anna: Client, mailbox: Mailbox, tmp_path: Path) -> None:
    secret = "nobody outside this machine may read it"
    (tmp_path / "secret").write_text(secret, encoding="utf-8")
    harm = ENTITIES.format(file=(tmp_path / "secret").as_uri()).encode()
    for name, page in (("file", reverse("try_it", args=[mailbox.pk])), ("ics", new(mailbox))):
        answer = as_anna.post(page, TYPED | {name: SimpleUploadedFile("a.xml", harm, "text/xml"), "read_ics": "1"})
        assert answer.status_code in {200, 302, 422}
        assert secret not in answer.text


# --- Patterns ---


def patterns() -> dict[str, re.Pattern[str] | re.Pattern[bytes]]:
    """Every pattern that a module of ours keeps: module and name → pattern."""
    found = {}
    for package in (mailboxes, responders):
        for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if ".migrations" not in info.name and ".management" not in info.name:
                found |= of_module(importlib.import_module(info.name))
    return found


def of_module(module: ModuleType) -> dict[str, re.Pattern[str] | re.Pattern[bytes]]:
    return {f"{module.__name__}.{name}": value for name, value in vars(module).items() if isinstance(value, re.Pattern)}


PATTERNS = patterns()
PIECES = ["a", " ", "a ", "a.", "a@", "(", "()", '"', '\\"', "<", "=?", "=?utf-8?q?", "{{", "{% ", "\r\n ", "-", "1",
          "x=", "; ", ",", "List-Id: <", "\t ", "aA1_", "http://a.", "&#", "--"]  # fmt: skip


@pytest.mark.parametrize("name", PATTERNS)
def test_no_pattern_can_be_made_to_try_for_long(name: str) -> None:
    """Repeated pieces that nearly fit; a pattern that tries every way to cut them would not come to an end."""
    pattern = PATTERNS[name]
    began = time.process_time()
    for piece in PIECES:
        repeated = (piece * 2_000)[:2_000]
        for text in (f"{repeated}\x01", f"a{repeated}!", repeated):
            subject = text.encode() if isinstance(pattern.pattern, bytes) else text
            for ask in (pattern.search, pattern.match, pattern.fullmatch):
                ask(subject)  # type: ignore[arg-type]
    assert time.process_time() - began < 10  # a guard: one that tries every way would take years
