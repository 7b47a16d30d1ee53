"""What owners are told by mail: once, in their language, and only what they want to hear."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.core import mail, signing
from pytest_django import Settings

from mailboxes import hosting
from mailboxes.deletion import deleted_domains
from mailboxes.models import Mailbox, SendingStop, User
from responders import notices, services
from responders.models import Decision, DrawnBrake, Responder, ResponderEvent
from tests import refusing_mail
from tests.services.test_responders import ABSENCE, END, NOW, START

MINUTE = timedelta(minutes=1)
EVENING = datetime(2027, 1, 3, 17, 0, tzinfo=UTC)  # 18:00 in Warsaw, the day before the end


@pytest.fixture
def absence(mailbox: Mailbox) -> Responder:
    return services.save_responder(mailbox, ABSENCE, actor=None, now=NOW)


def told(now: datetime) -> list[str]:
    """The subjects of what is sent when the worker runs at that moment, transitions first."""
    mail.outbox.clear()
    services.apply_due_transitions(now)
    notices.send_due(now)
    return [letter.subject for letter in mail.outbox]


def test_an_absence_tells_its_start_its_last_evening_and_its_end(absence: Responder) -> None:
    found = {moment: told(moment) for moment in (START - MINUTE, START, EVENING - MINUTE, EVENING, END - MINUTE, END)}
    assert found == {
        START - MINUTE: [],
        START: ["Autoresponder jest włączony"],
        EVENING - MINUTE: [],
        EVENING: ["Autoresponder kończy się jutro"],
        END - MINUTE: [],
        END: ["Autoresponder się zakończył"],
    }
    assert told(END + MINUTE) == []


@pytest.mark.parametrize("what", ["mailbox", "domain"])
def test_nobody_is_told_of_what_was_deleted_and_of_what_came_back_they_are(absence: Responder, what: str) -> None:
    mailbox = absence.mailbox
    if what == "mailbox":
        hosting.delete_mailbox(mailbox, now=NOW, actor=None)
    else:
        deleted_domains.delete_domain(mailbox.domain, now=NOW, actor=None)
    assert told(START) == []
    if what == "mailbox":
        hosting.restore_mailbox(mailbox, actor=None)
    else:
        deleted_domains.restore_domain(mailbox.domain, actor=None)
    assert told(START + MINUTE) == ["Autoresponder jest włączony"]


def test_a_notice_is_for_the_owner_and_answered_by_nobody(absence: Responder) -> None:
    told(START)
    [letter] = mail.outbox
    assert letter.to == ["anna@firma.example"]
    assert letter.message()["Auto-Submitted"] == "auto-generated"
    assert "Od teraz „Auto: …” odpowiada za skrzynkę anna@firma.example, od czw." in letter.body
    [link] = re.findall(r"https://testserver/end/(\S+)/", letter.body)
    assert notices.responder_of(link) == absence


def test_english_owners_read_english(absence: Responder) -> None:
    Mailbox.objects.update(language="en")
    assert told(START) == ["Your autoresponder is on"]


@pytest.mark.parametrize(
    ("field", "moment"), [("notify_started", START), ("notify_ending", EVENING), ("notify_ended", END)]
)
def test_each_can_be_switched_off(absence: Responder, field: str, moment: datetime) -> None:
    for other in (START, EVENING):
        if other < moment:
            told(other)
    Mailbox.objects.update(**{field: False})
    assert told(moment) == []


def test_the_end_tells_whom_it_answered_and_whom_not(absence: Responder) -> None:
    told(START)
    for sender, reason in [
        ("jan@x.example", "replied"), ("jan@x.example", "replied"), ("ola@x.example", "replied"),
        ("news@x.example", "list-or-bulk"), ("news@x.example", "list-or-bulk"), ("x@x.example", "a-word-of-old"),
    ]:  # fmt: skip
        Decision.objects.create(
            mailbox=absence.mailbox, decided_at=START + MINUTE, reverse_path=sender, forward_path="x", reason=reason
        )
    Decision.objects.create(
        mailbox=absence.mailbox, decided_at=END, reverse_path="late@x.example", forward_path="x", reason="replied"
    )
    told(END)
    body = mail.outbox[0].body
    assert "Odpowiedział 2 osobom:\n  jan@x.example (2×)\n  ola@x.example\n" in body
    assert "  2× Wiadomość pochodzi z listy" in body
    assert "late@x.example" not in body


def test_old_news_is_none(absence: Responder) -> None:
    services.apply_due_transitions(START)
    assert told(START + timedelta(days=1, minutes=1)) == []


def test_an_absence_shorter_than_its_last_evening_needs_no_reminder(mailbox: Mailbox) -> None:
    start = datetime(2026, 12, 24, 20, 0)
    values = replace(ABSENCE, from_date=start, to_date=start + timedelta(hours=12))
    services.save_responder(mailbox, values, actor=None, now=NOW)
    assert told(datetime(2026, 12, 24, 19, 0, tzinfo=UTC)) == ["Autoresponder jest włączony"]
    assert told(datetime(2026, 12, 25, 6, 0, tzinfo=UTC)) == []


def test_without_an_end_it_asks_every_two_weeks(mailbox: Mailbox) -> None:
    values = replace(ABSENCE, from_date=None, to_date=None, text_body="x")
    row = services.save_responder(mailbox, values, actor=None, now=NOW)
    days = [13, 14, 15, 28]
    asked = [len(told(NOW + timedelta(days=number))) for number in days]
    assert asked == [0, 1, 0, 1]
    assert "nie ma daty zakończenia" in mail.outbox[0].body
    services.switch(row, on=False, actor=None, now=NOW + timedelta(days=29))
    assert told(NOW + timedelta(days=42)) == []


def test_a_standing_reply_is_meant_to_stay(mailbox: Mailbox) -> None:
    values = replace(ABSENCE, type="standing", text_body="x")
    services.save_responder(mailbox, values, actor=None, now=NOW)
    assert told(NOW + timedelta(days=30)) == []


def test_what_could_not_be_sent_is_sent_later(absence: Responder, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        raise ConnectionRefusedError

    services.apply_due_transitions(START)
    with monkeypatch.context() as patched:
        patched.setattr(notices, "send", refuse)
        with pytest.raises(ConnectionRefusedError):
            notices.send_due(START)
    assert told(START + MINUTE) == ["Autoresponder jest włączony"]


@pytest.fixture
def full(settings: Settings) -> Iterator[set[str]]:
    """Addresses that take no mail."""
    settings.EMAIL_BACKEND, settings.STAFF_NOTICES = refusing_mail.BACKEND, ["staff@hosting.example"]
    yield refusing_mail.full
    refusing_mail.full.clear()


@pytest.fixture
def ewa(mailbox: Mailbox) -> Mailbox:
    return Mailbox.objects.create(domain=mailbox.domain, local_part="ewa", language="pl")


def test_a_full_mailbox_keeps_no_other_notice_waiting(absence: Responder, ewa: Mailbox, full: set[str]) -> None:
    services.save_responder(ewa, ABSENCE, actor=None, now=NOW)
    full.add("anna@firma.example")
    told(START)
    assert [letter.to for letter in mail.outbox] == [["ewa@firma.example"]]
    full.clear()
    told(START + MINUTE)
    assert [letter.to for letter in mail.outbox] == [["anna@firma.example"]]


def test_staff_hears_of_a_stop_and_of_a_brake_whatever_the_owners_mailbox_takes(
    mailbox: Mailbox, ewa: Mailbox, full: set[str]
) -> None:
    for one in (mailbox, ewa):
        SendingStop.objects.create(mailbox=one, recipients=300, hours=1, stopped_at=NOW, last_at=NOW)
        DrawnBrake.objects.create(
            key=f"m{one.pk}", mailbox=one, is_of_domain=False, replies_per_hour=9, drawn_at=NOW, last_at=NOW
        )
    full.add("anna@firma.example")
    assert (notices.tell_of_stopped_senders(), notices.tell_of_drawn_brakes()) == (2, 2)
    heard = sorted(one for letter in mail.outbox for one in letter.to)
    assert heard == ["ewa@firma.example"] * 2 + ["staff@hosting.example"] * 4


def test_the_links_of_one_owner_are_void_for_the_next(absence: Responder) -> None:
    event = ResponderEvent.objects.create(mailbox=absence.mailbox, kind="edited", at=NOW, reason="bo tak")
    end, undo = (link.rstrip("/").rpartition("/")[2] for link in (notices.end_link(absence), notices.undo_link(event)))
    assert (notices.responder_of(end), notices.event_of(undo)) == (absence, event)
    Mailbox.objects.update(owner=User.objects.create_user("nowy@firma.example"))
    assert (notices.responder_of(end), notices.event_of(undo)) == (None, None)
    of_earlier_versions = (
        signing.dumps([absence.pk, absence.activation], salt=notices.END_SALT),
        signing.dumps(event.pk, salt=notices.UNDO_SALT),
    )
    assert notices.responder_of(of_earlier_versions[0]) == absence
    assert notices.event_of(of_earlier_versions[1]) == event


def test_a_link_ends_the_activation_it_was_sent_in_and_no_other(absence: Responder) -> None:
    token = notices.end_link(absence).rstrip("/").rpartition("/")[2]
    assert notices.responder_of(token) == absence
    assert notices.responder_of(token + "x") is None
    services.answer_everyone_again(absence, actor=None, now=NOW)
    assert notices.responder_of(token) is None
