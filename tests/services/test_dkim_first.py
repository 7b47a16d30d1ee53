"""A new domain gets a key without being asked, so that its record is among those to publish."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from mailboxes import tasks
from mailboxes.domain_dns import checking
from mailboxes.domain_dns.records import Finding, State
from mailboxes.models import DkimKey, Domain, DomainHealth
from mailboxes.signing import dkim, dkim_first

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def domain(name: str, age: timedelta = timedelta(minutes=1), *, is_active: bool = True) -> Domain:
    made = Domain.objects.create(name=name, is_active=is_active)
    Domain.objects.filter(pk=made.pk).update(created_at=NOW - age)
    return made


def owners() -> list[str]:
    return sorted(DkimKey.objects.values_list("domain_id", flat=True))


def test_a_new_domain_gets_one_key_that_waits_for_its_record() -> None:
    new = domain("firma.example")
    assert dkim_first.make_first_keys(NOW) == 1
    assert dkim_first.make_first_keys(NOW) == 0
    key = DkimKey.objects.get()
    assert (key.domain, key.algorithm, key.signs_since) == (new, "rsa", None)


def test_one_that_is_there_for_long_or_has_a_key_or_takes_no_mail_gets_none() -> None:
    domain("old.example", age=timedelta(days=3))
    domain("off.example", is_active=False)
    dkim.make_key(domain("signs.example"), "ed25519", now=NOW, actor=None)
    assert dkim_first.make_first_keys(NOW) == 0
    assert owners() == ["signs.example"]


def test_a_name_too_long_for_a_record_of_a_key_keeps_no_other_domain_from_its_key() -> None:
    domain(".".join(["a" * 60] * 4), age=timedelta(minutes=2))
    domain("firma.example")
    assert dkim_first.make_first_keys(NOW) == 1
    assert owners() == ["firma.example"]


def test_a_round_ends_in_time_and_the_next_one_goes_on() -> None:
    for number in range(3):
        domain(f"d{number}.example")
    assert dkim_first.make_first_keys(NOW, seconds=-1) == 0
    assert dkim_first.make_first_keys(NOW) == 3


def test_where_something_else_signs_no_keys_are_made(settings: Settings) -> None:
    settings.DKIM_FOR_NEW_DOMAINS = False
    Domain.objects.create(name="firma.example")
    assert tasks.make_first_dkim_keys() == 0
    settings.DKIM_FOR_NEW_DOMAINS = True
    assert tasks.make_first_dkim_keys() == 1


def test_the_dns_is_looked_at_soon_after_a_key_was_made_or_deleted() -> None:
    new = domain("firma.example")
    for change in (lambda: dkim_first.make_first_keys(NOW), lambda: dkim.delete_key(DkimKey.objects.get(), actor=None)):
        checking.record(new, [Finding("mx", State.OK, "ok")], timezone.now())
        assert DomainHealth.objects.get().next_check_at > timezone.now()
        change()
        assert DomainHealth.objects.get().next_check_at <= timezone.now()


def test_a_key_whose_record_the_daily_look_sees_begins_to_sign() -> None:
    new = domain("firma.example")
    seen, unseen = (dkim.make_key(new, algorithm, now=NOW, actor=None) for algorithm in ("rsa", "ed25519"))
    found = [
        Finding(f"dkim:{seen.selector}", State.OK, "ok"), Finding(f"dkim:{unseen.selector}", State.MISSING, "none")
    ]  # fmt: skip
    checking.record(new, found, NOW + timedelta(days=100))
    assert list(DkimKey.objects.filter(signs_since=NOW + timedelta(days=100))) == [seen]
