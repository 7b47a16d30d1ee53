"""Aliases, domains and customers deleted and taken back by several at the same moment, while others write in them."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError
from django.db import connection, transaction

from mailboxes import customers, services
from mailboxes.deletion import deleted_aliases, deleted_domains
from mailboxes.models import Alias, Customer, DeletedAlias, Domain, LogLine, Mailbox
from mailboxes.services import MailboxesError
from responders.services import database_now
from tests.committed import emptied_afterwards
from tests.services.test_commands import run
from tests.services.test_deleted_domains import delete, firma, left

__all__ = ["firma"]  # a fixture


@pytest.fixture
def db(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Rows are committed: each thread has a connection of its own."""
    yield from emptied_afterwards(django_db_blocker)


def in_threads(*deeds: Callable[[], object]) -> list[BaseException]:
    """Each again and again beside the others; what they raised, but for a kind refusal."""
    unexpected: list[BaseException] = []

    def do(deed: Callable[[], object]) -> None:
        try:
            for _turn in range(8):
                try:
                    deed()
                except MailboxesError:
                    continue
        except BaseException as error:  # noqa: BLE001 (told by the test's own thread)
            unexpected.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=do, args=(deed,)) for deed in deeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return unexpected


def test_deleted_taken_back_and_written_in_by_several_at_once(firma: Domain) -> None:
    pk, numbers = firma.pk, iter(range(1_000))

    def fresh() -> Domain:
        return Domain.objects.get(pk=pk)

    assert firma.customer is not None
    customer = firma.customer
    unexpected = in_threads(
        lambda: deleted_domains.delete_domain(fresh(), now=database_now(), actor=None),
        lambda: deleted_domains.restore_domain(fresh(), actor=None),
        lambda: services.add_mailbox(f"m{next(numbers)}@firma.example"),
        lambda: customers.delete_customer(Customer.objects.get(pk=customer.pk), now=database_now(), actor=None),
        lambda: customers.restore_customer(Customer.objects.get(pk=customer.pk), actor=None),
    )
    assert unexpected == []
    # No domain is there whose customer is not.
    assert not Domain.objects.filter(deleted_at=None, customer__deleted_at__isnull=False).exists()
    customers.restore_customer(Customer.objects.get(pk=customer.pk), actor=None)
    deleted_domains.restore_domain(fresh(), actor=None)
    domain = fresh()
    assert (domain.is_active, domain.suspended_at, domain.deleted_with_customer) == (True, None, False)
    assert Mailbox.objects.get(local_part="off").is_active is False
    assert Mailbox.objects.get(local_part="anna").is_active is True


def test_two_workers_share_the_removal(firma: Domain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deleted_domains, "BATCH", 3)
    Mailbox.objects.bulk_create(Mailbox(domain=firma, local_part=f"m{number}") for number in range(60))
    delete(firma, database_now() - timedelta(days=30))
    assert in_threads(*[lambda: deleted_domains.purge_domains(database_now())] * 3) == []
    deleted_domains.purge_domains(database_now())
    assert left(Domain, Mailbox) == []
    assert LogLine.objects.filter(model="mailboxes.domain", words="deleted for good").count() == 1


@contextlib.contextmanager
def held_by_another_worker(mailbox: Mailbox) -> Iterator[None]:
    holds, over = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                Mailbox.objects.select_for_update().get(pk=mailbox.pk)
                holds.set()
                over.wait()
        finally:
            holds.set()
            connection.close()

    other = threading.Thread(target=hold)
    other.start()
    try:
        holds.wait()
        yield
    finally:
        over.set()
        other.join()


@pytest.mark.parametrize("what", [["domain", "purge", "firma.example"], ["customer", "purge", "K-1"]])
def test_a_command_says_that_another_worker_is_still_at_it(firma: Domain, what: list[str]) -> None:
    assert firma.customer is not None
    customers.delete_customer(firma.customer, now=database_now(), actor=None)
    with held_by_another_worker(Mailbox.objects.get(local_part="anna")):
        with pytest.raises(CommandError, match="is being removed by another worker"):
            run(*what)
        assert [mailbox.local_part for mailbox in Mailbox.objects.all()] == ["anna"]
    assert run(*what).endswith(" deleted for good\n")
    assert left(Domain, Mailbox) == []


def test_a_mailbox_that_somebody_holds_is_not_called_there(firma: Domain) -> None:
    gone = Mailbox.objects.get(local_part="gone")
    with held_by_another_worker(gone), pytest.raises(CommandError, match="held by somebody else"):
        run("mailbox", "purge", gone.address)
    assert run("mailbox", "purge", gone.address).endswith(": deleted for good\n")


def test_a_customer_that_is_purged_takes_no_other_one_along(firma: Domain) -> None:
    assert firma.customer is not None
    due = Customer.objects.create(name="Inna", number="K-2")
    for one in (firma.customer, due):
        customers.delete_customer(one, now=database_now() - timedelta(days=31), actor=None)
    assert run("customer", "purge", "K-1") == "K-1 deleted for good\n"
    assert list(Customer.objects.all()) == [due]


def test_an_alias_deleted_and_taken_back_by_several_at_once(mailbox: Mailbox) -> None:
    """Whoever comes second finds it done: there is always one, never two or none."""
    alias = services.add_alias("biuro@firma.example", [mailbox.address, "jan@elsewhere.example"])

    def toggle() -> None:
        for there in Alias.objects.filter(pk=alias.pk):
            deleted_aliases.delete_alias(there, now=database_now(), actor=None)
        for gone in DeletedAlias.objects.filter(pk=alias.pk):
            deleted_aliases.restore_alias(gone, actor=None)

    assert in_threads(*[toggle] * 3) == []
    assert len(left(Alias, DeletedAlias)) == 1
    for gone in DeletedAlias.objects.all():
        deleted_aliases.restore_alias(gone, actor=None)
    assert services.targets_of(Alias.objects.get()) == ["anna@firma.example", "jan@elsewhere.example"]
