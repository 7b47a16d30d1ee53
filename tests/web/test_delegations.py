"""A colleague looks after a mailbox's autoresponders, until the owner takes it back."""

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from mailboxes import hosting
from mailboxes.models import Customer, Delegation, Domain, LogLine, Mailbox, User
from responders.models import Responder, ResponderEvent
from responders.services import database_now
from tests.web.test_acting import give_reason
from tests.web.test_responder_form import TYPED, new


@pytest.fixture
def ewa(mailbox: Mailbox) -> User:
    """A colleague, with a mailbox of her own in the same domain."""
    user = User.objects.create_user("ewa@firma.example", "correct horse battery staple", name="Ewa Lis")
    Mailbox.objects.create(domain=mailbox.domain, local_part="ewa", owner=user)
    return user


@pytest.fixture
def as_ewa(ewa: User) -> Client:
    client = Client()
    client.force_login(ewa)
    return client


def page_of(mailbox: Mailbox) -> str:
    return reverse("delegations", args=[mailbox.pk])


def test_a_colleague_sees_the_mailbox_until_it_is_taken_back(
    as_anna: Client, as_ewa: Client, mailbox: Mailbox, standing_reply: Responder
) -> None:
    pages = [reverse("mailbox", args=[mailbox.pk]), reverse("responder_edit", args=[standing_reply.pk])]
    assert [as_ewa.get(page).status_code for page in pages] == [404, 404]
    page = as_anna.post(page_of(mailbox), {"email": " Ewa@Firma.example "}, follow=True)
    assert "Ewa Lis now looks after anna@firma.example, too." in page.text
    assert [as_ewa.get(page).status_code for page in pages] == [200, 200]
    assert "anna@firma.example" in as_ewa.get("/").text
    as_ewa.post(reverse("responder_switch", args=[standing_reply.pk]), {"on": "0"})
    assert standing_reply.events.get().actor == User.objects.get(email="ewa@firma.example")
    end = reverse("delegation_end", args=[mailbox.pk, Delegation.objects.get().pk])
    assert "no longer looks after" in as_anna.post(end, follow=True).text
    assert [as_ewa.get(page).status_code for page in pages] == [404, 404]


def test_a_delegate_hands_nothing_on(as_anna: Client, as_ewa: Client, mailbox: Mailbox) -> None:
    as_anna.post(page_of(mailbox), {"email": "ewa@firma.example"})
    assert as_ewa.get(page_of(mailbox)).status_code == 404
    assert page_of(mailbox) not in as_ewa.get(reverse("mailbox", args=[mailbox.pk])).text
    end = reverse("delegation_end", args=[mailbox.pk, Delegation.objects.get().pk])
    assert as_ewa.post(end).status_code == 404
    assert Delegation.objects.exists()


def test_a_delegate_takes_nothing_of_it_back_either(as_anna: Client, as_ewa: Client, mailbox: Mailbox) -> None:
    jan = User.objects.create_user("jan@firma.example", name="Jan Lis")
    Mailbox.objects.create(domain=mailbox.domain, local_part="jan", owner=jan)
    for email in ("ewa@firma.example", "jan@firma.example"):
        as_anna.post(page_of(mailbox), {"email": email})
    as_anna.post(reverse("delegation_end", args=[mailbox.pk, Delegation.objects.get(user=jan).pk]))
    ended = ResponderEvent.objects.latest("pk")
    back = reverse("event_undo", args=[ended.pk])
    assert [as_ewa.get(back).status_code, as_ewa.post(back).status_code] == [404, 404]
    assert not any(may for *_event, may in as_ewa.get(reverse("mailbox", args=[mailbox.pk])).context["events"])
    assert not Delegation.objects.filter(user=jan).exists()
    assert as_anna.post(back).status_code == 302
    assert Delegation.objects.filter(user=jan).exists()


def test_who_has_no_mailbox_of_the_company_any_more_looks_after_none(
    as_anna: Client, as_ewa: Client, mailbox: Mailbox, somebody_elses: Mailbox, ewa: User
) -> None:
    own = Mailbox.objects.get(owner=ewa)
    second = Mailbox.objects.create(domain=mailbox.domain, local_part="biuro", owner=ewa)
    as_anna.post(page_of(mailbox), {"email": "ewa@firma.example"})
    Delegation.objects.create(mailbox=somebody_elses, user=ewa)  # by staff, of another company
    hosting.delete_mailbox(own, now=timezone.now(), actor=None)
    assert as_ewa.get(reverse("mailbox", args=[mailbox.pk])).status_code == 200
    hosting.delete_mailbox(second, now=timezone.now(), actor=None)
    assert as_ewa.get(reverse("mailbox", args=[mailbox.pk])).status_code == 404
    assert [row.mailbox for row in ewa.delegations.all()] == [somebody_elses]
    assert LogLine.objects.filter(name="anna@firma.example", words="ewa@firma.example looks after it no more").exists()
    page = as_anna.post(page_of(mailbox), {"email": "ewa@firma.example"})
    assert page.status_code == 422


def copies_of(mailbox: Mailbox) -> list[str]:
    """Who gets the mail, too, as Postfix reads it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT target FROM mail_deputies WHERE address = %s", [mailbox.address])
        return [target for (target,) in cursor.fetchall()]


ALWAYS = TYPED | {"from_date": "", "to_date": "", "deputy_gets_copy": "on"}


def test_a_delegate_gets_no_copies_of_the_mail(as_anna: Client, as_ewa: Client, mailbox: Mailbox) -> None:
    """To look after the autoresponders is no way into the mail."""
    as_anna.post(page_of(mailbox), {"email": "ewa@firma.example"})
    jan = Mailbox.objects.create(domain=mailbox.domain, local_part="jan")
    as_ewa.post(new(mailbox), ALWAYS | {"deputy_address": "ewa@firma.example"})
    row = Responder.objects.get()
    assert (row.deputy_address, row.deputy_gets_copy, copies_of(mailbox)) == ("ewa@firma.example", False, [])
    edit = reverse("responder_edit", args=[row.pk])
    as_anna.post(edit, ALWAYS | {"deputy_address": jan.address, "version": row.version})
    assert copies_of(mailbox) == ["jan@firma.example"]
    row.refresh_from_db()
    typed = ALWAYS | {"deputy_address": "ewa@firma.example", "version": row.version, "text_body": "Jestem na urlopie."}
    as_ewa.post(edit, typed)
    row.refresh_from_db()
    assert (row.text_body, copies_of(mailbox)) == ("Jestem na urlopie.", ["jan@firma.example"])


@pytest.mark.parametrize("way", ["no copy", "another deputy", "deleted"])
def test_nor_again_by_taking_back_what_the_owner_did(
    as_anna: Client, as_ewa: Client, mailbox: Mailbox, way: str
) -> None:
    as_anna.post(page_of(mailbox), {"email": "ewa@firma.example"})
    Mailbox.objects.create(domain=mailbox.domain, local_part="jan")
    as_anna.post(new(mailbox), ALWAYS | {"deputy_address": "ewa@firma.example"})
    row = Responder.objects.get()
    edit, typed = reverse("responder_edit", args=[row.pk]), ALWAYS | {"version": row.version}
    if way == "no copy":
        as_anna.post(edit, typed | {"deputy_address": "ewa@firma.example", "deputy_gets_copy": ""})
    elif way == "another deputy":
        as_anna.post(edit, typed | {"deputy_address": "jan@firma.example"})
    else:
        as_anna.post(reverse("responder_delete", args=[row.pk]))
    back = reverse("event_undo", args=[ResponderEvent.objects.latest("pk").pk])
    assert [as_ewa.get(back).status_code, as_ewa.post(back).status_code] == [404, 404]
    assert "ewa@firma.example" not in copies_of(mailbox)
    assert as_anna.post(back).status_code == 302
    assert copies_of(mailbox) == ["ewa@firma.example"]


def test_only_colleagues_can_be_asked_and_strangers_are_not_told_apart(
    as_anna: Client, mailbox: Mailbox, somebody_elses: Mailbox, ewa: User
) -> None:
    for email in ("obcy@inna.example", "nobody@firma.example", "nonsense", "@"):
        page = as_anna.post(page_of(mailbox), {"email": email}, headers={"accept-language": "en"})
        assert page.status_code == 422
        assert "No colleague of your company signs in with this address." in page.text
    assert as_anna.post(page_of(mailbox), {"email": "anna@firma.example"}).status_code == 422
    Mailbox.objects.filter(owner=ewa).update(is_active=False, deleted_at=database_now())
    assert as_anna.post(page_of(mailbox), {"email": "ewa@firma.example"}).status_code == 422
    Mailbox.objects.filter(owner=ewa).update(is_active=True, deleted_at=None)
    User.objects.filter(pk=ewa.pk).update(is_active=False)
    assert as_anna.post(page_of(mailbox), {"email": "ewa@firma.example"}).status_code == 422
    assert not Delegation.objects.exists()


def test_a_colleague_may_be_in_another_domain_of_the_company(
    as_anna: Client, mailbox: Mailbox, somebody_elses: Mailbox
) -> None:
    customer = Customer.objects.create(name="Firma", number="1")
    Domain.objects.update(customer=customer)
    assert as_anna.post(page_of(mailbox), {"email": "obcy@inna.example"}).status_code == 302


def test_twice_is_once_and_another_persons_mailbox_is_not_there(
    as_anna: Client, mailbox: Mailbox, somebody_elses: Mailbox, ewa: User
) -> None:
    for _time in range(2):
        as_anna.post(page_of(mailbox), {"email": "ewa@firma.example"})
    assert Delegation.objects.count() == 1
    assert as_anna.post(page_of(somebody_elses), {"email": "ewa@firma.example"}).status_code == 404
    other = reverse("delegation_end", args=[somebody_elses.pk, Delegation.objects.get().pk])
    assert as_anna.post(other).status_code == 404


def test_support_hands_on_for_the_owner(as_support: Client, mailbox: Mailbox, ewa: User) -> None:
    give_reason(as_support, mailbox)
    assert as_support.post(page_of(mailbox), {"email": "ewa@firma.example"}).status_code == 302
    assert Delegation.objects.get().created_by == User.objects.get(email="pomoc@hosting.example")
