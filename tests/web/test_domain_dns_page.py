"""The page about a domain's DNS before anybody has looked."""

import pytest
from django.test import Client
from django.urls import reverse

from mailboxes.models import Mailbox, User
from mailboxes.signing import dkim_first
from responders.services import database_now

pytestmark = pytest.mark.django_db


def test_what_nobody_has_looked_at_is_not_called_silent(client: Client, support: User, mailbox: Mailbox) -> None:
    client.force_login(support)
    url = reverse("domain_dns", args=[mailbox.domain_id])
    text = client.get(url).content.decode()
    assert "not looked at yet" in text
    assert "did not answer" not in text
    assert "not-asked" not in text
    assert reverse("domain_signing", args=[mailbox.domain_id]) in text  # there is no key yet: where one is made
    dkim_first.make_first_keys(database_now())
    assert mailbox.domain.dkim_keys.get().public_key[:40] in client.get(url).content.decode()
