"""When a responder answers: windows, their edges, and the two nights on which the clock changes."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from responders.core.decision import Policy, Previous, decide
from responders.core.message import read_message
from responders.core.schedule import (
    LocalTimeError,
    RepeatedTimeError,
    SkippedTimeError,
    State,
    Window,
    next_transition,
    state_at,
    to_local,
    to_utc,
)
from tests.core.facts import mailbox, message

WARSAW = "Europe/Warsaw"
START, END = datetime(2026, 12, 24, 16, tzinfo=UTC), datetime(2027, 1, 4, 7, tzinfo=UTC)
SECOND = timedelta(seconds=1)
ZONES = ["Europe/Warsaw", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "UTC"]


@pytest.mark.parametrize(
    ("at", "state"),
    [
        (START - SECOND, State.SCHEDULED),
        (START, State.ACTIVE),
        (END - SECOND, State.ACTIVE),
        (END, State.ENDED),
    ],
)
def test_a_window_holds_its_first_second_and_not_its_end(at: datetime, state: State) -> None:
    assert state_at(is_enabled=True, window=Window(START, END), at=at) is state


def test_open_ends_reach_as_far_as_one_likes() -> None:
    assert state_at(is_enabled=True, window=Window(None, None), at=START) is State.ACTIVE
    assert state_at(is_enabled=True, window=Window(START, None), at=END + timedelta(days=9999)) is State.ACTIVE
    assert state_at(is_enabled=True, window=Window(None, END), at=START - timedelta(days=9999)) is State.ACTIVE


def test_off_is_off_whatever_the_window_says() -> None:
    assert state_at(is_enabled=False, window=Window(START, END), at=START) is State.OFF
    assert next_transition(is_enabled=False, window=Window(START, END), after=START - SECOND) is None


@pytest.mark.parametrize(
    ("after", "expected"),
    [(START - SECOND, START), (START, END), (END - SECOND, END), (END, None)],
)
def test_the_next_transition_is_the_next_edge(after: datetime, expected: datetime | None) -> None:
    assert next_transition(is_enabled=True, window=Window(START, END), after=after) == expected


def test_winter_and_summer_have_their_own_offsets() -> None:
    assert to_utc(datetime(2026, 12, 24, 17), WARSAW) == datetime(2026, 12, 24, 16, tzinfo=UTC)
    assert to_utc(datetime(2027, 7, 1, 17), WARSAW) == datetime(2027, 7, 1, 15, tzinfo=UTC)


def test_a_window_over_the_change_keeps_the_wall_clock() -> None:
    assert to_utc(datetime(2027, 3, 29, 8), WARSAW) - to_utc(datetime(2027, 3, 27, 8), WARSAW) == timedelta(hours=47)
    assert to_utc(datetime(2027, 11, 1, 8), WARSAW) - to_utc(datetime(2027, 10, 30, 8), WARSAW) == timedelta(hours=49)


@pytest.mark.parametrize("minute", [0, 1, 30, 59])
def test_a_time_that_the_clock_jumps_over_is_no_time(minute: int) -> None:
    with pytest.raises(SkippedTimeError) as caught:
        to_utc(datetime(2027, 3, 28, 2, minute), WARSAW)
    assert (caught.value.before, caught.value.after) == (datetime(2027, 3, 28, 1, 59), datetime(2027, 3, 28, 3, 0))


@pytest.mark.parametrize("minute", [0, 1, 30, 59])
def test_a_time_that_comes_twice_is_no_one_time(minute: int) -> None:
    with pytest.raises(RepeatedTimeError) as caught:
        to_utc(datetime(2027, 10, 31, 2, minute), WARSAW)
    assert (caught.value.before, caught.value.after) == (datetime(2027, 10, 31, 1, 59), datetime(2027, 10, 31, 3, 0))


@pytest.mark.parametrize(
    "local", [datetime(2027, 3, 28, 1, 59, 59), datetime(2027, 3, 28, 3), datetime(2027, 10, 31, 3)]
)
def test_the_minutes_around_a_change_are_as_good_as_any(local: datetime) -> None:
    assert to_local(to_utc(local, WARSAW), WARSAW) == local


@given(moment=st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)), zone=st.sampled_from(ZONES))
def test_a_typed_time_comes_back_as_it_was_typed(moment: datetime, zone: str) -> None:
    local = to_local(moment.replace(tzinfo=UTC, microsecond=0), zone)
    try:
        back = to_local(to_utc(local, zone), zone)
    except RepeatedTimeError:
        back = local  # the one case where a wall clock does not tell the moment
    assert back == local


@given(
    edges=st.lists(st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)), min_size=3, max_size=3, unique=True),
)
def test_the_state_changes_at_transitions_only(edges: list[datetime]) -> None:
    start, end, at = (edge.replace(tzinfo=UTC) for edge in (*sorted(edges[:2]), edges[2]))
    window = Window(start, end)
    following = next_transition(is_enabled=True, window=window, after=at)
    if following is not None:
        now = state_at(is_enabled=True, window=window, at=at)
        assert state_at(is_enabled=True, window=window, at=following - timedelta(microseconds=1)) is now
        assert state_at(is_enabled=True, window=window, at=following) is not now


def test_a_window_holds_what_is_between_its_edges() -> None:
    window = Window(START, END)
    assert [window.contains(at) for at in (START - SECOND, START, END - SECOND, END)] == [False, True, True, False]


def test_what_names_no_one_moment_says_which_and_in_words() -> None:
    local = datetime(2027, 3, 28, 2, 30, 15, 7)
    with pytest.raises(SkippedTimeError, match="2027-03-28 02:30 does not name one moment") as caught:
        to_utc(local, WARSAW)
    assert caught.value.local == local
    assert (caught.value.before, caught.value.after) == (datetime(2027, 3, 28, 1, 59), datetime(2027, 3, 28, 3, 0))


def test_a_moment_is_in_utc_whatever_the_zone_of_the_machine() -> None:
    assert to_utc(datetime(2027, 1, 1), WARSAW).tzinfo is UTC
    assert to_utc(datetime(2027, 1, 1), "UTC").tzinfo is UTC


@given(
    hours=st.integers(-30, 30), minutes=st.integers(0, 59), zone=st.sampled_from(ZONES), year=st.integers(1990, 2037),
    month=st.integers(1, 12), day=st.integers(1, 28),
)  # fmt: skip
def test_a_typed_time_is_one_moment_or_the_nearest_ones_are_said(
    hours: int, minutes: int, zone: str, year: int, month: int, day: int
) -> None:
    local = datetime(year, month, day) + timedelta(hours=hours, minutes=minutes)
    before = after = local
    try:
        to_utc(local, zone)
    except LocalTimeError as error:
        before, after = error.before, error.after
        assert before < local < after
    assert [to_local(to_utc(near, zone), zone) for near in (before, after)] == [before, after]


EDGES = st.one_of(
    st.none(), st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))
)


@given(start=EDGES, end=EDGES, at=EDGES.filter(bool), is_enabled=st.booleans())
def test_state_window_and_next_transition_agree(
    start: datetime | None, end: datetime | None, at: datetime, is_enabled: bool
) -> None:
    if start and end and start >= end:
        start, end = end, start
    window = Window(start, end)
    state = state_at(is_enabled=is_enabled, window=window, at=at)
    following = next_transition(is_enabled=is_enabled, window=window, after=at)
    assert (state is State.ACTIVE) is (is_enabled and window.contains(at))
    expected = {State.SCHEDULED: start, State.ACTIVE: end, State.ENDED: None, State.OFF: None}
    assert following == expected[state] or start == end


@pytest.fixture
def machine_in_new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine's own zone is not UTC."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("machine_in_new_york")
def test_the_zone_of_the_machine_never_matters() -> None:
    with pytest.raises(SkippedTimeError):
        to_utc(datetime(2027, 3, 28, 2, 30), WARSAW)
    with pytest.raises(RepeatedTimeError):
        to_utc(datetime(2026, 10, 25, 2, 30), WARSAW)
    assert to_utc(datetime(2027, 3, 14, 2, 30), WARSAW).isoformat() == "2027-03-14T01:30:00+00:00"
    came = read_message(b"Received: by x id 1; Mon, 28 Dec 2026 10:00:00 +0100\r\n", "").received_at
    assert came is not None
    assert came.isoformat() == "2026-12-28T09:00:00+00:00"
    unknown = read_message(b"Received: by x id 1; Mon, 28 Dec 2026 10:00:00 -0000\r\n", "").received_at
    assert unknown is not None
    assert unknown.isoformat() == "2026-12-28T10:00:00+00:00"
    found = decide(message(), mailbox(), Policy(), START, {1: Previous(START)})
    assert found.evidence == "answered 2026-12-24T16:00:00Z"
