"""Days off: weekends and public holidays."""

from datetime import date

import pytest

from responders.core.days import holiday_name, is_day_off, next_working_day


@pytest.mark.parametrize(
    ("day", "name"),
    [
        (date(2027, 1, 1), "Nowy Rok"),
        (date(2027, 1, 6), "Święto Trzech Króli"),
        (date(2027, 3, 29), "Poniedziałek Wielkanocny"),
        (date(2026, 12, 24), "Wigilia Bożego Narodzenia"),
        (date(2024, 12, 24), ""),  # a working day until 2025
        (date(2027, 1, 4), ""),
    ],
)
def test_polish_holidays_are_known_by_name(day: date, name: str) -> None:
    assert holiday_name(day, "PL", "pl") == name
    assert is_day_off(day, "PL") is bool(name)


def test_the_next_working_day_skips_weekends_and_holidays() -> None:
    assert next_working_day(date(2026, 12, 24), "PL") == date(2026, 12, 28)
    assert next_working_day(date(2026, 12, 28), "PL") == date(2026, 12, 28)


def test_a_country_that_nobody_knows_has_weekends_alone() -> None:
    assert not is_day_off(date(2027, 1, 1), "XX")
    assert is_day_off(date(2027, 1, 2), "XX")


def test_a_day_after_a_holiday_in_the_week_is_a_working_day() -> None:
    assert next_working_day(date(2027, 5, 27), "PL") == date(2027, 5, 28)  # Corpus Christi is a Thursday
