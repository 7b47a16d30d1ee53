"""A domain and a customer deleted and taken back in the panel, by staff who may, and in the administration."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from mailboxes import customers
from mailboxes.deletion import deleted_domains
from mailboxes.models import Customer, Domain, Mailbox, User
from responders.models import Responder
from responders.services import database_now
from tests.conftest import PASSWORD
from tests.web.test_company import as_boss, boss, company

__all__ = ["as_boss", "boss", "company"]  # fixtures

DELETED = f"{reverse('domains')}?show=deleted"
DELETE, RESTORE = (reverse(name, args=["firma.example"]) for name in ("domain_delete", "domain_restore"))


@pytest.fixture
def as_admin(support: User) -> Client:
    user = User.objects.create_user("admin@hosting.example", PASSWORD, is_staff=True)
    user.groups.add(Group.objects.get(name="administrator"))
    client = Client()
    client.force_login(user)
    return client


def domain() -> Domain:
    return Domain.objects.get(name="firma.example")


def test_the_page_says_what_goes_and_wants_the_name(as_admin: Client, standing_reply: Responder) -> None:
    Mailbox.objects.create(domain=domain(), local_part="dawna", is_active=False, deleted_at=database_now())
    page = as_admin.get(DELETE)
    assert (page.context["held"].mailboxes, page.context["held"].deleted, page.context["answering"]) == (1, 1, 1)
    for words in ("1 mailbox<", "1 mailbox that was deleted before", "0 aliases", "1 autoresponder that answers now"):
        assert words in page.text
    for typed in ("", "firma", "inna.example", "x" * 400):
        answer = as_admin.post(DELETE, {"name": typed})
        assert answer.status_code == 422
        assert answer.context["form"].errors["name"]
    assert domain().deleted_at is None
    assert as_admin.post(DELETE, {"name": " Firma.Example. "})["Location"] == DELETED
    assert domain().deleted_at is not None


def test_it_is_undone_by_the_button_in_the_message(as_admin: Client, mailbox: Mailbox) -> None:
    page = as_admin.post(DELETE, {"name": "firma.example"}, follow=True)
    assert page.text.count(f'action="{RESTORE}"') == 2  # in the message, and in the list of what was deleted
    assert as_admin.get(reverse("domain", args=["firma.example"])).status_code == 404
    assert as_admin.get(reverse("mailbox", args=[mailbox.pk])).status_code == 404
    assert as_admin.get(RESTORE)["Location"] == DELETED  # a GET changes nothing
    assert domain().deleted_at is not None
    assert "is back, as it was" in as_admin.post(RESTORE, follow=True).text
    assert domain().is_active
    assert as_admin.post(RESTORE).status_code == 404  # twice
    assert as_admin.post(DELETE, {"name": "firma.example"}).status_code == 302


def test_support_finds_what_was_deleted_and_does_not_take_it_back(as_support: Client, mailbox: Mailbox) -> None:
    deleted_domains.delete_domain(mailbox.domain, now=database_now(), actor=None)
    found = as_support.get(reverse("support"), {"q": "anna@firma"}).text
    assert "its domain was deleted" in found
    page = as_support.get(reverse("support_domain", args=["firma.example"])).text
    assert "it can be brought back" in page
    assert RESTORE not in page
    assert (as_support.get(DELETED).status_code, as_support.post(RESTORE).status_code) == (200, 404)


def test_her_companys_administrator_sees_that_it_was_deleted(
    as_boss: Client, as_admin: Client, mailbox: Mailbox, company: Customer
) -> None:
    second = Domain.objects.create(name="druga.example", customer=company)
    as_admin.post(DELETE, {"name": "firma.example"})
    assert [row.name for row in as_boss.get(reverse("domains")).context["domains"]] == [second.name]
    page = as_boss.get(DELETED)
    assert "firma.example" in page.text
    assert "Our support brings a domain back" in page.text
    assert as_boss.post(RESTORE).status_code == 404
    new = as_boss.post(reverse("domain_new"), {"name": "firma.example"})
    assert "of yours was deleted, and is kept until" in new.text


def test_staff_who_add_it_anew_are_told_of_it(as_admin: Client, mailbox: Mailbox) -> None:
    as_admin.post(DELETE, {"name": "firma.example"})
    answer = as_admin.post(reverse("domain_new"), {"name": "firma.example", "number": ""})
    assert answer.status_code == 422
    assert "can be brought back with all that was in it until" in answer.text


def test_a_customer_is_deleted_by_its_number_and_taken_back(
    as_admin: Client, as_boss: Client, company: Customer, mailbox: Mailbox
) -> None:
    page = reverse("customer_delete", args=[company.pk])
    text = as_admin.get(page).text
    assert "1 domain goes with it" in text
    assert "1 administrator of the company sees nothing" in text
    assert as_admin.post(page, {"name": "F2"}).status_code == 422
    shown = as_admin.post(page, {"name": "F1"}, follow=True)
    undo = reverse("customer_restore", args=[company.pk])
    assert shown.text.count(f'action="{undo}"') == 2
    assert as_boss.get(reverse("domains")).status_code == 404
    assert mailbox.address not in as_boss.get("/").text
    as_admin.post(undo)
    assert mailbox.address in as_boss.get("/").text
    assert domain().is_active


def test_in_the_administration_too(as_admin: Client, company: Customer, mailbox: Mailbox) -> None:
    def act(row: Customer | Domain, action: str, **more: str) -> str:
        address = reverse(f"admin:mailboxes_{row._meta.model_name}_changelist")
        return as_admin.post(address, {"action": action, "_selected_action": row.pk} | more, follow=True).text

    for row in (domain(), company):
        page = reverse(f"admin:mailboxes_{row._meta.model_name}_delete", args=[row.pk])
        assert as_admin.get(page).status_code == 200
        as_admin.post(page, {"post": "yes"})
        row.refresh_from_db()
        assert row.deleted_at is not None
        change = reverse(f"admin:mailboxes_{row._meta.model_name}_change", args=[row.pk])
        assert 'name="_save"' not in as_admin.get(change).text
        assert as_admin.post(change, {"name": "x"}).status_code == 403
        assert "is back, as it was" in act(row, "restore")
        act(row, "delete_selected", post="yes")
    assert "bring back the customer first" in act(domain(), "restore")
    deleted = reverse("admin:mailboxes_domain_changelist")
    assert "firma.example" in as_admin.get(deleted, {"deleted_at__isempty": "0"}).text
    assert "firma.example" not in as_admin.get(deleted, {"deleted_at__isempty": "1"}).text
    assert 'name="confirmed"' in act(company, "purge")
    assert not domain().is_going
    act(company, "purge", confirmed="yes")
    assert domain().is_going
    assert "cannot come back" in act(company, "restore")
    deleted_domains.purge_domains(database_now())
    assert customers.purge_customers(database_now()) == 1


def test_no_domain_is_given_to_a_deleted_customer_in_the_administration(as_admin: Client, mailbox: Mailbox) -> None:
    gone = Customer.objects.create(name="Dawny", number="D", deleted_at=database_now())
    page = reverse("admin:mailboxes_domain_change", args=[mailbox.domain.pk])
    answer = as_admin.post(page, {"name": "firma.example", "customer": gone.pk, "is_active": "on"})
    assert "Dawny (D) was deleted." in answer.text
    assert domain().customer is None


def test_a_mailbox_is_not_made_in_a_deleted_domain_in_the_administration(as_admin: Client, mailbox: Mailbox) -> None:
    deleted_domains.delete_domain(mailbox.domain, now=database_now() - timedelta(days=1), actor=None)
    typed = {"domain": "firma.example", "local_part": "nowa", "language": "pl", "time_zone": "Europe/Warsaw"}
    answer = as_admin.post(reverse("admin:mailboxes_mailbox_add"), typed)
    assert "bring it back first" in answer.text
    assert Mailbox.objects.count() == 1
