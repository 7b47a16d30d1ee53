"""Days off: weekends and public holidays of a country (ISO 3166-1 code), from the `holidays` library."""

from datetime import date, timedelta
from functools import lru_cache

import holidays

WEEKEND = 5  # date.weekday() of Saturday


def is_weekend(day: date) -> bool:
    return day.weekday() >= WEEKEND


def holiday_name(day: date, country: str, language: str) -> str:
    """The public holiday's name in the language where the library has it, else in the country's own; "" if it is none.

    A country that the library does not know has no holidays.
    """
    return _year(country, language, day.year).get(day, "")


def is_day_off(day: date, country: str) -> bool:
    """Whether most offices are closed."""
    return is_weekend(day) or bool(holiday_name(day, country, "en"))


def next_working_day(day: date, country: str) -> date:
    """The day itself, or the first after it that is no day off."""
    while is_day_off(day, country):
        day += timedelta(days=1)
    return day


@lru_cache(maxsize=256)
def _year(country: str, language: str, year: int) -> dict[date, str]:
    tag = {"en": "en_US"}.get(language, language)
    try:
        return {day: str(name) for day, name in holidays.country_holidays(country, years=year, language=tag).items()}
    except NotImplementedError:
        return {}
