"""Time zones to choose from, by part of the world and city."""

import unicodedata
from zoneinfo import available_timezones

from babel.core import get_global
from babel.dates import get_timezone_location
from django.utils.translation import get_language
from django.utils.translation import gettext as _

Group = tuple[str, list[tuple[str, str]]]


def choices(present: str) -> list[Group]:
    """(part of the world, [(IANA name, city)]), Europe first, in the active language; `present` is among them."""
    groups = []
    for area, word in _areas().items():
        cities = [(zone, city(zone)) for zone in _zones() if zone.startswith(f"{area}/")]
        groups.append((word, sorted(cities, key=_alphabetical)))
    known = {zone for _word, cities in groups for zone, _city in cities}
    others = [(zone, zone) for zone in dict.fromkeys((present, "UTC")) if zone not in known]
    return [*groups, (_("Others"), others)]


def city(zone: str) -> str:
    """“Warsaw”, in the active language; zones that are no city's keep their own name."""
    if "/" not in zone or zone.startswith("Etc/"):
        return zone
    locale = "pl" if (get_language() or "en")[:2] == "pl" else "en_GB"
    return get_timezone_location(zone, locale=locale, return_city=True)


def _alphabetical(choice: tuple[str, str]) -> str:
    """Ł beside L, Ż after Z."""
    return unicodedata.normalize("NFKD", choice[1].casefold().replace("ł", "l~"))


def _zones() -> list[str]:
    """Those that stand for a place of today; older names of the same place are left out."""
    return sorted(set(get_global("zone_territories")) & available_timezones())


def _areas() -> dict[str, str]:
    return {
        "Europe": _("Europe"), "Africa": _("Africa"), "America": _("America"), "Antarctica": _("Antarctica"),
        "Arctic": _("The Arctic"), "Asia": _("Asia"), "Atlantic": _("The Atlantic"), "Australia": _("Australia"),
        "Indian": _("The Indian Ocean"), "Pacific": _("The Pacific"),
    }  # fmt: skip
