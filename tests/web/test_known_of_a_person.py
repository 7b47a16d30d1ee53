"""What a request asks once of the person who is signed in leaves out questions, and changes no answer."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.test import Client
from django.test.utils import CaptureQueriesContext

from mailboxes import access
from mailboxes.models import Customer, Delegation, Domain, Mailbox, MailboxLink, User
from responders.services import database_now

RULES: tuple[Callable[[User], QuerySet[Mailbox]], ...] = (
    access.mailboxes_visible_to, access.mailboxes_of, access.mailboxes_to_set_up, access.mailboxes_to_delegate,
    access.mailboxes_managed_by, access.deleted_mailboxes,
)  # fmt: skip


def person(name: str) -> User:
    return User.objects.create_user(f"{name}@firma.example", name=name)


@pytest.fixture
def people(mailbox: Mailbox, support: User) -> dict[str, User]:
    """One with each way to `mailbox`, one with all of them, and one with none."""
    found = {name: person(name) for name in ("linker", "delegate", "administrator", "all", "none")}
    for name in ("linker", "all"):
        MailboxLink.objects.create(mailbox=mailbox, user=found[name], owner=mailbox.owner, made_at=database_now())
    for name in ("delegate", "all"):
        Delegation.objects.create(mailbox=mailbox, user=found[name])
    company = Customer.objects.create(name="Firma", number="K1")
    Domain.objects.filter(name=mailbox.domain_id).update(customer=company)
    for name in ("administrator", "all"):
        company.administrators.add(found[name])
    return found | {"owner": mailbox.owner, "support": support}


def test_the_rules_answer_as_without_it(people: dict[str, User], mailbox: Mailbox) -> None:
    for name, known in people.items():
        access.know(known)
        fresh = User.objects.get(pk=known.pk)
        assert (known.group_names, access.is_support(known)) == (fresh.group_names, name == "support")
        for rule in RULES:
            assert set(rule(known)) == set(rule(fresh)), (name, rule.__name__)
        assert access.is_linked(known, mailbox) == access.is_linked(fresh, mailbox) == (name in {"linker", "all"})
        assert set(access.mailboxes_visible_to(known)) == (set() if name == "none" else {mailbox})


def test_nobody_without_a_way_to_others_is_asked_about_in_every_question(
    people: dict[str, User], client: Client
) -> None:
    client.force_login(people["owner"])
    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert client.get("/").status_code == 200
    for table in ("mailboxes_mailboxlink", "mailboxes_delegation", "mailboxes_customer_administrators"):
        assert len([one for one in asked.captured_queries if table in one["sql"]]) == 1, table


def test_a_way_that_is_new_counts_from_the_next_request_on(
    people: dict[str, User], mailbox: Mailbox, client: Client
) -> None:
    client.force_login(people["none"])
    page = f"/mailboxes/{mailbox.pk}/"
    assert client.get(page).status_code == 404
    Delegation.objects.create(mailbox=mailbox, user=people["none"])
    assert client.get(page).status_code == 200
