"""What a field holds where nobody says anything."""

from datetime import date, time

from django.apps import apps


def test_no_default_is_a_fixed_moment() -> None:
    """Django's check complains of one within ten seconds of it, each day: of 16:00, for instance."""
    fields = [field for model in apps.get_models() for field in model._meta.fields]
    assert [str(field) for field in fields if isinstance(field.default, date | time)] == []
