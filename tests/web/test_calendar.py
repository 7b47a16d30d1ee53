"""The calendar of absences, its feed, the picture on a mailbox's page, dates from a file."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from mailboxes.models import Delegation, Mailbox, User
from responders import services
from responders.models import Responder
from responders.services import database_now
from responders.validation import ResponderInput, as_input
from tests.services.test_calendars import ics
from tests.web.test_responder_form import TYPED, new


def away(mailbox: Mailbox, start: datetime, end: datetime | None, **more: Any) -> Responder:
    """A row that was written before it began, whatever the clock of this machine says."""
    row = Responder.objects.create(
        mailbox=mailbox, type="absence", subject="Urlop", text_body="x", from_date=start, to_date=end,
        from_utc=start.replace(tzinfo=UTC), to_utc=end and end.replace(tzinfo=UTC), **more,
    )  # fmt: skip
    Responder.objects.filter(pk=row.pk).update(created_at=start.replace(tzinfo=UTC) - timedelta(days=1))
    row.refresh_from_db()
    return row


def days(client: Client, **query: Any) -> dict[str, Any]:
    page = client.get(reverse("calendar"), query)
    assert page.status_code == 200
    return {f"{day.date:%m-%d}": day for day in page.context["days"]}


def test_a_month_shows_absences_and_days_off(as_anna: Client, mailbox: Mailbox) -> None:
    row = away(mailbox, datetime(2026, 12, 24, 17), datetime(2027, 1, 4))
    found = days(as_anna, month="2026-12")
    assert next(iter(found)) == "11-30"
    assert list(found)[-1] == "01-03"
    with_it = [name for name, day in found.items() if day.absences]
    assert with_it == [
        "12-24",
        "12-25",
        "12-26",
        "12-27",
        "12-28",
        "12-29",
        "12-30",
        "12-31",
        "01-01",
        "01-02",
        "01-03",
    ]
    assert [found["12-25"].holiday, found["12-27"].is_off, found["12-28"].is_off] == [
        "Christmas Day", True, False,
    ]  # fmt: skip
    assert found["12-24"].absences[0].start == row.from_date
    assert found["01-03"].absences[0].end == row.to_date  # midnight of the 4th: the 3rd is the last day
    page = as_anna.get(reverse("calendar"), {"month": "2026-12"}, headers={"accept-language": "pl"})
    assert "Boże Narodzenie" in page.text
    assert reverse("responder_edit", args=[row.pk]) in page.text


LEAVE = ResponderInput(
    type="absence", is_enabled=True, from_date=datetime(2020, 3, 2, 8), to_date=datetime(2020, 3, 13, 16),
    time_zone="Europe/Warsaw", subject="Urlop", text_body="Nie ma mnie.",
)  # fmt: skip


def utc(day: int, month: int = 3) -> datetime:
    return datetime(2020, month, day, 12, tzinfo=UTC)


@pytest.fixture
def past_leave(mailbox: Mailbox, anna: User) -> Responder:
    """Written at the end of February 2020, for twelve days of March."""
    row = services.save_responder(mailbox, LEAVE, actor=anna, now=utc(28, 2))
    Responder.objects.filter(pk=row.pk).update(created_at=utc(28, 2))  # the real clock's, otherwise
    row.refresh_from_db()
    return row


def days_away(client: Client) -> list[str]:
    return [name for name, day in days(client, month="2020-03").items() if day.absences]


def test_a_month_that_is_over_shows_what_was_on_then(as_anna: Client, anna: User, past_leave: Responder) -> None:
    services.switch(past_leave, on=False, actor=anna, now=utc(4))
    assert days_away(as_anna) == ["03-02", "03-03", "03-04"]
    found = days(as_anna, month="2020-03")
    assert [found[day].absences[0].end for day in ("03-03", "03-04")] == [None, datetime(2020, 3, 4, 13)]
    assert {found[day].absences[0].state.value for day in days_away(as_anna)} == {"ended"}


def test_a_row_that_is_used_again_leaves_the_month_before_as_it_was(
    as_anna: Client, mailbox: Mailbox, anna: User, past_leave: Responder
) -> None:
    again = replace(as_input(past_leave), from_date=datetime(2099, 12, 24), to_date=datetime(2099, 12, 31))
    services.save_responder(mailbox, again, actor=anna, now=utc(20), responder=past_leave)
    assert (days_away(as_anna)[0], days_away(as_anna)[-1]) == ("03-02", "03-13")
    assert days(as_anna, month="2099-12")["12-24"].absences[0].state.value == "scheduled"


def test_an_absence_that_was_deleted_stays_in_its_month_without_a_link(
    as_anna: Client, anna: User, past_leave: Responder
) -> None:
    address = reverse("responder_edit", args=[past_leave.pk])
    services.delete_responder(past_leave, actor=anna, now=utc(5))
    assert days_away(as_anna) == ["03-02", "03-03", "03-04", "03-05"]
    page = as_anna.get(reverse("calendar"), {"month": "2020-03"})
    assert address not in page.text
    assert "entry deleted" in page.text


def test_over_on_and_coming_are_told_apart_in_words_too(as_anna: Client, mailbox: Mailbox) -> None:
    away(mailbox, datetime(2020, 3, 2), datetime(2020, 3, 4))
    away(mailbox, datetime(2020, 3, 3), None, position=1)
    away(mailbox, datetime(2099, 12, 1), datetime(2099, 12, 3), position=2)
    assert [absence.state.value for absence in days(as_anna, month="2020-03")["03-03"].absences] == ["ended", "active"]
    page = as_anna.get(reverse("calendar"), {"month": "2099-12"}, headers={"accept-language": "pl"})
    for words in ("absence-active", "absence-scheduled", "(odpowiada teraz)", "(dopiero będzie)"):
        assert words in page.text


def test_mailboxes_of_others_never_appear(
    as_anna: Client, as_support: Client, mailbox: Mailbox, somebody_elses: Mailbox, anna: User
) -> None:
    away(somebody_elses, datetime(2026, 12, 10), datetime(2026, 12, 12))
    assert not days(as_anna, month="2026-12")["12-10"].absences
    assert as_anna.get(reverse("calendar"), {"mailbox": somebody_elses.pk}).status_code == 404
    assert not days(as_support, month="2026-12")["12-10"].absences
    assert days(as_support, month="2026-12", mailbox=somebody_elses.pk)["12-10"].absences
    Delegation.objects.create(mailbox=somebody_elses, user=anna)
    assert days(as_anna, month="2026-12")["12-10"].absences


@pytest.mark.parametrize(
    "query", [{"month": "2026-13"}, {"month": "x"}, {"month": "9999-01"}, {"month": "\u0662026-01"}]
)
def test_a_month_that_is_none_is_this_one(as_anna: Client, mailbox: Mailbox, query: dict[str, str]) -> None:
    assert as_anna.get(reverse("calendar"), query).status_code == 200


def test_it_asks_as_many_questions_for_many_as_for_one(as_anna: Client, mailbox: Mailbox, anna: User) -> None:
    def questions() -> int:
        with CaptureQueriesContext(
            connection,
        ) as asked:
            days(as_anna, month="2026-12")
        return len(asked)

    away(mailbox, datetime(2026, 12, 1), datetime(2026, 12, 3))
    days(as_anna)  # the first visit notes that there was one
    few = questions()
    for number in range(60):
        row = away(mailbox, datetime(2026, 12, 1 + number % 28), None, position=number + 1)
        services.switch(row, on=False, actor=anna, now=datetime(2026, 12, 29, tzinfo=UTC))
    assert questions() == few <= 12


def test_the_feed_is_read_without_signing_in_until_it_is_switched_off(as_anna: Client, mailbox: Mailbox) -> None:
    away(mailbox, datetime(2026, 12, 24, 17), datetime(2027, 1, 4, 8))
    page = as_anna.post(reverse("calendar_feed_settings"), {"make": "1"})
    assert page["Cache-Control"] == "no-store"
    address = page.context["address"]
    path = address[address.index("/calendar/") :]
    assert path not in as_anna.get(reverse("calendar_feed_settings")).text
    feed = Client().get(path)
    assert feed["Content-Type"] == "text/calendar; charset=utf-8"
    assert feed["Cache-Control"].startswith("private")
    assert feed.content.count(b"BEGIN:VEVENT") == 1
    assert Client().get(path[:-5] + "x.ics").status_code == 404
    as_anna.post(reverse("calendar_feed_settings"), {"end": "1"})
    assert Client().get(path).status_code == 404


def test_the_mailboxs_page_draws_its_absences(as_anna: Client, mailbox: Mailbox) -> None:
    page = reverse("mailbox", args=[mailbox.pk])
    assert "<figure" not in as_anna.get(page).text
    away(mailbox, datetime(2020, 1, 1), datetime(2020, 2, 1))
    assert as_anna.get(page).context["timeline"].lines == []
    away(mailbox, datetime(2026, 1, 1), None, position=1)
    Responder.objects.update(created_at=database_now())
    picture = as_anna.get(page).context["timeline"]
    [bar] = picture.lines[0].bars
    assert (bar.state, bar.span.x) == ("active", pytest.approx(picture.now, abs=0.1))  # made now: not on before
    assert bar.span.x + bar.span.width == pytest.approx(100)
    assert 'class="line-bar line-absence line-active"' in as_anna.get(page).text


def test_dates_are_taken_from_a_file_and_what_was_typed_stays(as_anna: Client, mailbox: Mailbox) -> None:
    event = "SUMMARY:Urlop <b>\r\nDTSTART;VALUE=DATE:20991224\r\nDTEND;VALUE=DATE:21000102"
    file = SimpleUploadedFile("urlop.ics", ics(event))
    page = as_anna.post(new(mailbox), TYPED | {"take_ics": "1", "ics": file, "text_body": "Moje słowa"})
    assert page.status_code == 200
    assert 'value="2099-12-24T00:00"' in page.text
    assert 'value="2100-01-02T00:00"' in page.text
    assert "Moje słowa" in page.text
    assert "The dates of “Urlop &lt;b&gt;” are taken over." in page.text
    assert not Responder.objects.exists()


@pytest.mark.parametrize("content", [None, b"", b"nonsense", b"x" * 300_000])
def test_a_file_without_dates_is_said_beside_the_field(
    as_anna: Client, mailbox: Mailbox, content: bytes | None
) -> None:
    typed: dict[str, Any] = TYPED | {"take_ics": "1", "text_body": "Moje słowa"}
    if content is not None:
        typed["ics"] = SimpleUploadedFile("x.ics", content)
    page = as_anna.post(new(mailbox), typed)
    assert page.status_code == 422
    assert list(page.context["form"].errors) == ["ics"]
    assert "Moje słowa" in page.text
    assert 'value="2099-12-24T17:00"' in page.text


def test_a_file_that_was_left_in_the_field_does_not_disturb_saving(as_anna: Client, mailbox: Mailbox) -> None:
    as_anna.post(new(mailbox), TYPED | {"ics": SimpleUploadedFile("x.ics", b"nonsense")})
    assert Responder.objects.get().from_date == datetime(2099, 12, 24, 17)
