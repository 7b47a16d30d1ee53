"""Customers and domains from the command line: what the pages do, and one clear line when something is wrong."""

import json

import pytest
from django.core.management import CommandError
from django.utils import timezone

from mailboxes.domain_dns import claims
from mailboxes.domain_dns.records import Answer
from mailboxes.log import log_of
from mailboxes.models import Alias, Customer, Domain, LogLine, Mailbox, User
from tests.services.test_commands import run

pytestmark = pytest.mark.django_db


def test_a_customer_and_its_domain_are_made_and_listed() -> None:
    assert run("customer", "add", "K-17", "Firma sp. z o.o.") == "K-17 added\n"
    assert run("domain", "add", "Żółw.example", "--customer", "K-17") == "xn--w-uga1v8h.example added\n"
    customer = Customer.objects.get(number="K-17")
    assert [domain.name for domain in customer.domains.all()] == ["xn--w-uga1v8h.example"]
    assert json.loads(run("customer", "list", "--json")) == {
        "number": "K-17", "name": "Firma sp. z o.o.", "domains": 1, "max_mailboxes": None,
        "deleted_at": None,
    }  # fmt: skip
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


def test_a_total_is_set_shown_and_kept(mailbox: Mailbox) -> None:
    with pytest.raises(CommandError, match="1 mailbox would have no limit"):
        run("domain", "set", "firma.example", "--total-quota-mb", "1000")
    run("domain", "set", "firma.example", "--total-quota-mb", "1000", "--quota-mb", "600")
    told = json.loads(run("domain", "show", "firma.example", "--json"))
    assert (told["quota_mb"], told["total_quota_mb"], told["allotted_mb"]) == (600, 1000, 600)
    assert json.loads(run("domain", "list", "--json"))["total_quota_mb"] == 1000
    for arguments in (
        ("mailbox", "add", "jan@firma.example"), ("mailbox", "quota", "anna@firma.example", "1001"),
        ("mailbox", "set", "anna@firma.example", "--quota-mb", "1001"),
        ("mailbox", "add", "jan@firma.example", "--quota-mb", "401"),
        ("domain", "set", "firma.example", "--quota-mb", "1001"),
    ):  # fmt: skip
        with pytest.raises(CommandError, match=r"may have 1000 MB together; [0-9]+ MB of that are left"):
            run(*arguments)
    run("mailbox", "add", "jan@firma.example", "--quota-mb", "400")
    run("domain", "set", "firma.example", "--total-quota-mb", "")
    assert Domain.objects.get().total_quota_mb is None
    with pytest.raises(CommandError, match="total_quota_mb"):
        run("domain", "add", "nowa.example", "--total-quota-mb", "0")
    run("domain", "add", "nowa.example", "--total-quota-mb", "9")
    assert Domain.objects.get(name="nowa.example").total_quota_mb == 9


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
        (["domain", "set", "firma.example", "--replies-per-hour", "-1"], "replies_per_hour: "),
        (["domain", "add", "new.example", "--quota-mb", "0"], "quota_mb: a number from 1 to"),
        (["domain", "delete", "firma.example"], "has 1 mailboxes and 0 aliases, which go with it: say --yes"),
        (["domain", "give-up", "firma.example", "--customer", "K-0"], "no customer has the number K-0"),
        (["domain", "list", "--customer", "K-0"], "no customer has the number K-0"),
        (["customer", "add", "K-1", "Firma", "--administrator", "nobody@x.example"], "nobody signs in as"),
        (["customer", "add", "K-1", "Firma", "--max-mailboxes", "many"], "max_mailboxes: a number"),
        (["customer", "show", "K-0"], "no customer has the number K-0"),
        (["customer", "delete", "K-0"], "no customer has the number K-0"),
        (["customer", "suspend", "K-0"], "no customer has the number K-0"),
        (["customer", "add", "", "Firma"], "number: "),
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


# --- Customers ---


def test_a_customer_is_changed_shown_and_deleted(anna: User, mailbox: Mailbox) -> None:
    run("customer", "add", "K-1", "Firma", "--max-mailboxes", "7", "--administrator", "Anna@Firma.example")
    run("domain", "set", "firma.example", "--customer", "K-1")
    run("customer", "set", "K-1", "--number", "K-2", "--name", "Inna", "--max-mailboxes", "")
    assert json.loads(run("customer", "show", "K-2", "--json")) == {
        "number": "K-2", "name": "Inna", "max_mailboxes": None, "mailboxes": 1, "deleted_mailboxes": 0,
        "administrators": ["anna@firma.example"], "domains": ["firma.example"], "deleted_at": None,
    }  # fmt: skip
    assert "administrators\tanna@firma.example\n" in run("customer", "show", "K-2")
    run("customer", "set", "K-2", "--remove-administrator", "anna@firma.example")
    assert not anna.administers.exists()
    with pytest.raises(CommandError, match="1 domains go with K-2: say --yes"):
        run("customer", "delete", "K-2")
    run("domain", "set", "firma.example", "--customer", "")
    assert run("customer", "delete", "K-2") == "K-2 deleted, with 0 domains\n"
    words = list(LogLine.objects.filter(model="mailboxes.customer").order_by("pk").values_list("words", flat=True))
    assert words == [
        "made", "administrators: – → anna@firma.example", "number: K-1 → K-2; name: Firma → Inna; max_mailboxes: 7 → –",
        "administrators: anna@firma.example → –", "deleted; domains: 0",
    ]  # fmt: skip


def test_a_customer_is_suspended_with_all_its_domains(mailbox: Mailbox) -> None:
    run("customer", "add", "K-1", "Firma")
    run("domain", "set", "firma.example", "--customer", "K-1")
    run("domain", "add", "druga.example", "--customer", "K-1")
    run("domain", "add", "obca.example")
    run("domain", "suspend", "druga.example")
    assert run("customer", "suspend", "K-1") == "K-1: 1 domains suspended\n"
    assert sorted(Domain.objects.filter(is_active=False).values_list("name", flat=True)) == [
        "druga.example", "firma.example",
    ]  # fmt: skip
    assert run("customer", "resume", "K-1") == "K-1: 2 domains no longer suspended\n"
    assert not Domain.objects.filter(is_active=False).exists()


def test_no_customer_has_more_mailboxes_than_it_may_in_all_its_domains(mailbox: Mailbox) -> None:
    run("customer", "add", "K-1", "Firma", "--max-mailboxes", "2")
    run("domain", "set", "firma.example", "--customer", "K-1")
    run("domain", "add", "druga.example", "--customer", "K-1")
    run("mailbox", "add", "jan@druga.example")
    with pytest.raises(CommandError, match="may have 2 mailboxes at most, in all domains together"):
        run("mailbox", "add", "ewa@druga.example")
    run("mailbox", "delete", "anna@firma.example")  # for days it may be taken back, so it counts
    with pytest.raises(CommandError, match="2 mailboxes at most"):
        run("mailbox", "add", "ewa@druga.example")
    run("customer", "set", "K-1", "--max-mailboxes", "3")
    run("mailbox", "add", "ewa@druga.example")


# --- Domains ---


def test_a_further_domain_begins_with_the_limits_of_the_customers_others(mailbox: Mailbox) -> None:
    run("customer", "add", "K-1", "Firma")
    run("domain", "add", "a.example", "--customer", "K-1", "--quota-mb", "900", "--max-mailboxes", "5")
    run("domain", "add", "b.example", "--customer", "K-1", "--quota-mb", "700", "--max-mailboxes", "")
    run("domain", "add", "c.example", "--customer", "K-1")
    run("domain", "add", "d.example")
    limits = {row.name: (row.quota_mb, row.max_mailboxes) for row in Domain.objects.all()}
    assert limits == {
        "firma.example": (None, None), "a.example": (900, 5), "b.example": (700, None), "c.example": (700, 5),
        "d.example": (None, None),
    }  # fmt: skip


def test_all_that_the_pages_set_is_set_and_shown(mailbox: Mailbox) -> None:
    run("domain", "set", "firma.example", "--receives", "no", "--bounce-address", "yes", "--replies-per-hour", "9")
    told = json.loads(run("domain", "show", "firma.example", "--json"))
    assert (told["is_active"], told["has_bounce_address"], told["replies_per_hour"]) == (False, True, 9)
    assert (told["mailboxes"], told["deleted_mailboxes"], told["aliases"]) == (1, 0, 0)
    assert told["proven_at"].endswith("+00:00")
    assert "replies_per_hour\t9\n" in run("domain", "show", "firma.example")
    run("domain", "set", "firma.example", "--receives", "yes", "--bounce-address", "no", "--replies-per-hour", "")
    domain = Domain.objects.get()
    assert (domain.is_active, domain.has_bounce_address, domain.replies_per_hour) == (True, False, None)


def test_who_is_suspended_receives_no_mail_by_another_way(mailbox: Mailbox) -> None:
    run("domain", "suspend", "firma.example")
    with pytest.raises(CommandError, match="suspended"):
        run("domain", "set", "firma.example", "--receives", "yes")
    assert not Domain.objects.get().is_active


def test_a_domain_is_deleted_taken_back_and_removed_for_good(mailbox: Mailbox) -> None:
    run("alias", "add", "biuro@firma.example", "anna@firma.example")
    assert (
        run("domain", "delete", "firma.example", "--yes") == "firma.example deleted, with 1 mailboxes and 1 aliases\n"
    )
    assert run("domain", "list") == run("mailbox", "list") == run("alias", "list") == ""
    assert run("domain", "list", "--deleted").startswith("firma.example\t\tdeleted 20")
    assert json.loads(run("domain", "list", "--deleted", "--json"))["deleted_at"]
    for arguments in (
        ["domain", "suspend", "firma.example"], ["domain", "delete", "firma.example"],
        ["mailbox", "add", "jan@firma.example"], ["mailbox", "add", "jan@firma.example", "--create-domain"],
        ["alias", "add", "jan@firma.example", "x@y.example"], ["domain", "add", "firma.example"],
    ):  # fmt: skip
        with pytest.raises(CommandError, match="was deleted"):
            run(*arguments)
    assert run("domain", "restore", "firma.example") == "firma.example taken back\n"
    assert run("domain", "list") == "firma.example\n"
    assert "was not deleted" in run("domain", "restore", "firma.example")
    with pytest.raises(CommandError, match="was not deleted"):
        run("domain", "purge", "firma.example")
    run("domain", "delete", "firma.example", "--yes")
    assert run("domain", "purge", "firma.example") == "firma.example deleted for good\n"
    assert [*Domain.objects.all(), *Mailbox.objects.all(), *Alias.objects.all()] == []


def test_a_customer_is_deleted_taken_back_and_removed_for_good(anna: User, mailbox: Mailbox) -> None:
    run("customer", "add", "K-1", "Firma", "--administrator", "anna@firma.example")
    run("domain", "set", "firma.example", "--customer", "K-1")
    assert run("customer", "delete", "K-1", "--yes") == "K-1 deleted, with 1 domains\n"
    assert run("customer", "list") == run("domain", "list") == ""
    assert run("customer", "list", "--deleted").startswith("K-1\tFirma\t1\tdeleted 20")
    for arguments in (
        ["customer", "set", "K-1", "--name", "x"], ["domain", "restore", "firma.example"],
        ["domain", "add", "nowa.example", "--customer", "K-1"], ["customer", "delete", "K-1", "--yes"],
    ):  # fmt: skip
        with pytest.raises(CommandError, match="was deleted"):
            run(*arguments)
    assert run("customer", "restore", "K-1") == "K-1 taken back\n"
    assert run("domain", "list") == "firma.example\tK-1\n"
    with pytest.raises(CommandError, match="was not deleted"):
        run("customer", "purge", "K-1")
    run("customer", "delete", "K-1", "--yes")
    assert run("customer", "purge", "K-1") == "K-1 deleted for good\n"
    assert [*Customer.objects.all(), *Domain.objects.all(), *Mailbox.objects.all()] == []


def test_claims_are_listed_and_given_up() -> None:
    customer = Customer.objects.create(number="K-1", name="Firma")
    row = claims.claim(customer, "żółw.example", now=timezone.now(), actor=None)
    told = json.loads(run("domain", "claims", "--json"))
    assert (told["name"], told["customer_number"], told["disputed_at"]) == ("xn--w-uga1v8h.example", "K-1", None)
    assert row.token in told["record"]
    assert run("domain", "claims") == "xn--w-uga1v8h.example\tK-1\n"
    run("domain", "give-up", "Żółw.example", "--customer", "K-1")
    assert run("domain", "claims") == ""
    with pytest.raises(CommandError, match="waits for no proof"):
        run("domain", "give-up", "żółw.example", "--customer", "K-1")


def test_a_domain_that_its_holder_proves_leaves_no_limit_behind(mailbox: Mailbox) -> None:
    customer = Customer.objects.create(number="K-1", name="Firma")
    Domain.objects.filter(name="firma.example").update(customer=customer, quota_mb=500, max_mailboxes=1)
    now = timezone.now()
    row = claims.claim(customer, "sub.firma.example", now=now, actor=None)
    answer = Answer(values=(claims.record_of(row).value,))
    assert claims.look(row, now=now, ask=lambda _name, _type: answer) is claims.Outcome.PROVEN
    run("mailbox", "add", "a@sub.firma.example")
    with pytest.raises(CommandError, match="1 mailboxes at most"):
        run("mailbox", "add", "b@sub.firma.example")
    assert Domain.objects.get(name="sub.firma.example").quota_mb == 500
