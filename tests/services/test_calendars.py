"""Calendars: a window from a stranger's file, and the feed."""

import contextlib
import time
from datetime import UTC, datetime

import icalendar
import pytest
from django.utils import timezone

from mailboxes.models import Mailbox, User
from mailboxes.services import give_password
from responders import calendars
from responders.models import CalendarFeed, Responder

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)


def ics(*events: str) -> bytes:
    body = "".join(f"BEGIN:VEVENT\r\nUID:1\r\n{event}\r\nEND:VEVENT\r\n" for event in events)
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{body}END:VCALENDAR\r\n".encode()


def window(*events: str) -> tuple[str, str]:
    found = calendars.window_from_file(ics(*events), "Europe/Warsaw", NOW)
    return f"{found.start:%Y-%m-%d %H:%M}", f"{found.end:%Y-%m-%d %H:%M}"


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        # All day: from midnight to the midnight after the last day (DTEND is exclusive).
        ("DTSTART;VALUE=DATE:20261224\r\nDTEND;VALUE=DATE:20270102", ("2026-12-24 00:00", "2027-01-02 00:00")),
        ("DTSTART;VALUE=DATE:20261224", ("2026-12-24 00:00", "2026-12-25 00:00")),
        ("DTSTART:20261224T160000Z\r\nDTEND:20270104T070000Z", ("2026-12-24 17:00", "2027-01-04 08:00")),
        ("DTSTART;TZID=Europe/London:20261224T160000\r\nDTEND;TZID=Europe/London:20261224T170000",
         ("2026-12-24 17:00", "2026-12-24 18:00")),
        ("DTSTART:20261224T160000\r\nDURATION:P1DT2H", ("2026-12-24 16:00", "2026-12-25 18:00")),
        # Over a change of the clock: each end by the offset of its own day.
        ("DTSTART:20270327T120000Z\r\nDTEND:20270329T120000Z", ("2027-03-27 13:00", "2027-03-29 14:00")),
    ],
)  # fmt: skip
def test_the_window_is_in_the_mailboxs_zone(event: str, expected: tuple[str, str]) -> None:
    assert window(event) == expected


def test_the_next_one_that_is_not_over_is_taken() -> None:
    past, next_one, later = (
        f"DTSTART:{day}T080000Z\r\nDTEND:{day}T100000Z" for day in ("20260101", "20261210", "20270101")
    )
    assert window(later, past, next_one)[0].startswith("2026-12-10")
    found = calendars.window_from_file(ics(later, past, next_one), "Europe/Warsaw", NOW)
    assert found.others == 2
    assert window(past)[0].startswith("2026-01-01")


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\x00\xff\xfe", b"hello", b"BEGIN:VCALENDAR", ics(), ics("SUMMARY:no dates"),
        ics("DTSTART:20261299T990000Z\r\nDTEND:x"), ics("DTSTART:20261224T160000Z\r\nDTEND:20261224T160000Z"),
        ics("DTSTART:20261225T160000Z\r\nDTEND:20261224T160000Z"),
        b"BEGIN:VCALENDAR\r\n" + b"BEGIN:VEVENT\r\n" * 3_000,
        b"BEGIN:VEVENT\r\n" * 1_900, b"x" * (calendars.MAX_OCTETS + 1), "DTSTART:żółw".encode("utf-16"),
        ics("DTSTART;TZID=Nowhere/Land:20261224T160000\r\nRRULE:FREQ=SECONDLY;COUNT=999999999"),
        b"BEGIN:VCALENDAR\r\n" + b"A:b\r\n" * 50_000 + b"END:VCALENDAR\r\n",
        ics("DTSTART" + ";X=1" * 20_000 + ":20261224"),
    ],
)  # fmt: skip
def test_no_file_is_too_strange(content: bytes) -> None:
    began = time.process_time()
    with contextlib.suppress(calendars.NoWindow):
        calendars.window_from_file(content, "Europe/Warsaw", NOW)
    assert time.process_time() - began < 10  # a guard against work in the square of the size, not a measure


def test_the_feed_has_the_absences_and_no_texts(mailbox: Mailbox, anna: User) -> None:
    common = {"mailbox": mailbox, "subject": "Tajny temat", "text_body": "Tajna treść", "type": "absence"}
    made = Responder.objects.create(
        position=0, from_date=datetime(2026, 12, 24, 17), from_utc=datetime(2026, 12, 24, 16, tzinfo=UTC),
        to_date=datetime(2027, 1, 4, 8), to_utc=datetime(2027, 1, 4, 7, tzinfo=UTC), **common,
    )  # fmt: skip
    Responder.objects.create(position=1, is_enabled=False, **common)
    Responder.objects.create(position=2, **common | {"type": "standing"})
    anna.language = "pl"
    content = calendars.feed(anna, NOW)
    assert "Tajn" not in content.decode()
    assert max(len(line) for line in content.split(b"\r\n")) <= 75
    [event] = icalendar.Calendar.from_ical(content).walk("VEVENT")
    assert (event["uid"], event["summary"]) == (f"responder-{made.pk}@panel.example", "Anna Nowak – nieobecność")
    assert (event["dtstart"].dt, event["dtend"].dt) == (made.from_utc, made.to_utc)


def test_an_absence_without_an_end_goes_on(mailbox: Mailbox, anna: User) -> None:
    Responder.objects.create(
        mailbox=mailbox, type="absence", subject="x", from_date=datetime(2026, 11, 1, 8),
        from_utc=datetime(2026, 11, 1, 7, tzinfo=UTC),
    )  # fmt: skip
    [event] = icalendar.Calendar.from_ical(calendars.feed(anna, NOW)).walk("VEVENT")
    assert event["dtend"].dt > NOW
    assert "no end set" in event["summary"]


def test_the_secret_ends_when_somebody_else_sets_the_password(mailbox: Mailbox, anna: User) -> None:
    """Whoever knew the old one may have made it. Another person's goes on, and so does hers when she changes it."""
    other = User.objects.create_user("ewa@firma.example")
    first, hers = calendars.make_feed(anna), calendars.make_feed(other)
    anna.set_password("another one of her own")
    anna.save()
    assert calendars.person_of_feed(first) == anna
    give_password(mailbox, now=timezone.now(), actor=None)
    assert calendars.person_of_feed(first) is None
    assert not calendars.has_feed(anna)
    assert calendars.person_of_feed(hers) == other
    second = calendars.make_feed(anna)
    assert calendars.has_feed(anna)
    assert calendars.person_of_feed(second) == anna
    assert calendars.person_of_feed(first) is None


def test_a_secret_from_before_its_age_was_kept_ends_then_too(mailbox: Mailbox, anna: User) -> None:
    token = calendars.make_feed(anna)
    CalendarFeed.objects.update(made_at=None)
    assert calendars.person_of_feed(token) == anna
    give_password(mailbox, now=timezone.now(), actor=None)
    assert calendars.person_of_feed(token) is None


def test_the_secret_is_kept_as_a_hash_and_a_new_one_replaces_it(anna: User) -> None:
    first = calendars.make_feed(anna)
    assert first not in str(CalendarFeed.objects.values())
    assert calendars.person_of_feed(first) == anna
    second = calendars.make_feed(anna)
    assert calendars.person_of_feed(first) is None
    assert calendars.person_of_feed(second) == anna
    User.objects.update(is_active=False)
    assert calendars.person_of_feed(second) is None
    calendars.end_feed(anna)
    assert calendars.person_of_feed("") is None
