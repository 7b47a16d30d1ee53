"""Choosing notices, and the link that ends an autoresponder."""

from django.test import Client
from django.urls import reverse

from mailboxes.models import Mailbox
from responders import notices
from responders.models import Responder, ResponderEvent


def test_the_owner_chooses_which_notices_to_get(as_anna: Client, mailbox: Mailbox, somebody_elses: Mailbox) -> None:
    address = reverse("notices", args=[mailbox.pk])
    assert 'name="notify_ended"' in as_anna.get(address).text
    as_anna.post(address, {"notify_ended": "on"})
    mailbox.refresh_from_db()
    assert (mailbox.notify_ended, mailbox.notify_started, mailbox.notify_still_on) == (True, False, False)
    assert as_anna.post(reverse("notices", args=[somebody_elses.pk]), {}).status_code == 404


def test_opening_the_link_changes_nothing_and_its_button_ends_the_autoresponder(
    client: Client, standing_reply: Responder
) -> None:
    address = "/" + notices.end_link(standing_reply).split("/", 3)[3]
    for _scanner in range(3):
        assert "End this autoresponder?" in client.get(address).text
    standing_reply.refresh_from_db()
    assert standing_reply.is_enabled
    assert "It is off." in client.post(address).text
    assert "It is off." in client.get(address).text
    standing_reply.refresh_from_db()
    assert not standing_reply.is_enabled
    assert ResponderEvent.objects.get().kind == "switched-off"


def test_a_link_that_somebody_made_up_is_not_there(client: Client, standing_reply: Responder) -> None:
    assert client.get(reverse("responder_end", args=["W10:x:y"])).status_code == 404
    assert client.post(reverse("responder_end", args=["x"])).status_code == 404
