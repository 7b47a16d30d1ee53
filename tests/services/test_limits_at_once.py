"""Two who make mailboxes at the same moment do not pass a limit together, and none waits for the other for ever."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from mailboxes import customers, services
from mailboxes.files import address_files, domain_files
from mailboxes.models import Domain, Mailbox
from tests.committed import emptied_afterwards


@pytest.fixture
def db(django_db_setup: None, django_db_blocker) -> Iterator[None]:
    """Rows are committed: each thread has a connection of its own."""
    yield from emptied_afterwards(django_db_blocker)


def at_once(*acts) -> list[str]:
    """What became of each: its error in words, or nothing."""
    together = Barrier(len(acts))

    def one(act) -> str:
        connection.ensure_connection()
        together.wait(60)
        try:
            act()
        except services.MailboxesError as error:
            return str(error)
        finally:
            connection.close()
        return ""

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(one, acts))


def lines(*typed: str) -> list[address_files.Line]:
    return [address_files.Line(address, "", None, ()) for address in typed]


def test_of_four_at_once_one_gets_the_last_place(db: None) -> None:
    """Each in a domain of its own: what they have in common is the customer."""
    customer = customers.add_customer("K-1", "Firma", max_mailboxes=1)
    for number in range(4):
        services.add_domain(f"d{number}.example", customer=customer)
    told = at_once(*(lambda n=number: services.add_mailbox(f"jan@d{n}.example") for number in range(4)))
    assert sorted(map(bool, told)) == [False, True, True, True]
    assert Mailbox.objects.count() == 1


def test_a_customers_limit_holds_across_its_domains(db: None) -> None:
    """Two files name the same two domains, each in its own order."""
    customer = customers.add_customer("K-1", "Firma", max_mailboxes=4)
    for name in ("a.example", "b.example"):
        services.add_domain(name, customer=customer)
    files = (
        lines("x1@a.example", "x2@b.example", "x3@a.example"), lines("y1@b.example", "y2@a.example", "y3@b.example"),
    )  # fmt: skip
    told = at_once(*(lambda file=file: address_files.make(file, actor=None) for file in files))
    assert sorted(map(bool, told)) == [False, True]
    assert "4 mailboxes at most" in "".join(told)
    assert Mailbox.objects.count() == 3


def test_of_two_files_with_the_same_domains_one_is_made(db: None) -> None:
    customers.add_customer("K-1", "Firma")
    customers.add_customer("K-2", "Inna")
    first = [domain_files.Line(f"d{number}.example", "K-1") for number in range(20)]
    second = [domain_files.Line(line.name, "K-2") for line in reversed(first)]
    told = at_once(*(lambda file=file: domain_files.make(file, actor=None) for file in (first, second)))
    assert sorted(map(bool, told)) == [False, True]
    assert Domain.objects.count() == 20
    assert Domain.objects.values("customer").distinct().count() == 1
