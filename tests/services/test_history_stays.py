"""The history is only added to, whoever asks the database."""

import pytest
from django.db import IntegrityError, connection, transaction

from mailboxes.models import User
from responders.models import Responder, ResponderEvent
from responders.services import By, database_now, switch


@pytest.fixture
def event(standing_reply: Responder, anna: User) -> ResponderEvent:
    switch(standing_reply, on=False, actor=By(anna, "bo tak", "192.0.2.1"), now=database_now())
    return ResponderEvent.objects.get()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM responders_responderevent",
        "UPDATE responders_responderevent SET reason = ''",
        "UPDATE responders_responderevent SET at = at - interval '1 day'",
        "UPDATE responders_responderevent SET changes = '{}', actor_id = NULL, kind = 'created'",
        "UPDATE responders_responderevent SET actor_id = (SELECT max(id) FROM mailboxes_user)",
    ],
)
def test_nothing_in_it_is_changed_or_deleted(event: ResponderEvent, statement: str) -> None:
    User.objects.create_user("inny@firma.example")
    with pytest.raises(IntegrityError, match="only added to"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    event.refresh_from_db()
    assert event.reason == "bo tak"


def test_it_may_forget_whom_it_names(event: ResponderEvent, standing_reply: Responder, anna: User) -> None:
    standing_reply.delete()
    ResponderEvent.objects.update(actor=None)
    event.refresh_from_db()
    assert (event.responder, event.actor, event.address) == (None, None, "anna@firma.example")


def test_personal_data_are_erased_on_purpose_only(event: ResponderEvent) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL panel.erasing = 'on'")
        cursor.execute("DELETE FROM responders_responderevent")
    assert not ResponderEvent.objects.exists()
