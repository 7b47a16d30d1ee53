"""Hours of the week: when an office is open, and whether a standing reply answers then or at all other times.

Pure. Times are wall-clock times of a named zone, so that they hold on both sides of a change of the clock.
"""

import enum
from dataclasses import dataclass
from datetime import datetime, time
from zoneinfo import ZoneInfo

from responders.core.days import holiday_name


class HoursMode(enum.StrEnum):
    """When a responder answers: at all times, or as office hours say."""

    ALWAYS = "always"
    OUTSIDE = "outside"
    WITHIN = "within"


@dataclass(frozen=True, slots=True)
class OfficeHours:
    """Open from `opens` until `closes` (that minute no more) on `days` (0 is Monday); closed on public holidays of
    `country` (ISO 3166-1; "" has none).
    """

    mode: HoursMode = HoursMode.ALWAYS
    days: frozenset[int] = frozenset(range(5))
    opens: time = time(8)
    closes: time = time(16)
    country: str = ""

    def answers(self, at: datetime, zone: str) -> bool:
        """Whether a responder with these hours answers at the moment (UTC)."""
        if self.mode is HoursMode.ALWAYS:
            return True
        return self.is_open(at, zone) == (self.mode is HoursMode.WITHIN)

    def is_open(self, at: datetime, zone: str) -> bool:
        local = at.astimezone(ZoneInfo(zone))
        if local.weekday() not in self.days or not self.opens <= local.time() < self.closes:
            return False
        return not (self.country and holiday_name(local.date(), self.country, "en"))
