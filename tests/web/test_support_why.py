"""Why was there no reply? From what a caller knows to what can be said; notes, and what needs attention."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from mailboxes.models import Alias, Customer, Mailbox, User
from responders import tasks
from responders.models import DailyCount, Decision, HookSign, Responder, StaffNote
from responders.services import By, database_now, switch
from responders.support import attention, support_why

HEADER = """Return-Path: <jan@klient.example>
Received: from mx.klient.example by mx.firma.example; Tue, 1 Dec 2026 10:00:02 +0100
From: =?utf-8?q?Jan_=C5=BB=C3=B3=C5=82w?= <jan@klient.example>
To: Kto inny <x@gdzie.example>,
 "Nowak, Anna" <Anna@FIRMA.example>
Subject: Pytanie
Date: Tue, 1 Dec 2026 10:00:00 +0100
Message-ID: <abc@klient.example>
"""
THEN = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _english(as_support: Client) -> None:
    as_support.cookies["django_language"] = "en"


def ask(client: Client, **values: str) -> str:
    answer = client.post(reverse("support_why"), values, headers={"Accept-Language": "en"})
    assert answer.status_code == 200, answer.content.decode()
    return answer.content.decode()


def decide(mailbox: Mailbox, **values: Any) -> Decision:
    told = {"decided_at": THEN, "reverse_path": "jan@klient.example", "forward_path": mailbox.address, "reason": "spam"}
    return Decision.objects.create(mailbox=mailbox, **told | values)


def test_a_pasted_header_says_who_to_whom_and_when(mailbox: Mailbox) -> None:
    asked = support_why.read_header(HEADER.replace("\n", "\r\n"))
    assert (asked.sender, asked.recipient) == ("jan@klient.example", "anna@firma.example")
    assert (asked.message_id, asked.at) == ("<abc@klient.example>", THEN)


@pytest.mark.parametrize("header", ["", "x", "\0\0", "Date: never\nTo: ,,,\nFrom: @", "To: " + "a@b," * 20_000])
def test_a_header_that_is_none_does_no_harm(mailbox: Mailbox, header: str) -> None:
    assert support_why.read_header(header).message_id == ""


def test_what_was_typed_and_what_was_found_are_in_the_same_zone(
    as_support: Client, mailbox: Mailbox, support: User
) -> None:
    decide(mailbox)
    page = ask(as_support, sender="jan@klient.example", at="2026-12-01T09:30")
    assert "1 December 2026, 09:30 CET" in page
    assert "1 December 2026, 10:00 CET" in page
    silent = ask(as_support, sender="jan@klient.example", recipient=mailbox.address, at="2026-11-01T09:30")
    assert "was on at Sun, 1 Nov 2026, 09:30 (Warsaw time)" in silent
    Mailbox.objects.create(domain=mailbox.domain, local_part="pomoc", owner=support, time_zone="Europe/London")
    page = ask(as_support, sender="jan@klient.example", at="2026-12-01T09:30")
    assert "1 December 2026, 09:30 GMT" in page
    assert "1 December 2026, 09:00 GMT" in page


def test_the_decision_is_found_by_its_message_id(as_support: Client, mailbox: Mailbox) -> None:
    row = decide(mailbox, message_id="<abc@klient.example>", reverse_path="bounce+1@klient.example")
    page = ask(as_support, header=HEADER)
    assert reverse("support_message", args=[row.pk]) in page
    assert reverse("support_message", args=[row.pk]) in ask(as_support, message_id="abc@klient.example")


def test_the_decision_is_found_by_sender_and_time(as_support: Client, mailbox: Mailbox) -> None:
    row, other = decide(mailbox), decide(mailbox, decided_at=THEN - timedelta(days=5))
    page = ask(as_support, sender="Jan@klient.example", at="2026-12-01T11:00")
    assert reverse("support_message", args=[row.pk]) in page
    assert reverse("support_message", args=[other.pk]) not in page


@pytest.mark.parametrize(
    ("recipient", "words"),
    [
        ("x@gdzie.example", "not a domain of ours"), ("nikt@firma.example", "neither a mailbox nor an alias"),
        ("pusty@firma.example", "leads to none of our mailboxes"), ("anna@firma.example", "No autoresponder of"),
        ("", "To whom was it written?"),
    ],
)  # fmt: skip
def test_what_never_came_is_explained(as_support: Client, mailbox: Mailbox, recipient: str, words: str) -> None:
    Alias.objects.create(domain=mailbox.domain, local_part="pusty")
    assert words in ask(as_support, sender="jan@klient.example", recipient=recipient)


def test_a_closed_domain_is_named_first(as_support: Client, standing_reply: Responder) -> None:
    standing_reply.mailbox.domain.is_active = False
    standing_reply.mailbox.domain.save()
    assert "receives no mail here" in ask(as_support, sender="jan@klient.example", recipient="anna@firma.example")


def test_the_rules_speak_of_the_pasted_header(as_support: Client, standing_reply: Responder) -> None:
    page = ask(as_support, header=HEADER + "List-Id: <wiesci.klient.example>\n")
    assert "An autoresponder of anna@firma.example is on" in page
    assert "List-Id" in page


def test_what_was_changed_since_is_said(as_support: Client, standing_reply: Responder, support: User) -> None:
    switch(standing_reply, on=False, actor=By(support, "x"), now=database_now())
    yesterday = f"{database_now() - timedelta(days=1):%Y-%m-%dT%H:%M}"
    page = ask(as_support, sender="jan@klient.example", recipient="anna@firma.example", at=yesterday)
    assert "were changed since" in page


def test_postfix_log_is_read_where_it_can_be(
    as_support: Client, mailbox: Mailbox, settings: Settings, tmp_path: Path
) -> None:
    log = tmp_path / "mail.log"
    log.write_text(
        "Dec  1 10:00:02 mx postfix/cleanup[7]: 4XYZ123456: message-id=<abc@klient.example>\n"
        "Dec  1 10:00:02 mx postfix/qmgr[8]: 4XYZ123456: from=<jan@klient.example>, size=500\n"
        "Dec  1 10:00:02 mx postfix/qmgr[8]: 5AAAAAAAAA: from=<ola@klient.example>, size=500\n"
        "Dec  1 10:00:03 mx postfix/lmtp[9]: 4XYZ123456: to=<anna@firma.example>, status=sent\n"
    )
    settings.MAIL_LOG = str(log)
    page = ask(as_support, header=HEADER)
    assert "status=sent" in page
    assert "5AAAAAAAAA" not in page
    settings.MAIL_LOG = str(tmp_path / "nothing")
    assert "cannot be read" in ask(as_support, header=HEADER)


@pytest.mark.parametrize(
    "values", [{}, {"sender": "kto to"}, {"recipient": "anna@firma.example"}, {"header": "x" * 100_001}]
)
def test_too_little_to_go_on_is_said_beside_the_field(as_support: Client, values: dict[str, str]) -> None:
    assert as_support.post(reverse("support_why"), values).status_code == 422


# --- Notes ---


@pytest.mark.parametrize("kind", ["mailbox", "customer"])
def test_staff_note_and_take_their_own_note_away(
    as_support: Client, mailbox: Mailbox, kind: str, client: Client
) -> None:
    customer = Customer.objects.create(name="Firma", number="1")
    pk = mailbox.pk if kind == "mailbox" else customer.pk
    path = reverse("support_note", args=[kind, pk])
    page = reverse("mailbox", args=[pk]) if kind == "mailbox" else reverse("support_customer", args=[pk])
    as_support.post(path, {"text": "Dzwonić <b>po</b> 15\nto pilne"})
    shown = as_support.get(page).content.decode()
    assert "Dzwonić &lt;b&gt;po&lt;/b&gt; 15<br>to pilne" in shown
    note = StaffNote.objects.get()
    StaffNote.objects.update(author=None)
    as_support.post(path, {"remove": note.pk})
    assert StaffNote.objects.exists()  # somebody else's
    StaffNote.objects.update(author=User.objects.get(email="pomoc@hosting.example"))
    as_support.post(path, {"remove": note.pk})
    assert not StaffNote.objects.exists()
    as_support.post(path, {"text": " \0 "})
    assert not StaffNote.objects.exists()


def test_the_owner_sees_no_notes(as_anna: Client, mailbox: Mailbox) -> None:
    StaffNote.objects.create(mailbox=mailbox, text="tajne")
    assert "tajne" not in as_anna.get(reverse("mailbox", args=[mailbox.pk])).content.decode()


# --- What needs attention ---


def test_decisions_are_counted_by_day_and_reason(
    as_support: Client, mailbox: Mailbox, database_clock: Callable[[datetime | None], None]
) -> None:
    now = datetime(2026, 12, 2, 0, 30, tzinfo=UTC)
    database_clock(now)
    for days, reason in ((0, "replied"), (1, "spam"), (1, "spam"), (5, "replied")):
        decide(mailbox, decided_at=now - timedelta(days=days, minutes=10), reason=reason)
    DailyCount.objects.create(day="2026-11-26", reason="replied", decisions=40)
    DailyCount.objects.create(day="2025-01-01", reason="replied", decisions=40)
    for _twice in range(2):
        tasks.count_decisions()
    counted = {(f"{row.day}", row.reason): row.decisions for row in DailyCount.objects.all()}
    assert counted == {("2026-12-02", "replied"): 1, ("2026-12-01", "spam"): 2, ("2026-11-26", "replied"): 40}
    chart = attention.chart(now.date())
    assert (chart.answered, chart.silent) == (41, 2)
    page = as_support.get(reverse("support_attention")).content.decode()
    assert 'class="bar-answered"' in page


def test_a_hook_that_fell_silent_is_named(as_support: Client, mailbox: Mailbox) -> None:
    cache.set("beat-alive", True, timeout=60)
    now = database_now()
    path = reverse("support_attention")
    assert "No delivery hook" in as_support.get(path).content.decode()
    HookSign.objects.create(host="hook1", at=now, oldest_copy=3_600)
    HookSign.objects.create(host="hook2", at=now - timedelta(minutes=5))
    HookSign.objects.create(host="gone", at=now - timedelta(days=8))
    page = as_support.get(path).content.decode()
    assert "hook2 was last heard of" in page
    assert "60 minutes old" in page
    assert "gone" not in page
    assert "No periodic task" not in page
    cache.delete("beat-alive")
    assert "No periodic task" in as_support.get(path).content.decode()
