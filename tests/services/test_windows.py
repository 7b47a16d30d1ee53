"""When responders were on, as the history tells it: whatever was changed, ended early or deleted since."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from mailboxes.models import Mailbox, User
from responders import services, timeline, windows
from responders.models import Responder
from responders.validation import ResponderInput, as_input
from responders.windows import Course

DAY = timedelta(days=1)
NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
SINCE = NOW - 21 * DAY
ABSENCE = ResponderInput(
    type="absence", is_enabled=True, from_date=datetime(2026, 11, 20, 17), to_date=datetime(2026, 11, 27, 8),
    time_zone="Europe/Warsaw", subject="Urlop: {{ subject }}", text_body="Nie ma mnie.",
)  # fmt: skip
Save = Callable[..., Responder]


def utc(month: int, day: int, hour: int = 12) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


@pytest.fixture
def save(mailbox: Mailbox, anna: User) -> Save:
    """Saves a responder as somebody did at a moment: a new one, or a change of one."""

    def saved(at: datetime, responder: Responder | None = None, **change: object) -> Responder:
        before = ABSENCE if responder is None else as_input(responder)
        values = replace(before, **change)  # type: ignore[arg-type]
        row = services.save_responder(mailbox, values, actor=anna, now=at, responder=responder)
        if responder is None:
            Responder.objects.filter(pk=row.pk).update(created_at=at)  # the real clock's, otherwise
        return row

    return saved


def told(mailbox: Mailbox, since: datetime = SINCE) -> list[Course]:
    return windows.courses(windows.events(mailbox, since, 3), mailbox.responders.order_by("position"), since)


def drawn(mailbox: Mailbox, rows: list[Responder]) -> timeline.Timeline:
    return timeline.timeline(mailbox, rows, windows.events(mailbox, timeline.begins(mailbox, NOW), 3), "en", NOW)


def times(course: Course) -> list[tuple[datetime | None, datetime | None]]:
    return [(window.start, window.end) for window in course.windows]


def test_a_row_that_is_used_again_keeps_the_window_before(mailbox: Mailbox, save: Save) -> None:
    row = save(utc(11, 19))
    save(utc(11, 30), row, from_date=datetime(2026, 12, 24, 17), to_date=datetime(2027, 1, 4, 8))
    [course] = told(mailbox)
    assert times(course) == [
        (utc(11, 20, 16), utc(11, 27, 7)), (utc(12, 24, 16), datetime(2027, 1, 4, 7, tzinfo=UTC)),
    ]  # fmt: skip


def test_what_was_ended_early_ended_then(mailbox: Mailbox, save: Save, anna: User) -> None:
    row = save(utc(11, 19))
    services.switch(row, on=False, actor=anna, now=utc(11, 23))
    assert times(told(mailbox)[0]) == [(utc(11, 20, 16), utc(11, 23))]
    services.switch(row, on=True, actor=anna, now=utc(11, 25))
    assert times(told(mailbox)[0]) == [(utc(11, 20, 16), utc(11, 23)), (utc(11, 25), utc(11, 27, 7))]


def test_an_end_that_was_moved_is_where_it_was_moved_to(mailbox: Mailbox, save: Save) -> None:
    row = save(utc(11, 19))
    row = save(utc(11, 22), row, to_date=datetime(2026, 11, 24, 8))
    save(utc(11, 30), row, subject="Inny temat")
    [course] = told(mailbox)
    assert (course.title, times(course)) == ("Inny temat", [(utc(11, 20, 16), utc(11, 24, 7))])


def test_a_window_that_never_came_is_not_told(mailbox: Mailbox, save: Save, anna: User) -> None:
    row = save(utc(11, 19), from_date=datetime(2026, 11, 28, 8), to_date=datetime(2026, 11, 29, 8))
    services.switch(row, on=False, actor=anna, now=utc(11, 27))
    assert told(mailbox)[0].windows == ()


def test_it_did_not_answer_before_it_was_written(mailbox: Mailbox, save: Save) -> None:
    save(utc(11, 22))  # with a start that lay behind
    assert times(told(mailbox)[0]) == [(utc(11, 22), utc(11, 27, 7))]


def test_a_responder_that_was_deleted_was_on_before(mailbox: Mailbox, save: Save, anna: User) -> None:
    for number, hours in ((1, 0), (2, 6)):
        row = save(utc(11, 19) + timedelta(hours=hours), subject=f"Urlop {number}")
        services.switch(row, on=False, actor=anna, now=utc(11, 21, 6 + hours))
        services.switch(row, on=True, actor=anna, now=utc(11, 22, 6 + hours))
        services.delete_responder(row, actor=anna, now=utc(11, 23, 6 + hours))
    assert [(course.row, course.title, times(course)) for course in told(mailbox)] == [
        (None, "Urlop 2", [(utc(11, 20, 16), utc(11, 21, 12)), (utc(11, 22, 12), utc(11, 23, 12))]),
        (None, "Urlop 1", [(utc(11, 20, 16), utc(11, 21, 6)), (utc(11, 22, 6), utc(11, 23, 6))]),
    ]


def test_one_that_goes_on_has_one_window_whatever_was_changed_meanwhile(mailbox: Mailbox, save: Save) -> None:
    row = save(utc(11, 1), type="standing", from_date=None, to_date=None)
    for day in (15, 18, 29):
        row = save(utc(11, day), row, text_body=f"Tekst {day}")
    assert times(told(mailbox)[0]) == [(SINCE, None)]


def test_of_a_long_history_no_more_is_said_than_is_known(
    mailbox: Mailbox, save: Save, anna: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "EVENTS_READ", 4)
    row = save(utc(11, 12), from_date=None, to_date=None)
    for hour in range(2, 8):
        services.switch(row, on=hour % 2 == 1, actor=anna, now=utc(11, 20, hour))
    assert times(told(mailbox)[0]) == [(utc(11, 20, 5), utc(11, 20, 6)), (utc(11, 20, 7), None)]


def test_the_picture_shows_a_bar_for_each_and_what_goes_on_before_what_is_over(
    mailbox: Mailbox, save: Save, anna: User
) -> None:
    gone = save(utc(11, 19), subject="Był")
    services.delete_responder(gone, actor=anna, now=utc(11, 24))
    over = save(utc(11, 19), subject="Miniony")
    on = save(utc(11, 19), subject="Trwa")
    on = save(utc(11, 30), on, from_date=datetime(2026, 11, 30, 8), to_date=datetime(2026, 12, 30, 8))
    picture = drawn(mailbox, [over, on])
    assert [(line.title, line.is_deleted, [bar.state for bar in line.bars]) for line in picture.lines] == [
        ("Trwa", False, ["ended", "active"]), ("Miniony", False, ["ended"]), ("Był", True, ["ended"]),
    ]  # fmt: skip
    assert picture.lines[2].bars[0].span.title == "from Fri, 20 Nov 2026, 17:00 until Tue, 24 Nov 2026, 13:00"
    assert picture.lines[0].bars[0].span.x < picture.lines[0].bars[1].span.x < picture.now


def test_of_very_many_the_picture_says_how_many_it_leaves_out(mailbox: Mailbox, save: Save) -> None:
    rows = [save(utc(11, 19), subject=f"Urlop {number}") for number in range(timeline.LINES + 2)]
    picture = drawn(mailbox, rows)
    assert (len(picture.lines), picture.left_out) == (timeline.LINES, 2)


def test_the_history_is_one_question(mailbox: Mailbox, save: Save) -> None:
    for day in range(10, 20):
        save(utc(11, day))
    rows = list(mailbox.responders.all())
    with CaptureQueriesContext(connection) as asked:
        windows.courses(windows.events(mailbox, SINCE, 3), rows, SINCE)
    assert len(asked) == 1


def test_the_latest_events_are_read_however_old(mailbox: Mailbox, save: Save, anna: User) -> None:
    row = save(utc(9, 1))
    for day in range(2, 9):
        services.switch(row, on=day % 2 == 1, actor=anna, now=utc(9, day))
    found = windows.events(mailbox, SINCE, 3)
    assert [event.at for event in found] == [utc(9, 8), utc(9, 7), utc(9, 6), utc(9, 1)]
    assert told(mailbox)[0].windows == ()
