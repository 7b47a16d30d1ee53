"""The space that all mailboxes of a domain may have together: what is allotted never passes it, whoever allots it."""

from datetime import timedelta

import pytest
from django.utils import timezone

from mailboxes import hosting, services
from mailboxes.domain_dns import claims
from mailboxes.files import address_files
from mailboxes.models import Customer, Domain, Mailbox
from mailboxes.services import NoSpace
from mailboxes.space import Space, limited_in, refusal, space_of

NAME = "firma.example"


@pytest.fixture
def domain(db: None) -> Domain:
    """A thousand MB for all, four hundred for each."""
    services.add_domain(NAME)
    made = Domain.objects.get()
    hosting.set_domain(made, actor=None, quota_mb=400, total_quota_mb=1000)
    return made


def fresh() -> Domain:
    return Domain.objects.get(name=NAME)


def allotted() -> int:
    return space_of(NAME).allotted


# --- What is decided, without a database ---

FULL = Space(NAME, total=1000, default=400, own=200, without_own=2)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (FULL, FULL.with_mailbox(1), "0 MB of that are left, and this takes 1 MB"),
        (FULL, FULL.with_mailbox(None), "this takes 400 MB"),
        (FULL, FULL.without_mailbox(None).with_mailbox(400), ""),
        (FULL, FULL.without_mailbox(200).with_mailbox(None), "this takes 200 MB"),
        (FULL, FULL.without_mailbox(None), ""),
        (Space(NAME, None, None), Space(NAME, None, None, without_own=7), ""),
        (Space(NAME, 1000, None), Space(NAME, 1000, None, without_own=1), "1 mailbox would have no limit"),
        (Space(NAME, None, None, own=9, without_own=2), Space(NAME, 50, None, 9, 2), "2 mailboxes would have no limit"),
        (Space(NAME, None, 400, without_own=3), Space(NAME, 1000, 400, without_own=3), ""),
        (Space(NAME, 1000, 400, without_own=3), Space(NAME, 1000, 399, without_own=3), ""),
        (Space(NAME, 1000, 400, without_own=3), Space(NAME, 1000, 401, without_own=3), "0 MB of that are left"),
        (Space(NAME, 1000, None, without_own=1), Space(NAME, 1000, None, own=100, without_own=1), ""),
    ],
    ids=[
        "full", "full with the usual space", "the same by its own", "more by the usual", "one less", "no total",
        "no limit", "a total over mailboxes without a limit", "a total below what is allotted", "less, but still over",
        "more while it is over", "one that was without a limit before is no reason",
    ],
)  # fmt: skip
def test_what_takes_more_than_is_left_is_refused(before: Space, after: Space, words: str) -> None:
    told = refusal(before, after)
    assert words in told if words else told == ""


# --- Everything that allots ---


def test_a_new_mailbox_wants_room_for_its_space(domain: Domain) -> None:
    services.add_mailbox(f"anna@{NAME}")
    services.add_mailbox(f"ewa@{NAME}", quota_mb=500)
    with pytest.raises(NoSpace, match="100 MB of that are left, and this takes 400 MB"):
        services.add_mailbox(f"jan@{NAME}")
    services.add_mailbox(f"jan@{NAME}", quota_mb=100)
    assert allotted() == 1000
    with pytest.raises(NoSpace):
        services.add_mailbox(f"ola@{NAME}", quota_mb=1)
    assert Mailbox.objects.count() == 3


def test_another_space_of_a_mailbox_wants_room_for_the_difference(domain: Domain) -> None:
    anna, _ewa = services.add_mailbox(f"anna@{NAME}"), services.add_mailbox(f"ewa@{NAME}")
    hosting.set_quota(anna, 600, actor=None)
    with pytest.raises(NoSpace):
        hosting.set_quota(anna, 601, actor=None)
    with pytest.raises(NoSpace):
        services.change_mailbox(anna, actor=None, quota_mb=601)
    anna.refresh_from_db()
    assert (anna.quota_mb, allotted()) == (600, 1000)
    services.change_mailbox(anna, actor=None, name="Anna Nowak", quota_mb=600)
    hosting.set_quota(anna, None, actor=None)
    assert allotted() == 800


def test_another_space_of_each_wants_room_for_all(domain: Domain) -> None:
    services.add_mailbox(f"anna@{NAME}")
    services.add_mailbox(f"ewa@{NAME}", quota_mb=500)
    hosting.set_domain(fresh(), actor=None, quota_mb=500)
    with pytest.raises(NoSpace):
        hosting.set_domain(fresh(), actor=None, quota_mb=501)
    with pytest.raises(NoSpace, match="1 mailbox would have no limit"):
        hosting.set_domain(fresh(), actor=None, quota_mb=None)
    assert (fresh().quota_mb, allotted()) == (500, 1000)
    hosting.set_domain(fresh(), actor=None, quota_mb=None, total_quota_mb=None)
    assert (fresh().quota_mb, fresh().total_quota_mb) == (None, None)


def test_a_lower_total_takes_nothing_away_and_gives_nothing_more(domain: Domain) -> None:
    anna, _ewa = services.add_mailbox(f"anna@{NAME}"), services.add_mailbox(f"ewa@{NAME}")
    hosting.set_domain(fresh(), actor=None, total_quota_mb=500)
    assert (allotted(), limited_in([NAME])[NAME].is_over) == (800, True)
    with pytest.raises(NoSpace):
        services.add_mailbox(f"jan@{NAME}", quota_mb=1)
    hosting.set_quota(anna, 300, actor=None)
    with pytest.raises(NoSpace):
        hosting.set_quota(anna, 301, actor=None)
    hosting.set_domain(fresh(), actor=None, quota_mb=200)
    assert (allotted(), limited_in([NAME])[NAME].is_over) == (500, False)


def test_a_total_wants_a_limit_of_every_mailbox(db: None) -> None:
    services.add_domain(NAME)
    anna = services.add_mailbox(f"anna@{NAME}")
    with pytest.raises(NoSpace, match="1 mailbox would have no limit"):
        hosting.set_domain(fresh(), actor=None, total_quota_mb=1000)
    hosting.set_quota(anna, 100, actor=None)
    hosting.set_domain(fresh(), actor=None, total_quota_mb=1000)
    with pytest.raises(NoSpace, match="1 mailbox would have no limit"):
        services.add_mailbox(f"ewa@{NAME}")
    with pytest.raises(NoSpace):
        hosting.set_quota(anna, None, actor=None)
    services.add_mailbox(f"ewa@{NAME}", quota_mb=900)


def test_who_was_deleted_keeps_the_space_until_it_is_for_good(domain: Domain) -> None:
    now = timezone.now()
    anna = services.add_mailbox(f"anna@{NAME}", quota_mb=1000)
    hosting.delete_mailbox(anna, now=now, actor=None)
    with pytest.raises(NoSpace):
        services.add_mailbox(f"ewa@{NAME}", quota_mb=1)
    hosting.restore_mailbox(anna, actor=None)
    hosting.delete_mailbox(anna, now=now, actor=None)
    assert hosting.purge_now(anna, now=now + timedelta(seconds=1), actor=None)
    services.add_mailbox(f"ewa@{NAME}", quota_mb=1000)


def test_without_a_total_anything_may_be_allotted(db: None) -> None:
    services.add_domain(NAME)
    anna = services.add_mailbox(f"anna@{NAME}")
    assert limited_in([NAME]) == {}
    hosting.set_quota(anna, 9_000_000, actor=None)
    hosting.set_quota(anna, None, actor=None)
    hosting.set_domain(fresh(), actor=None, quota_mb=None)
    assert space_of(NAME) == Space(NAME, None, None, own=0, without_own=1)


def test_a_further_domain_of_the_customer_begins_with_the_least_total(db: None) -> None:
    customer = Customer.objects.create(name="Firma", number="K-1")
    for name, total in (("a.example", 5000), ("b.example", 3000), ("c.example", None)):
        claims.add_domain(customer, name, actor=None, quota_mb=None, total_quota_mb=total)
    assert claims.add_domain(customer, "d.example", actor=None).total_quota_mb == 3000


def test_the_preview_of_a_file_says_which_line_finds_no_room(domain: Domain) -> None:
    services.add_mailbox(f"anna@{NAME}")
    rows = [
        {"address": f"ewa@{NAME}", "quota_mb": "500"}, {"address": f"jan@{NAME}", "quota_mb": ""},
        {"address": f"ola@{NAME}", "quota_mb": "100"}, {"address": f"iza@{NAME}", "quota_mb": "1"},
        {"address": f"biuro@{NAME}", "targets": f"anna@{NAME}"},
    ]  # fmt: skip
    planned = address_files.plan(rows, Domain.objects.all(), sets_limits=True)
    told = [line.problem for line in planned]
    assert [bool(words) for words in told] == [False, True, False, True, False]
    assert "100 MB of that are left, and this takes 400 MB" in told[1]
    assert "0 MB of that are left, and this takes 1 MB" in told[3]
    address_files.make([line for line in planned if not line.problem], actor=None)
    assert allotted() == 1000
    with pytest.raises(NoSpace):
        address_files.make([address_files.Line(f"iza@{NAME}", "", 1, ())], actor=None)
