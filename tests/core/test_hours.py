"""Office hours: in the mailbox's zone, right across both changes of the clock, closed on holidays."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from responders.core.decision import Policy, decide
from responders.core.hours import HoursMode, OfficeHours
from tests.core.facts import NOW, mailbox, message, responder

WARSAW = "Europe/Warsaw"
AFTER_HOURS = OfficeHours(HoursMode.OUTSIDE, country="PL")


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(WARSAW)).astimezone(UTC)


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-12-07T07:59:59", False),  # a Monday
        ("2026-12-07T08:00:00", True),
        ("2026-12-07T15:59:59", True),
        ("2026-12-07T16:00:00", False),
        ("2026-12-05T12:00:00", False),  # a Saturday
        ("2026-12-24T12:00:00", False),  # Christmas Eve, a Thursday
        ("2026-03-27T08:00:00", True),  # the Friday before the clock goes forward …
        ("2026-03-30T08:00:00", True),  # … and the Monday after it
        ("2026-03-30T07:59:59", False),
        ("2026-10-23T08:00:00", True),
        ("2026-10-26T08:00:00", True),  # after it went back
        ("2026-10-26T07:59:59", False),
    ],
)
def test_an_office_is_open_by_the_wall_clock(moment: str, is_open: bool) -> None:
    assert AFTER_HOURS.is_open(local(moment), WARSAW) is is_open
    assert AFTER_HOURS.answers(local(moment), WARSAW) is not is_open
    assert OfficeHours(HoursMode.WITHIN, country="PL").answers(local(moment), WARSAW) is is_open


def test_holidays_count_only_where_the_owner_says_so() -> None:
    assert OfficeHours(HoursMode.WITHIN).is_open(local("2026-12-24T12:00"), WARSAW)


def test_a_responder_is_silent_at_other_hours_and_says_so() -> None:
    row = responder(type="standing", hours=AFTER_HOURS)
    decided = decide(message(), mailbox(row), Policy(), NOW)  # Monday, 13:00 in Warsaw
    assert (decided.reason.value, decided.evidence) == (
        "inactive",
        "received 2026-12-28T12:00:00+00:00, not within its hours",
    )
    assert decide(message(), mailbox(row), Policy(), NOW + timedelta(hours=3)).reason.value == "replied"
    never = responder(type="standing", is_enabled=False, hours=AFTER_HOURS)
    assert "hours" not in decide(message(), mailbox(never), Policy(), NOW).evidence


@given(
    st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2035, 1, 1), timezones=st.just(UTC)),
    st.sampled_from([WARSAW, "America/New_York", "Australia/Lord_Howe", "UTC"]),
)
def test_within_and_outside_never_agree(at: datetime, zone: str) -> None:
    hours = [OfficeHours(mode, frozenset([0, 6]), time(1), time(3), "PL") for mode in HoursMode]
    always, outside, within = (one.answers(at, zone) for one in hours)
    assert always
    assert outside is not within
