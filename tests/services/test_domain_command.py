"""Customers and domains from the command line: what the pages do, and one clear line when something is wrong."""

import json

import pytest
from django.core.management import CommandError

from mailboxes.log import log_of
from mailboxes.models import Customer, Domain, Mailbox
from tests.services.test_commands import run

pytestmark = pytest.mark.django_db


def test_a_customer_and_its_domain_are_made_and_listed() -> None:
    assert run("customer", "add", "K-17", "Firma sp. z o.o.") == "K-17 added\n"
    assert run("domain", "add", "Żółw.example", "--customer", "K-17") == "xn--w-uga1v8h.example added\n"
    customer = Customer.objects.get(number="K-17")
    assert [domain.name for domain in customer.domains.all()] == ["xn--w-uga1v8h.example"]
    assert json.loads(run("customer", "list", "--json")) == {"number": "K-17", "name": "Firma sp. z o.o.", "domains": 1}
    assert run("customer", "list") == "K-17\tFirma sp. z o.o.\t1\n"
    assert run("domain", "list") == "xn--w-uga1v8h.example\tK-17\n"
    assert [line.words for line in log_of(customer)] == ["made"]


def test_limits_and_the_catch_all_are_set_and_taken_away(mailbox: Mailbox) -> None:
    run("domain", "set", "firma.example", "--catch-all", "anna", "--quota-mb", "500", "--max-mailboxes", "10")
    domain = Domain.objects.get()
    assert (domain.catch_all, domain.quota_mb, domain.max_mailboxes) == (mailbox, 500, 10)
    run("domain", "set", "firma.example", "--quota-mb", "")
    told = json.loads(run("domain", "list", "--json"))
    assert (told["quota_mb"], told["max_mailboxes"], told["catch_all_address"]) == (None, 10, "anna@firma.example")


def test_a_domain_is_given_to_a_customer_and_to_nobody(mailbox: Mailbox) -> None:
    customer = Customer.objects.create(number="K-1", name="Firma")
    run("domain", "set", "firma.example", "--customer", "K-1")
    assert Domain.objects.get().customer == customer
    run("domain", "set", "firma.example", "--customer", "")
    assert Domain.objects.get().customer is None


def test_a_suspension_and_its_end(mailbox: Mailbox) -> None:
    assert run("domain", "suspend", "FIRMA.example") == "firma.example: suspended\n"
    assert Domain.objects.get().suspended_at is not None
    assert run("domain", "list") == "firma.example\t\tsuspended\n"
    assert run("domain", "resume", "firma.example") == "firma.example: no longer suspended\n"
    assert Domain.objects.get().is_active


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["domain", "suspend", "elsewhere.example"], "is not a domain of this panel"),
        (["domain", "suspend", "a b"], "is not a domain name"),
        (["domain", "add", "firma.example"], "has this domain already"),
        (["domain", "add", "new.example", "--customer", "K-0"], "no customer has the number K-0"),
        (["domain", "add", "-"], "."),
        (["domain", "set", "firma.example"], "nothing was named"),
        (["domain", "set", "firma.example", "--catch-all", "nobody"], "catch_all: The domain has no mailbox"),
        (["domain", "set", "firma.example", "--quota-mb", "much"], "quota_mb: "),
        (["domain", "set", "firma.example", "--quota-mb", "-1"], "quota_mb: "),
        (["customer", "add", "", "Firma"], "."),
        (["customer", "add", "K-1", "x" * 201], "."),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(mailbox: Mailbox, arguments: list[str], words: str) -> None:
    with pytest.raises(CommandError, match=words) as caught:
        run(*arguments)
    assert "\n" not in str(caught.value)
    assert Domain.objects.count() == 1


def test_two_customers_have_no_number_in_common() -> None:
    run("customer", "add", "K-1", "Firma")
    with pytest.raises(CommandError):
        run("customer", "add", "K-1", "Inna")
