"""The demo shows every kind of responder, and never slips into a panel with data of its own."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from mailboxes.access import is_support
from mailboxes.models import Alias, Mailbox, User
from responders import services
from responders.core.schedule import State
from responders.management.commands.demodata import ADMINISTRATOR, OWNER, PASSWORD, SUPPORT
from responders.models import Responder


def demodata() -> str:
    output = StringIO()
    with override_settings(DEBUG=True):
        call_command("demodata", stdout=output)
    return output.getvalue()


def test_it_makes_three_people_who_can_sign_in(db: None) -> None:
    printed = demodata()
    for email in (OWNER, SUPPORT, ADMINISTRATOR):
        assert User.objects.get(email=email).check_password(PASSWORD)
        assert email in printed
    assert is_support(User.objects.get(email=SUPPORT))
    assert User.objects.get(email=ADMINISTRATOR).is_superuser


def test_it_shows_every_state_and_both_types(db: None) -> None:
    demodata()
    now = services.database_now()
    responders = Responder.objects.all()
    assert {responder.state_at(now) for responder in responders} == set(State)
    assert {responder.type for responder in responders} == {"absence", "standing"}
    assert all(responder.state == responder.state_at(now) for responder in responders)
    assert Alias.objects.filter(targets__outside_address__gt="").exists()


def test_the_second_time_changes_nothing(db: None) -> None:
    first = demodata()
    Mailbox.objects.get(address="kontakt@studio.example").delete()
    assert demodata() == first
    assert not Mailbox.objects.filter(address="kontakt@studio.example").exists()


def test_a_panel_with_data_of_its_own_gets_none(db: None) -> None:
    User.objects.create_user("somebody@example.com", PASSWORD)
    assert "no demo data were added" in demodata()
    assert User.objects.count() == 1


def test_without_debug_it_refuses(db: None) -> None:
    with pytest.raises(CommandError, match="DEBUG"):
        call_command("demodata")
    assert not User.objects.exists()
