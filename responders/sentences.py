"""What a responder does and when, in plain words of the active language."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta, tzinfo
from math import ceil
from typing import Any

from babel import Locale
from babel.dates import format_skeleton, get_day_names
from django.utils.translation import get_language, ngettext, pgettext
from django.utils.translation import gettext as _

from mailboxes import time_zones
from mailboxes.addresses import display
from responders.core import schedule
from responders.core.days import holiday_name, is_weekend
from responders.core.facts import Audience
from responders.core.hours import HoursMode
from responders.core.schedule import State
from responders.models import Responder


def state_sentence(responder: Responder, now: datetime) -> str:
    """What the responder does, in one plain sentence of the active language, in the responder's zone."""
    match responder.state_at(now):
        case State.OFF:
            return pgettext("responder", "Off")
        case State.SCHEDULED:
            return _("Starts %(time)s") % {"time": _when(responder.from_date, now, responder.time_zone)}
        case State.ENDED:
            return _("Ended %(time)s") % {"time": _when(responder.to_date, now, responder.time_zone)}
    if responder.to_date is None:
        return _("Answering until switched off")
    return _("Answering until %(time)s") % {"time": _when(responder.to_date, now, responder.time_zone)}


def window_sentence(responder: Responder) -> str:
    """From when to when it answers, in words of the active language and the responder's time."""
    start = responder.from_date and long_time(responder.from_date)
    end = responder.to_date and long_time(responder.to_date)
    if start and end:
        return _("from %(start)s until %(end)s") % {"start": start, "end": end}
    if start:
        return _("from %(start)s until you switch it off") % {"start": start}
    if end:
        return _("until %(end)s") % {"end": end}
    return _("until you switch it off")


def span_sentence(start: datetime | None, end: datetime | None, zone: tzinfo | None) -> str:
    """From when to when something was or will be on, both moments in the zone; without an end “from … on”."""
    first, last = (moment and long_time(moment.astimezone(zone)) for moment in (start, end))
    if last is None:
        return _("from %(start)s on") % {"start": first}
    return _("from %(start)s until %(end)s") % {"start": first, "end": last}


def length_sentence(responder: Responder) -> str:
    """“11 days; you are back on a working day”; empty where an end is open."""
    if responder.from_utc is None or responder.to_utc is None or responder.to_date is None:
        return ""
    length = responder.to_utc - responder.from_utc
    if length < timedelta(days=1):
        hours = ceil(length / timedelta(hours=1))
        words = ngettext("%(count)d hour", "%(count)d hours", hours) % {"count": hours}
    else:
        days = ceil(length / timedelta(days=1))
        words = ngettext("%(count)d day", "%(count)d days", days) % {"count": days}
    return f"{words}; {_back_on(responder.to_date.date(), responder.country)}"


def _back_on(day: date, country: str) -> str:
    if name := holiday_name(day, country, (get_language() or "en")[:2]):
        return _("it ends on a public holiday (%(name)s)") % {"name": name}
    if is_weekend(day):
        return _("it ends on a weekend")
    return _("you are back on a working day")


def limits(responder: Responder) -> list[str]:
    """Whom and what it answers where that is not everyone and everything, and who else hears of the mail."""
    found = [str(responder.get_audience_display())] if responder.audience != Audience.EVERYONE else []
    if responder.addresses:
        found.append(_("Only mail to %(list)s") % {"list": ", ".join(map(display, responder.addresses))})
    if responder.senders:
        found.append(_("Only mail from %(list)s") % {"list": ", ".join(responder.senders)})
    if responder.words:
        found.append(_("Only with the words: %(list)s") % {"list": ", ".join(responder.words)})
    if responder.texts:
        found.append(_("Further texts: %(list)s") % {"list": ", ".join(map(_kind_of_text, responder.texts))})
    if responder.hours_mode != HoursMode.ALWAYS:
        found.append(f"{responder.get_hours_mode_display()} ({office_hours(responder)})")
    if responder.gives_case_numbers:
        found.append(_("Gives each conversation a number"))
    if responder.deputy_gets_copy:
        found.append(_("%(deputy)s gets a copy of each message") % {"deputy": display(responder.deputy_address)})
    return found


def office_hours(responder: Responder) -> str:
    """“Mon–Fri 08:00–16:00, closed on public holidays”."""
    hours = f"{days_of_week(responder.office_days)} {responder.office_opens:%H:%M}–{responder.office_closes:%H:%M}"
    return _("%(hours)s, closed on public holidays") % {"hours": hours} if responder.holidays_are_off else hours


def days_of_week(days: Iterable[int]) -> str:
    """“Mon–Fri”, “Mon, Wed–Fri”, in the active language; 0 is Monday."""
    names = get_day_names("abbreviated", locale=_locale())
    runs: list[list[int]] = []
    for day in sorted(days):
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    return ", ".join(names[run[0]] + (f"–{names[run[-1]]}" if len(run) > 1 else "") for run in runs)


def days_to_choose() -> list[tuple[int, str]]:
    """The days of the week for a form: (0, “Mon”) and so on, in the active language."""
    return [(day, days_of_week([day])) for day in range(7)]


def _kind_of_text(text: dict[str, Any]) -> str:
    name = language_name(text["language"])
    return _("%(language)s (for colleagues)") % {"language": name} if text["for_colleagues"] else name


def long_time(local: datetime) -> str:
    """“Thu, 24 Dec 2026, 17:00” in the active language."""
    return f"{format_skeleton('yMMMEd', local, locale=_locale())}, {local:%H:%M}"


def zone_name(zone: str) -> str:
    """“Warsaw time”, in the active language; zones that are no city's have their own name."""
    city = time_zones.city(zone)
    return zone if city == zone else _("%(city)s time") % {"city": city}


def language_name(code: str) -> str:
    """“English”, “angielski”, in the active language."""
    return Locale.parse(code).get_display_name(_locale()) or code


def _locale() -> str:
    return "pl" if (get_language() or "en")[:2] == "pl" else "en_GB"


def _when(local: datetime | None, now: datetime, zone: str) -> str:
    """“Mon 7 Dec, 08:00”; with the year where it is not this one."""
    if local is None:
        return ""
    is_this_year = local.year == schedule.to_local(now, zone).year
    day = format_skeleton("MMMEd" if is_this_year else "yMMMEd", local, locale=_locale())
    return f"{day}, {local:%H:%M}"
