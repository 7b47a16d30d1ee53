"""Two who make mailboxes at the same moment do not pass a limit together, and none waits for the other for ever."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from mailboxes import customers, hosting, services
from mailboxes.files import address_files, domain_files
from mailboxes.models import Domain, Mailbox
from mailboxes.space import space_of
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


# --- The space of a domain ---


@pytest.fixture
def domain(db: None) -> Domain:
    """Of a thousand MB for all its mailboxes two hundred are left."""
    services.add_domain("firma.example")
    made = Domain.objects.get()
    for name in ("anna", "ewa"):
        services.add_mailbox(f"{name}@firma.example", quota_mb=400)
    hosting.set_domain(made, actor=None, quota_mb=200, total_quota_mb=1000)
    return made


def one_more(name: str) -> None:
    services.add_mailbox(f"{name}@firma.example")


def more_space(name: str) -> None:
    hosting.set_quota(Mailbox.objects.get(local_part=name), 600, actor=None)


def a_lower_total() -> None:
    hosting.set_domain(Domain.objects.get(), actor=None, total_quota_mb=800)


@pytest.mark.parametrize(
    "acts",
    [
        [lambda: one_more("jan"), lambda: one_more("ola")],
        [lambda: more_space("anna"), lambda: more_space("ewa")],
        [lambda: more_space("anna"), lambda: one_more("jan")],
        [lambda: address_files.make(lines("x@firma.example"), actor=None), lambda: more_space("ewa")],
    ],
    ids=["two mailboxes", "two that get more", "more for one and a mailbox", "a file and more for one"],
)
def test_of_two_at_once_one_gets_the_last_space(domain: Domain, acts: list[Callable[[], None]]) -> None:
    told = at_once(*acts)
    assert sorted(map(bool, told)) == [False, True], told
    assert "1000 MB together" in "".join(told)
    assert space_of("firma.example").allotted == 1000


def test_a_total_that_is_lowered_meanwhile_comes_before_or_after(domain: Domain) -> None:
    told = at_once(a_lower_total, lambda: one_more("jan"))
    assert told[0] == ""
    assert space_of("firma.example").allotted == (800 if told[1] else 1000)
    assert Domain.objects.get().total_quota_mb == 800


def test_each_may_have_more_or_one_more_may_be_there_but_not_both(domain: Domain) -> None:
    one_more("jan")
    hosting.set_domain(domain, actor=None, total_quota_mb=1200)

    def more_for_each() -> None:
        hosting.set_domain(Domain.objects.get(), actor=None, quota_mb=400)

    told = at_once(more_for_each, lambda: one_more("ola"))
    assert sorted(map(bool, told)) == [False, True], told
    assert space_of("firma.example").allotted == 1200
