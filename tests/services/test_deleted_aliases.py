"""An alias that was deleted: what becomes of its address, and how it comes back."""

from datetime import timedelta

import pytest
from django.db import connection, transaction

from mailboxes import access, hosting, services, tasks
from mailboxes.deletion import deleted_aliases
from mailboxes.models import Alias, Customer, DeletedAlias, Domain, LogLine, Mailbox, User
from mailboxes.services import AddressTaken, MailboxesError
from responders.services import database_now

NOW = database_now


def group(mailbox: Mailbox) -> Alias:
    """Of a mailbox, whose own address it is, and somebody elsewhere."""
    alias = services.add_alias("biuro@firma.example", [mailbox.address, "jan@elsewhere.example"])
    alias.targets.filter(mailbox=mailbox).update(is_own_address=True)
    return alias


def delete(alias: Alias) -> DeletedAlias:
    row = deleted_aliases.delete_alias(alias, now=NOW(), actor=None)
    assert row is not None
    return row


def asked(address: str) -> set[str]:
    """What Postfix is told."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT mail_lookup_aliases(%s)", [address])
        return {row[0] for row in cursor.fetchall()}


def test_no_mail_at_once_and_all_as_before_when_it_is_back(mailbox: Mailbox) -> None:
    alias = group(mailbox)
    services.change_alias(alias, is_active=False, actor=None)
    services.change_alias(alias, is_active=True, actor=None)
    before = list(alias.targets.values_list("mailbox", "outside_address", "is_own_address"))
    row = delete(alias)
    assert asked("biuro@firma.example") == set()
    assert deleted_aliases.restore_alias(row, actor=None) == alias  # by its number: the log goes on
    again = Alias.objects.get()
    assert list(again.targets.values_list("mailbox", "outside_address", "is_own_address")) == before
    assert (again.created_at, again.is_active) == (alias.created_at, True)
    assert asked("biuro@firma.example") == {"anna@firma.example", "jan@elsewhere.example"}
    assert not DeletedAlias.objects.exists()


def test_one_that_was_off_comes_back_off(mailbox: Mailbox) -> None:
    alias = group(mailbox)
    services.change_alias(alias, is_active=False, actor=None)
    back = deleted_aliases.restore_alias(delete(Alias.objects.get()), actor=None)
    assert back is not None
    assert not back.is_active


@pytest.mark.parametrize("kind", ["alias", "mailbox"])
def test_its_address_is_free_and_whoever_has_it_keeps_it(mailbox: Mailbox, kind: str) -> None:
    row = delete(group(mailbox))
    if kind == "alias":
        services.add_alias("biuro@firma.example", ["ewa@elsewhere.example"])
    else:
        services.add_mailbox("biuro@firma.example")
    with pytest.raises(AddressTaken, match="given to somebody else meanwhile"):
        deleted_aliases.restore_alias(row, actor=None)
    assert DeletedAlias.objects.get() == row
    Alias.objects.all().delete()
    Mailbox.objects.filter(local_part="biuro").delete()
    assert deleted_aliases.restore_alias(row, actor=None) is not None


def test_two_that_had_the_address_one_after_the_other(mailbox: Mailbox) -> None:
    first = delete(group(mailbox))
    second = delete(services.add_alias("biuro@firma.example", ["ewa@elsewhere.example"]))
    assert deleted_aliases.restore_alias(first, actor=None) is not None
    with pytest.raises(AddressTaken):
        deleted_aliases.restore_alias(second, actor=None)


def test_a_mailbox_that_is_gone_for_good_is_left_out(mailbox: Mailbox) -> None:
    row = delete(group(mailbox))
    Mailbox.objects.filter(pk=mailbox.pk).delete()
    back = deleted_aliases.restore_alias(row, actor=None)
    assert back is not None
    assert services.targets_of(back) == ["jan@elsewhere.example"]


def test_where_nothing_is_left_it_says_so(mailbox: Mailbox) -> None:
    row = delete(services.add_alias("biuro@firma.example", [mailbox.address]))
    Mailbox.objects.filter(pk=mailbox.pk).delete()
    with pytest.raises(MailboxesError, match="Nothing is left"):
        deleted_aliases.restore_alias(row, actor=None)
    assert not Alias.objects.exists()


def test_a_mailbox_renamed_meanwhile_is_still_the_mailbox(mailbox: Mailbox) -> None:
    row = delete(group(mailbox))
    hosting.rename(mailbox, "anna.nowak", actor=None)
    back = deleted_aliases.restore_alias(row, actor=None)
    assert back is not None
    assert services.targets_of(back) == ["anna.nowak@firma.example", "jan@elsewhere.example"]


def test_another_company_is_not_shown_the_new_address(mailbox: Mailbox) -> None:
    theirs = Domain.objects.create(name="inna.example", customer=Customer.objects.create(name="Inna", number="2"))
    alias = Alias.objects.create(domain=theirs, local_part="do")
    alias.targets.create(mailbox=mailbox)
    row = delete(alias)
    hosting.rename(mailbox, "anna.nowak", actor=None)
    back = deleted_aliases.restore_alias(row, actor=None)
    assert back is not None
    assert services.targets_of(back) == ["anna@firma.example"]


def test_it_is_forgotten_when_the_days_are_over(mailbox: Mailbox, settings: object) -> None:
    row = delete(group(mailbox))
    assert deleted_aliases.purge_aliases(NOW() + timedelta(days=29)) == 0
    DeletedAlias.objects.filter(pk=row.pk).update(deleted_at=NOW() - timedelta(days=30))
    assert tasks.purge_deleted_mailboxes() == 1
    assert not DeletedAlias.objects.exists()
    assert LogLine.objects.filter(model="mailboxes.alias", key=str(row.pk), words="deleted for good").exists()


def test_only_whoever_manages_the_domain_takes_it_back(mailbox: Mailbox) -> None:
    row = delete(group(mailbox))
    boss, rival = (User.objects.create_user(f"{name}@x.example") for name in ("boss", "rival"))
    ours, theirs = (Customer.objects.create(name=name, number=name) for name in ("a", "b"))
    ours.administrators.add(boss)
    theirs.administrators.add(rival)
    Domain.objects.filter(pk=mailbox.domain.pk).update(customer=ours)
    assert list(access.deleted_aliases(boss)) == [row]
    assert list(access.deleted_aliases(rival)) == []
    assert list(access.deleted_aliases(mailbox.owner)) == []


def test_killed_half_way_nothing_has_happened(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    alias = group(mailbox)

    def killed(*_args: object, **_kwargs: object) -> None:
        raise SystemExit

    monkeypatch.setattr(deleted_aliases, "record", killed)
    with pytest.raises(SystemExit), transaction.atomic():
        deleted_aliases.delete_alias(alias, now=NOW(), actor=None)
    assert (Alias.objects.count(), DeletedAlias.objects.count()) == (1, 0)
