"""What an import meets in the panel: addresses that are taken, limits, people with more rights, another import."""

import io
from pathlib import Path

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django import Settings

from importing.carrying import Carrier, Options
from importing.facts import Alias as SourceAlias
from importing.facts import Domain as SourceDomain
from importing.facts import DomainAlias, Source
from importing.facts import Mailbox as SourceMailbox
from importing.facts import Responder as SourceResponder
from importing.items import State
from importing.settling import settle
from mailboxes import hosting, services
from mailboxes.deletion import deleted_domains
from mailboxes.models import Alias, Domain, Mailbox, User
from mailboxes.services import targets_of
from responders.models import Responder
from responders.services import database_now, save_responder
from responders.validation import ResponderInput
from tests.conftest import PASSWORD
from tests.services.imports.runs import HERE

POSTFIXADMIN = HERE / "postfixadmin-mysql.sql"

Line = tuple[State, str, str, str]


def carry(source: Source, **options: bool) -> list[Line]:
    """Apply it; the dry run before says the same."""
    chosen = Options(now=database_now(), zone="Europe/Warsaw", **options)
    settled = settle(source)
    dry = [(item.state, item.kind, item.name, item.reason) for item in Carrier(settled, chosen).items()]
    applied = Options(now=chosen.now, zone=chosen.zone, applies=True, **options)
    lines = [(item.state, item.kind, item.name, item.reason) for item in Carrier(settled, applied).items()]
    assert dry == lines
    return lines


def box(local_part: str, **about: object) -> SourceMailbox:
    return SourceMailbox(f"{local_part}@firma.example", password="{PLAIN}swordfish", **about)  # type: ignore[arg-type]


def answer(name: str, **about: object) -> SourceResponder:
    chosen = {"is_enabled": True, "subject": "S", "text_body": "T", "zone": "Europe/Warsaw"} | about
    return SourceResponder(f"{name}@firma.example", **chosen)  # type: ignore[arg-type]


def test_addresses_that_are_taken_here_stay_as_they_are(mailbox: Mailbox) -> None:
    services.add_alias("biuro@firma.example", ["anna@firma.example"])
    lines = carry(
        Source(
            mailboxes=[box("biuro"), box("jan")],
            aliases=[
                SourceAlias("anna@firma.example", ("jan@firma.example",)),
                SourceAlias("x@firma.example", ("biuro@firma.example",)),
            ],
        )
    )
    assert (State.LEFT_OUT, "mailbox", "biuro@firma.example", "is-an-alias-here") in lines
    assert (State.LEFT_OUT, "alias", "anna@firma.example", "is-a-mailbox-here") in lines
    assert targets_of(Alias.objects.get(address="biuro@firma.example")) == ["anna@firma.example"]
    assert not Alias.objects.filter(address="x@firma.example").exists()


def test_a_mailbox_that_was_deleted_here_stays_deleted(mailbox: Mailbox) -> None:
    hosting.delete_mailbox(mailbox, now=database_now(), actor=None)
    lines = carry(Source(mailboxes=[box("anna")], responders=[answer("anna")]), overwrites=True)
    assert (State.LEFT_OUT, "mailbox", "anna@firma.example", "was-deleted-here") in lines
    assert Mailbox.objects.get().deleted_at is not None


@pytest.mark.parametrize("is_named", [True, False])
def test_nothing_is_brought_into_a_domain_that_was_deleted_here(mailbox: Mailbox, is_named: bool) -> None:
    deleted_domains.delete_domain(mailbox.domain, now=database_now(), actor=None)
    before = (
        list(Mailbox.objects.values_list()),
        list(Alias.objects.values_list()),
        list(Domain.objects.values_list()),
    )
    source = Source(
        domains=[SourceDomain("firma.example")] if is_named else [], mailboxes=[box("anna"), box("nowa")],
        aliases=[SourceAlias("biuro@firma.example", ("x@elsewhere.example",))], responders=[answer("anna")],
    )  # fmt: skip
    lines = carry(source, overwrites=True)
    assert (State.LEFT_OUT, "domain", "firma.example", "was-deleted-here") in lines
    after = (list(Mailbox.objects.values_list()), list(Alias.objects.values_list()), list(Domain.objects.values_list()))
    assert after == before


def test_what_was_switched_off_here_receives_mail_where_the_source_is_to_win(mailbox: Mailbox) -> None:
    Mailbox.objects.update(is_active=False)
    Domain.objects.update(is_active=False)
    source = Source(domains=[SourceDomain("firma.example")], mailboxes=[box("anna")])
    carry(source, overwrites=True)
    assert (Mailbox.objects.get().is_active, Domain.objects.get().is_active) == (True, True)


def test_a_domain_that_is_full_takes_no_more(mailbox: Mailbox) -> None:
    Domain.objects.update(max_mailboxes=2)
    lines = carry(Source(mailboxes=[box("jan"), box("ewa")]))
    assert (State.NEW, "mailbox", "jan@firma.example", "") in lines
    assert (State.LEFT_OUT, "mailbox", "ewa@firma.example", "refused") in lines


def test_a_domain_gives_no_more_space_than_it_has(mailbox: Mailbox) -> None:
    Domain.objects.update(quota_mb=400, total_quota_mb=1000)
    lines = carry(Source(mailboxes=[box("jan", quota_mb=500), box("ewa"), box("ola", quota_mb=100)]))
    states = {name: (state, reason) for state, kind, name, reason in lines if kind == "mailbox"}
    assert states == {
        "jan@firma.example": (State.NEW, ""), "ewa@firma.example": (State.LEFT_OUT, "refused"),
        "ola@firma.example": (State.NEW, ""),
    }  # fmt: skip
    assert Domain.objects.get().mailbox_set.count() == 3


def test_a_total_comes_after_the_mailboxes_and_takes_nothing_from_them(db: None) -> None:
    domain = SourceDomain("firma.example", quota_mb=400, total_quota_mb=500)
    lines = carry(Source(domains=[domain], mailboxes=[box("jan"), box("ewa", quota_mb=300)]))
    assert State.LEFT_OUT not in {state for state, _kind, _name, _reason in lines}
    assert (Domain.objects.get().total_quota_mb, Mailbox.objects.count()) == (500, 2)


def test_a_total_is_left_out_where_a_mailbox_would_have_no_limit(db: None) -> None:
    domain = SourceDomain("firma.example", total_quota_mb=500)
    lines = carry(Source(domains=[domain], mailboxes=[box("jan"), box("ewa", quota_mb=300)]))
    assert (State.LEFT_OUT, "domain", "firma.example", "space-of-a-domain") in lines
    assert (Domain.objects.get().total_quota_mb, Mailbox.objects.count()) == (None, 2)


def test_the_total_of_a_domain_that_is_here_is_theirs_where_the_source_is_to_win(mailbox: Mailbox) -> None:
    source = Source(domains=[SourceDomain("firma.example", total_quota_mb=500)])
    assert (State.DIFFERS, "domain", "firma.example", "is-here-otherwise") in carry(source)
    assert (State.LEFT_OUT, "domain", "firma.example", "space-of-a-domain") in carry(source, overwrites=True)
    assert Domain.objects.get().total_quota_mb is None
    Mailbox.objects.update(quota_mb=100)
    carry(source, overwrites=True)
    assert Domain.objects.get().total_quota_mb == 500


@pytest.mark.parametrize("local_part", ["a%b", "a!b", "a/b"])
def test_addresses_that_mail_servers_do_not_deliver_to_are_refused_in_the_dry_run_too(
    db: None, local_part: str
) -> None:
    address = f"{local_part}@firma.example"
    lines = carry(Source(mailboxes=[box(local_part), box("jan")], responders=[answer(local_part)]))
    assert (State.LEFT_OUT, "mailbox", address, "refused") in lines
    assert (State.LEFT_OUT, "autoresponder", address, "no-such-mailbox") in lines
    lines = carry(Source(aliases=[SourceAlias(address, ("jan@elsewhere.example",))]))
    assert (State.LEFT_OUT, "alias", address, "refused") in lines


def test_aliases_alone_may_lead_to_mailboxes_that_are_here_and_to_no_others(mailbox: Mailbox) -> None:
    lines = carry(
        Source(
            aliases=[
                SourceAlias("biuro@firma.example", ("anna@firma.example",)),
                SourceAlias("x@firma.example", ("nikt@firma.example",)),
                SourceAlias("y@nowa.example", ("nikt@nowa.example",)),
            ]
        )
    )
    assert (State.NEW, "alias", "biuro@firma.example", "") in lines
    assert (State.LEFT_OUT, "alias", "x@firma.example", "target-refused") in lines
    assert (State.LEFT_OUT, "alias", "y@nowa.example", "target-refused") in lines
    assert list(Alias.objects.values_list("address", flat=True)) == ["biuro@firma.example"]


def test_the_domain_of_the_copies_is_refused(db: None, settings: Settings) -> None:
    lines = carry(Source(domains=[SourceDomain(settings.AUTOREPLY_DOMAIN)]))
    assert lines == [(State.LEFT_OUT, "domain", settings.AUTOREPLY_DOMAIN, "refused")]


def test_the_owner_here_keeps_the_password_and_staff_keep_theirs_always(mailbox: Mailbox, anna: User) -> None:
    carry(Source(mailboxes=[box("anna", name="Anna Nowak")]))
    assert User.objects.get(pk=anna.pk).check_password(PASSWORD)
    User.objects.filter(pk=anna.pk).update(is_staff=True)
    source = settle(Source(mailboxes=[box("anna", name="Anna Nowak")]))
    options = Options(now=database_now(), zone="Europe/Warsaw", applies=True, overwrites=True)
    reasons = {item.reason for item in Carrier(source, options).items()}
    assert "password-of-an-account-with-more-rights" in reasons
    assert User.objects.get(pk=anna.pk).check_password(PASSWORD)


def test_an_own_autoresponder_is_never_joined_by_a_second_one(mailbox: Mailbox, standing_reply: Responder) -> None:
    lines = carry(Source(responders=[answer("anna")]))
    assert (State.DIFFERS, "autoresponder", "anna@firma.example", "is-here-otherwise") in lines
    assert Responder.objects.count() == 1
    values = ResponderInput("absence", True, None, None, "Europe/Warsaw", "B", "B")
    save_responder(mailbox, values, actor=None, now=database_now())
    lines = carry(Source(responders=[answer("anna")]), overwrites=True)
    assert (State.DIFFERS, "autoresponder", "anna@firma.example", "has-several-here") in lines


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ({"text_body": ""}, "text_body"), ({"text_body": "x" * 60_000}, "too long"),
        ({"text_body": '{{ "{" }}' * 400}, "text_body"), ({"subject": "x" * 501}, "subject"),
    ],
)  # fmt: skip
def test_an_autoresponder_that_cannot_be_saved_says_why(mailbox: Mailbox, about: dict[str, object], words: str) -> None:
    options = Options(now=database_now(), zone="Europe/Warsaw", applies=True)
    [item] = Carrier(settle(Source(responders=[answer("anna", **about)])), options).items()
    assert (item.state, item.reason) == (State.LEFT_OUT, "refused")
    assert words in item.detail


def test_aliases_of_aliases_rings_and_depths_come_to_an_end(db: None) -> None:
    deep = [SourceAlias(f"a{n}@firma.example", (f"a{n + 1}@firma.example",)) for n in range(3000)]
    ring = {"r1": ("r2@firma.example", "jan@firma.example"), "r2": ("r1@firma.example",)}
    aliases = [*deep, SourceAlias("a3000@firma.example", ("jan+x@firma.example",))]
    aliases += [SourceAlias(f"{name}@firma.example", targets) for name, targets in ring.items()]
    settled = settle(Source(mailboxes=[box("jan")], aliases=aliases))
    assert {alias.targets for alias in settled.aliases} == {("jan@firma.example",)}
    assert len(settled.aliases) == 3003


def test_a_domain_alias_of_itself_or_of_nothing_is_harmless(db: None) -> None:
    pairs = {"firma.example": "firma.example", "x.example": "nowhere.example", "": "x"}
    domain_aliases = [DomainAlias(name, target) for name, target in pairs.items()]
    source = Source(domains=[SourceDomain("firma.example")], mailboxes=[box("jan")], domain_aliases=domain_aliases)
    lines = carry(source)
    assert (State.LEFT_OUT, "domain", "x.example", "alias-of-a-domain-that-is-not-there") in lines
    assert not Alias.objects.exists()


@pytest.mark.parametrize("name", ["a" * 300, "\x1b[2J\x07", "null\0null", "line\nline", "\ud800", "🙂 \u202egnp"])
def test_names_from_elsewhere_do_no_harm(db: None, name: str) -> None:
    [*_others, item] = [
        item
        for item in Carrier(
            settle(Source(mailboxes=[box("jan", name=name)])),
            Options(now=database_now(), zone="Europe/Warsaw", applies=True),
        ).items()
        if item.kind == "mailbox"
    ]
    assert item.line.isprintable()
    stored = Mailbox.objects.get(local_part="jan").name
    assert len(stored) <= 200
    assert "\n" not in stored


@pytest.mark.django_db(transaction=True)
def test_two_imports_at_once_do_not_meet() -> None:
    names = ("host", "port", "user", "password", "dbname")
    parameters = {name: value for name, value in connection.get_connection_params().items() if name in names}
    with psycopg.connect(**parameters) as other:
        other.execute("SELECT pg_advisory_lock(7251, 6)")
        with pytest.raises(CommandError, match="another import is running"):
            call_command("import", "postfixadmin", str(POSTFIXADMIN), "--apply", stdout=io.StringIO())
    assert not Domain.objects.exists()


def test_a_zone_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="not a time zone"):
        call_command("import", "sieve", str(tmp_path), "--zone", "Warszawa")
