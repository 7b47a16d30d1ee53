"""A domain that was deleted with all that is in it: what is left of it for anybody, and how it comes back."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from mailboxes import access, customers, hosting, services, tasks
from mailboxes.deletion import deleted_aliases, deleted_domains
from mailboxes.domain_dns import claims, turns
from mailboxes.domain_dns.records import Answer
from mailboxes.models import (
    Alias,
    Customer,
    Delegation,
    DkimKey,
    Domain,
    DomainClaim,
    DomainHealth,
    LogLine,
    Mailbox,
    User,
)
from mailboxes.services import MailboxesError
from mailboxes.signing import dkim
from responders.models import Responder
from responders.services import database_now

VIEWS = {
    "mail_domains": "domain", "mail_mailboxes": "address", "mail_aliases": "address", "mail_accounts": "address",
    "mail_refused": "address", "mail_recipients": "address", "responder_copy": "address", "mail_deputies": "address",
}  # fmt: skip


def rows(view: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {view}")
        return sorted(cursor.fetchall(), key=repr)


def all_rows() -> dict[str, list[tuple[Any, ...]]]:
    return {view: rows(view) for view in VIEWS}


def left(*models: type[Any]) -> list[Any]:
    return [row for model in models for row in model.objects.all()]


def delete(domain: Domain, now: datetime | None = None) -> Domain:
    assert deleted_domains.delete_domain(domain, now=now or database_now(), actor=None)
    return domain


def restore(domain: Domain) -> None:
    assert deleted_domains.restore_domain(domain, actor=None)


@pytest.fixture
def firma(mailbox: Mailbox, standing_reply: Responder) -> Domain:
    """With something of everything, in every state."""
    domain = mailbox.domain
    domain.customer = Customer.objects.create(name="Firma", number="K-1")
    domain.catch_all = mailbox
    domain.save()
    off, suspended, gone, gone_suspended = (
        services.add_mailbox(f"{name}@firma.example") for name in ("off", "suspended", "gone", "both")
    )
    services.change_mailbox(off, is_active=False, actor=None)
    for one in (suspended, gone_suspended):
        hosting.suspend(one, now=database_now(), actor=None)
    for one in (gone, gone_suspended):
        one.refresh_from_db()
        hosting.delete_mailbox(one, now=database_now(), actor=None)
    services.add_alias("biuro@firma.example", ["anna@firma.example", "jan@elsewhere.example"])
    quiet = services.add_alias("cicho@firma.example", ["anna@firma.example"])
    services.change_alias(quiet, is_active=False, actor=None)
    before = services.add_alias("dawny@firma.example", ["anna@firma.example"])
    deleted_aliases.delete_alias(before, now=database_now(), actor=None)
    jan = User.objects.create_user("jan@firma.example")
    Mailbox.objects.create(domain=domain, local_part="jan", owner=jan)
    Delegation.objects.create(mailbox=mailbox, user=jan)
    dkim.let_sign(dkim.make_key(domain, "rsa", now=database_now(), actor=None), now=database_now(), actor=None)
    DomainHealth.objects.create(domain=domain, next_check_at=database_now())
    return domain


def test_nothing_of_it_is_there_for_mail_and_all_of_it_is_back_afterwards(firma: Domain) -> None:
    before = all_rows()
    assert all(before[view] for view in VIEWS.keys() - {"mail_deputies"})
    stored = {model: sorted(model.objects.values_list(), key=repr) for model in (Mailbox, Alias, Delegation, DkimKey)}
    delete(firma)
    assert all(found == [] for found in all_rows().values())
    restore(firma)
    assert all_rows() == before
    assert {model: sorted(model.objects.values_list(), key=repr) for model in stored} == stored
    assert (firma.is_active, firma.catch_all) == (True, Mailbox.objects.get(local_part="anna"))


@pytest.mark.parametrize("state", ["off", "suspended", "suspended while off"])
def test_it_comes_back_as_it_was(firma: Domain, state: str) -> None:
    if "off" in state:
        hosting.set_domain(firma, actor=None, is_active=False)
    if "suspended" in state:
        hosting.suspend(firma, now=database_now(), actor=None)
    firma.refresh_from_db()
    before = (firma.is_active, firma.suspended_at, firma.refuses_from, all_rows())
    delete(firma)
    assert (rows("mail_domains"), rows("mail_mailboxes")) == ([], [])
    restore(firma)
    assert (firma.is_active, firma.suspended_at, firma.refuses_from, all_rows()) == before
    if "suspended" in state:
        hosting.resume(firma, actor=None)
        assert firma.is_active == ("off" not in state)


def test_one_row_is_written_however_many_mailboxes(
    firma: Domain, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    Mailbox.objects.bulk_create(Mailbox(domain=firma, local_part=f"m{number}") for number in range(300))
    with django_assert_max_num_queries(10):
        delete(firma)


def test_an_alias_elsewhere_leads_to_the_others_and_nobody_is_answered_for(firma: Domain) -> None:
    anna = Mailbox.objects.get(local_part="anna")
    own = Domain.objects.create(name="druga.example", customer=firma.customer)
    ewa = Mailbox.objects.create(domain=own, local_part="ewa")
    services.add_alias("wszyscy@druga.example", [anna.address, ewa.address, "x@elsewhere.example"])
    alone = services.add_alias("anna@druga.example", [anna.address])
    delete(firma)
    assert {row for row in rows("mail_aliases") if row[0] == "wszyscy@druga.example"} == {
        ("wszyscy@druga.example", "ewa@druga.example"), ("wszyscy@druga.example", "x@elsewhere.example"),
    }  # fmt: skip
    assert alone.address not in {row[0] for view in ("mail_recipients", "responder_copy") for row in rows(view)}
    restore(firma)
    assert alone.address in {row[0] for row in rows("responder_copy")}


def test_nobody_sees_it_and_all_see_it_again(firma: Domain, support: User) -> None:
    anna, jan = (User.objects.get(email=f"{name}@firma.example") for name in ("anna", "jan"))
    boss = User.objects.create_user("szefowa@x.example")
    assert firma.customer is not None
    firma.customer.administrators.add(boss)
    people = (anna, jan, boss, support)

    def seen() -> list[tuple[int, ...]]:
        return [
            (
                access.mailboxes_visible_to(one).count(), access.own_mailboxes(one).count(),
                access.domains_managed_by(one).count(), access.mailboxes_in_lists(one).rows.count(),
                access.aliases_managed_by(one).count(), access.deleted_mailboxes(one).count(),
                access.deleted_aliases(one).count(), access.mailboxes_to_delegate(one).count(),
            )
            for one in people
        ]  # fmt: skip

    before = seen()
    assert all(any(counts) for counts in before)
    delete(firma)
    assert seen() == [(0,) * 8] * 4
    assert [access.deleted_domains(one).count() for one in people] == [0, 0, 1, 1]
    restore(firma)
    assert seen() == before


def test_who_has_nothing_left_at_the_company_looks_after_nobody(firma: Domain) -> None:
    own = Domain.objects.create(name="druga.example", customer=firma.customer)
    ewa = Mailbox.objects.create(domain=own, local_part="ewa")
    jan = User.objects.get(email="jan@firma.example")
    Delegation.objects.create(mailbox=ewa, user=jan)
    assert ewa in access.mailboxes_of(jan)
    delete(firma)
    assert not access.mailboxes_of(jan).exists()
    second = Mailbox.objects.create(domain=own, local_part="jan", owner=jan)
    assert set(access.mailboxes_of(jan)) == {ewa, second}
    second.delete()
    restore(firma)
    assert ewa in access.mailboxes_of(jan)


@pytest.mark.parametrize(
    "deed",
    [
        lambda one: hosting.suspend(one, now=database_now(), actor=None),
        lambda one: hosting.set_domain(one, actor=None, quota_mb=5),
        lambda one: services.add_mailbox("nowa@firma.example"),
        lambda one: services.add_alias("nowy@firma.example", ["x@elsewhere.example"]),
        lambda one: hosting.restore_mailbox(Mailbox.objects.get(local_part="gone"), actor=None),
        lambda one: deleted_aliases.restore_alias(one.deleted_aliases.get(), actor=None),
        lambda one: claims.add_domain(None, "firma.example", actor=None),
        lambda one: services.add_domain("firma.example"),
    ],
)
def test_nothing_is_done_in_it_meanwhile(firma: Domain, deed: Callable[[Domain], object]) -> None:
    delete(firma)
    stored = list(Mailbox.objects.values_list("pk", "deleted_at")), Alias.objects.count(), Domain.objects.count()
    with pytest.raises(MailboxesError, match="was deleted"):
        deed(firma)
    now = list(Mailbox.objects.values_list("pk", "deleted_at")), Alias.objects.count(), Domain.objects.count()
    assert now == stored


def test_its_dns_is_not_looked_at_and_its_keys_do_not_change(firma: Domain, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    monkeypatch.setattr(turns, "_look_or_log", lambda turn: looked.append(turn.domain.name) or [])
    delete(firma)
    turns.check_due(database_now)
    assert looked == []
    restore(firma)
    turns.check_due(database_now)
    assert looked == ["firma.example"]


# --- Somebody adds it meanwhile ---


def prove(claim: DomainClaim) -> claims.Outcome:
    answer = Answer(values=(claims.record_of(claim).value,))
    return claims.look(claim, now=database_now(), ask=lambda _name, _type: answer)


def test_its_own_customer_is_told_that_it_may_come_back(firma: Domain) -> None:
    assert firma.customer is not None
    delete(firma)
    with pytest.raises(MailboxesError, match="of yours was deleted, and is kept until"):
        claims.claim(firma.customer, "firma.example", now=database_now(), actor=None)


def test_another_customer_does_not_get_it_unnoticed_and_gets_it_when_it_is_gone(firma: Domain) -> None:
    delete(firma)
    rival = Customer.objects.create(name="Inna", number="K-2")
    claim = claims.claim(rival, "firma.example", now=database_now(), actor=None)
    assert prove(claim) is claims.Outcome.DISPUTED  # staff are told
    restore(firma)
    delete(firma)
    deleted_domains.end_domain(firma, actor=None)
    deleted_domains.purge_domain(firma)
    assert prove(claim) is claims.Outcome.PROVEN
    assert Domain.objects.get().customer == rival
    assert not Mailbox.objects.exists()


def test_who_is_deleted_after_the_domain_gets_none_of_its_mail_when_it_is_back(firma: Domain) -> None:
    delete(firma)
    hosting.delete_mailbox(Mailbox.objects.get(local_part="anna"), now=database_now(), actor=None)
    restore(firma)
    assert firma.catch_all is None
    assert LogLine.objects.filter(model="mailboxes.domain", words="catch_all: anna@firma.example → –").exists()


# --- For good ---


def test_after_its_days_the_task_removes_all_of_it(firma: Domain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deleted_domains, "BATCH", 2)
    elsewhere = Domain.objects.create(name="druga.example", customer=firma.customer)
    services.add_alias("anna@druga.example", ["anna@firma.example"])
    stays = services.add_alias("info@druga.example", ["anna@firma.example", "x@elsewhere.example"])
    homes = set(Mailbox.objects.values_list("home", flat=True))
    delete(firma, database_now() - timedelta(days=30))
    tasks.purge_deleted_mailboxes()
    assert list(Domain.objects.all()) == [elsewhere]
    assert left(Mailbox, DkimKey, Responder) == []
    assert list(Alias.objects.all()) == [stays]  # the other would lead nowhere
    assert services.targets_of(stays) == ["x@elsewhere.example"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT home FROM mailboxes_former_home")  # whose folders `mailbox orphans` finds
        assert {home for (home,) in cursor.fetchall()} >= homes
    words = LogLine.objects.filter(words="deleted for good").values_list("model", flat=True)
    assert {"mailboxes.domain", "mailboxes.mailbox", "mailboxes.alias"} <= set(words)


def test_before_that_it_removes_nothing(firma: Domain) -> None:
    delete(firma, database_now() - timedelta(days=29))
    assert tasks.purge_deleted_mailboxes() == 0
    restore(firma)


def test_killed_half_way_it_goes_on_and_does_not_come_back(firma: Domain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deleted_domains, "BATCH", 1)
    ticks: Iterator[float] = iter(range(1_000))
    delete(firma, database_now() - timedelta(days=30))
    count = Mailbox.objects.count()
    assert deleted_domains.purge_domains(database_now(), seconds=3, clock=lambda: next(ticks)) == 2
    assert Mailbox.objects.count() == count - 2
    with pytest.raises(MailboxesError, match="is being removed for good"):
        deleted_domains.restore_domain(firma, actor=None)
    with pytest.raises(MailboxesError, match="Try again in an hour"):
        claims.add_domain(None, "firma.example", actor=None)
    tasks.purge_deleted_mailboxes()
    assert not Domain.objects.exists()


def test_a_mailbox_whose_own_days_are_over_goes_alone(firma: Domain) -> None:
    gone = Mailbox.objects.get(local_part="gone")
    Mailbox.objects.filter(pk=gone.pk).update(deleted_at=database_now() - timedelta(days=31))
    delete(firma)
    tasks.purge_deleted_mailboxes()
    restore(firma)
    assert not Mailbox.objects.filter(pk=gone.pk).exists()
    assert Mailbox.objects.filter(local_part="both").exists()


# --- Customers ---


def test_a_customer_goes_with_its_domains_and_comes_back_with_those_alone(firma: Domain) -> None:
    customer = firma.customer
    assert customer is not None
    boss = User.objects.create_user("szefowa@x.example")
    customer.administrators.add(boss)
    second, earlier = (Domain.objects.create(name=f"{name}.example", customer=customer) for name in ("b", "c"))
    hosting.suspend(second, now=database_now(), actor=None)
    delete(earlier)
    before = all_rows()
    customers.delete_customer(customer, now=database_now(), actor=None)
    assert rows("mail_domains") == []
    assert not access.customers_administered_by(boss).exists()
    assert not access.domains_managed_by(boss).exists()
    assert not access.deleted_domains(boss).exists()
    assert not access.may_add_domains(boss)
    with pytest.raises(MailboxesError, match="bring back the customer first"):
        deleted_domains.restore_domain(firma, actor=None)
    with pytest.raises(MailboxesError, match="was deleted"):
        claims.claim(customer, "nowa.example", now=database_now(), actor=None)
    customers.restore_customer(customer, actor=None)
    assert all_rows() == before
    assert list(access.customers_administered_by(boss)) == [customer]
    earlier.refresh_from_db()
    assert earlier.deleted_at is not None
    second.refresh_from_db()
    assert second.suspended_at is not None


def test_a_claim_of_a_deleted_customer_is_not_proven(firma: Domain) -> None:
    assert firma.customer is not None
    claim = claims.claim(firma.customer, "nowa.example", now=database_now(), actor=None)
    customers.delete_customer(firma.customer, now=database_now(), actor=None)
    assert prove(claim) is claims.Outcome.NOT_THERE
    customers.restore_customer(firma.customer, actor=None)
    assert prove(claim) is claims.Outcome.PROVEN


def test_a_customer_is_removed_when_its_domains_are_gone(firma: Domain) -> None:
    customers.delete_customer(firma.customer, now=database_now() - timedelta(days=30), actor=None)
    tasks.purge_deleted_mailboxes()
    assert left(Customer, Domain, Mailbox) == []


def test_deleted_mailboxes_count_for_the_limits(firma: Domain) -> None:
    customer = firma.customer
    assert customer is not None
    count = Mailbox.objects.count()
    customers.change_customer(customer, actor=None, max_mailboxes=count)
    delete(firma)
    Domain.objects.create(name="druga.example", customer=customer)
    with pytest.raises(MailboxesError, match=f"may have {count} mailboxes at most"):
        services.add_mailbox("nowa@druga.example")
