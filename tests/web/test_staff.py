"""What support staff set and lift."""

import pytest
from django.test import Client
from django.urls import reverse

from mailboxes.models import Mailbox, SendingStop
from responders.models import Refusal
from responders.services import database_now


def test_support_gives_a_mailbox_and_its_domain_limits_of_their_own(as_support: Client, mailbox: Mailbox) -> None:
    address = reverse("limits", args=[mailbox.pk])
    assert reverse("limits", args=[mailbox.pk]) in as_support.get(reverse("mailbox", args=[mailbox.pk])).text
    as_support.post(address, {"mailbox_limit": "1000", "domain_limit": ""})
    mailbox.refresh_from_db()
    assert (mailbox.replies_per_hour, mailbox.domain.replies_per_hour) == (1000, None)
    assert as_support.get(address).context["form"]["mailbox_limit"].value() == 1000
    assert as_support.post(address, {"mailbox_limit": "-1", "domain_limit": "x"}).status_code == 422
    as_support.post(address, {"mailbox_limit": "", "domain_limit": "0"})
    mailbox.refresh_from_db()
    assert (mailbox.replies_per_hour, mailbox.domain.replies_per_hour) == (None, 0)


def test_support_gives_a_mailbox_limits_of_sending(as_support: Client, mailbox: Mailbox) -> None:
    address = reverse("limits", args=[mailbox.pk])
    as_support.post(address, {"recipients_per_hour": "5000", "recipients_per_day": "0"})
    mailbox.refresh_from_db()
    assert (mailbox.recipients_per_hour, mailbox.recipients_per_day) == (5000, 0)
    assert as_support.post(address, {"recipients_per_hour": "-1"}).status_code == 422
    now = database_now()
    SendingStop.objects.create(mailbox=mailbox, recipients=7, hours=1, stopped_at=now, last_at=now)
    assert "It sent to 7 recipients" in as_support.get(address).text
    assert reverse("limits", args=[mailbox.pk]) in as_support.get(reverse("support_attention")).text


def test_support_finds_and_lifts_a_refusal(as_support: Client) -> None:
    for name in ("jan", "ola"):
        Refusal.objects.create(address=f"{name}@example.com", refused_at=database_now(), words="5.1.1 no such person")
    page = as_support.get(reverse("refusals"), {"q": "jan@"})
    assert [row.address for row in page.context["rows"]] == ["jan@example.com"]
    assert "5.1.1 no such person" in page.text
    page = as_support.post(reverse("refusals"), {"address": "jan@example.com"}, follow=True)
    assert "jan@example.com gets replies again." in page.text
    assert list(Refusal.objects.values_list("address", flat=True)) == ["ola@example.com"]
    for wrong in ("jan@example.com", "nonsense", ""):
        assert "is not among them" in as_support.post(reverse("refusals"), {"address": wrong}, follow=True).text


@pytest.mark.parametrize("method", ["get", "post"])
def test_an_owner_knows_of_no_such_pages(as_anna: Client, mailbox: Mailbox, method: str) -> None:
    for address in (reverse("limits", args=[mailbox.pk]), reverse("refusals")):
        assert getattr(as_anna, method)(address).status_code == 404
