"""Countries whose public holidays are known, to choose from."""

from functools import cache

import holidays
from babel import Locale
from django.core.exceptions import ValidationError
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _


def validate_country(code: str) -> None:
    """Accept ISO 3166-1 codes whose holidays are known."""
    if code not in _known():
        raise ValidationError(_("No public holidays are known for “%(code)s”."), params={"code": code}, code="country")


def name_of(code: str) -> str:
    """In the active language; the code itself where it has no name."""
    return _names().get(code, code)


def choices() -> list[tuple[str, str]]:
    """(ISO 3166-1 code, name), by name."""
    return sorted(((code, name_of(code)) for code in _known()), key=lambda choice: choice[1].casefold())


@cache
def _known() -> frozenset[str]:
    return frozenset(code for code in holidays.list_supported_countries() if len(code) == 2)


def _names() -> "dict[str, str]":
    return dict(Locale.parse((get_language() or "en")[:2]).territories)
