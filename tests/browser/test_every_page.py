"""Every page of the panel, as the person it is for: nothing wrong for people who cannot see it or use no mouse, on the
smallest screen, in both languages and both themes; and no heavier than a phone on a train can bear.

A page that is missing from the table fails the test.
"""

import gzip
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import get_resolver, reverse
from playwright.sync_api import Page

from mailboxes import profiles, services
from mailboxes.deletion import deleted_aliases
from mailboxes.domain_dns import checking
from mailboxes.domain_dns.records import State
from mailboxes.linking import links
from mailboxes.models import Alias, AliasTarget, Customer, Domain, DomainClaim, Mailbox, MailboxLink, User
from mailboxes.signing import dkim
from responders import calendars, notices
from responders.many import batches
from responders.many.batch_scope import Row
from responders.models import Batch, Decision, HelpVote, Refusal, Responder, ResponderEvent
from responders.services import By, database_now, switch
from tests.browser.axe import violations
from tests.browser.test_main_flow import SMALL_TARGETS
from tests.conftest import PASSWORD
from tests.web.test_query_counts import MOST, grow
from tests.web.test_who_may_open_what import addresses

# What is no page to look at: it changes something and leads elsewhere, is a file, or is for machines.
NO_PAGE = {
    "group_address", "responder_switch", "responder_move", "responder_answer_again", "delegation_end", "set_language",
    "device_end", "outbox", "calendar_feed", "healthz", "metrics", "account_signup", "account_reset_password",
    "account_set_password", "mfa_authenticate", "mfa_reauthenticate", "mfa_reauthenticate_webauthn",
    "batch_result", "batch_passwords", "mailbox_file", "support_message_file", "support_note",
    "mfa_deactivate_totp", "mfa_edit_webauthn", "mfa_remove_webauthn", "mfa_view_recovery_codes",
    "mfa_generate_recovery_codes", "mfa_download_recovery_codes", "mailbox_restore", "alias_restore", "mailbox_suspend",
    "domain_restore", "customer_restore",
    "mailbox_profile", "program_link_profile", "autoconfig", "autoconfig_well_known", "autoconfig_mail_v1",
    "autodiscover",
    "autodiscover_json", "autodiscover_json_v1", "link_end", "link_second_step",
}  # fmt: skip
# Those with keys and codes stand in test_account.py, which sets the factors up.
OF_OWNER = {
    "mailbox_list", "mailbox", "notices", "event_undo", "try_it", "responder_new", "responder_edit", "responder_delete",
    "calendar", "calendar_feed_settings", "help", "help_article", "delegations", "account", "account_change_password",
    "account_language", "account_time_zone", "usersessions_list", "device_end_others", "mfa_index",
    "mfa_activate_totp", "mfa_add_webauthn", "account_reauthenticate", "account_logout", "mailbox_new",
    "mailbox_settings", "mailbox_rename", "mailbox_delete", "app_passwords", "address_import", "domains", "domain",
    "alias_new", "alias_edit", "domain_signing", "mailbox_programs",
    "domain_new", "domain_claim", "domain_dns", "account_links", "own_sign_in",
}  # fmt: skip
OF_STAFF = {
    "batches", "batch_new", "batch", "support_why",
    "limits", "refusals", "acting", "help_feedback", "support", "support_attention", "support_customer",
    "support_domain", "support_messages", "support_message",
}  # fmt: skip
OF_ADMINISTRATOR = {"customer_import", "domain_import", "customer_delete", "domain_delete"}
OF_NOBODY = {"account_login", "account_inactive", "change_undo", "responder_end", "program_link", "link_end_by_mail"}
MAX_OCTETS = 100 * 1024
NO_QUESTIONS = ("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT", "SELECT set_config")


@pytest.fixture
def administrator(roles: None) -> User:
    """Of the panel."""
    person = User.objects.create_user("szef@hosting.example", PASSWORD)
    person.groups.add(Group.objects.get(name="administrator"))
    return person


@pytest.fixture
def paths(
    mailbox: Mailbox, standing_reply: Responder, support: User, administrator: User, anna: User
) -> dict[str, str]:
    """Name → path, of a mailbox with something of everything. Anna administers her company, too."""
    now = database_now()
    company = _company_of(mailbox, anna)
    _answers_and_silences(mailbox, now)
    switch(standing_reply, on=False, actor=By(support, "Telefon"), now=now)
    Refusal.objects.create(address="jan@example.com", refused_at=now, words="5.1.1 no such person")
    HelpVote.objects.create(user=anna, slug="what", is_helpful=False, comment="Za mało")
    _keys_and_checks_of_its_dns(mailbox.domain, now)
    Domain.objects.filter(pk=mailbox.domain.pk).update(quota_mb=400, total_quota_mb=300)  # too little: a warning
    shared, link = _linked(mailbox, anna, now)
    special = _of_the_responder(standing_reply) | _of_the_company(mailbox, company, now) | {
        "batch_new": {"kind": "set"}, "batch": {"pk": _batch(support, now).pk},
        "help_article": {"slug": "what-to-write"}, "calendar_feed": {"token": calendars.make_feed(anna)},
        "support_message": {"pk": Decision.objects.order_by("pk")[0].pk},
        "own_sign_in": {"pk": shared.pk}, "link_end_by_mail": {"token": _token(links.end_link(link), -3)},
        "program_link": {"token": _token(profiles.link_for(mailbox))},
    }  # fmt: skip
    routes = dict(addresses(get_resolver()))
    found = {
        name: reverse(name, kwargs=special.get(name, {"pk": mailbox.pk} if "<int:pk>" in routes[name] else {}))
        for name in OF_OWNER | OF_STAFF | OF_ADMINISTRATOR | OF_NOBODY
    }
    found["support"] += "?q=anna@firma.example"
    found["support_messages"] += "?sender=jan@example.com"
    return found


def _company_of(mailbox: Mailbox, administrator: User) -> Customer:
    company = Customer.objects.create(name="Firma", number="1")
    company.administrators.add(administrator)
    mailbox.domain.customer = company
    mailbox.domain.save()
    return company


def _answers_and_silences(mailbox: Mailbox, now: datetime) -> None:
    Responder.objects.create(
        mailbox=mailbox, type="absence", subject="Urlop", text_body="x", position=1, from_utc=now,
        from_date=now.replace(tzinfo=None), to_date=datetime(2099, 1, 1), to_utc=datetime(2099, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    for reason in ("replied", "list-or-bulk"):
        Decision.objects.create(
            mailbox=mailbox, decided_at=now, reverse_path="jan@example.com", forward_path=mailbox.address,
            reason=reason, evidence="List-Id", queue_id="4Xy7Zk2bQ1z",
            message_id=f"<CAF391xJh7Kq2mVn8wPz={'abcdefgh' * 6}@mail.przedsiebiorstwo-wielobranzowe.example>",
        )  # fmt: skip


def _keys_and_checks_of_its_dns(domain: Domain, now: datetime) -> None:
    dkim.let_sign(dkim.make_key(domain, "rsa", now=now, actor=None), now=now, actor=None)
    for algorithm in ("rsa", "ed25519"):
        dkim.make_key(domain, algorithm, now=now, actor=None)
    seen = checking.unasked(domain)
    checking.record(domain, [replace(one, state=State.OK, reason="ok") for one in seen], now - timedelta(days=9))
    for ago in (timedelta(days=2), timedelta(days=1)):
        broken = [replace(one, state=State.MISSING, reason="none", found=("x" * 300,)) for one in seen]
        checking.record(domain, broken, now - ago)


def _of_the_responder(row: Responder) -> dict[str, dict[str, Any]]:
    event = ResponderEvent.objects.get()
    return {
        "event_undo": {"pk": event.pk}, "responder_edit": {"pk": row.pk}, "responder_delete": {"pk": row.pk},
        "change_undo": {"token": _token(notices.undo_link(event))},
        "responder_end": {"token": _token(notices.end_link(row))},
    }  # fmt: skip


def _of_the_company(mailbox: Mailbox, company: Customer, now: datetime) -> dict[str, dict[str, Any]]:
    alias = Alias.objects.create(domain=mailbox.domain, local_part="biuro")
    AliasTarget.objects.create(alias=alias, mailbox=mailbox)
    for address in ("dawny@firma.example", f"{'d' * 60}@firma.example"):
        gone = services.add_alias(address, [mailbox.address, f"{'x' * 60}@elsewhere.example"])
        deleted_aliases.delete_alias(gone, now=now, actor=None)
    claim = DomainClaim.objects.create(
        customer=company, name="nowa.example", token="x" * 32, created_at=now, next_check_at=now
    )
    of_domain = ("domain", "domain_delete", "alias_new", "domain_signing", "domain_dns", "support_domain")
    return {name: {"name": mailbox.domain_id} for name in of_domain} | {
        "alias_edit": {"pk": alias.pk}, "domain_claim": {"pk": claim.pk}, "support_customer": {"pk": company.pk},
        "customer_delete": {"pk": company.pk},
    }  # fmt: skip


def _token(link: str, place: int = -2) -> str:
    """Of a signed link."""
    return link.split("/")[place]


def _linked(mailbox: Mailbox, anna: User, now: datetime) -> tuple[Mailbox, MailboxLink]:
    """A mailbox that shares Anna's password; another that she linked; somebody who linked hers."""
    shared = Mailbox.objects.create(domain=mailbox.domain, local_part="info", owner=anna)
    ewa = User.objects.create_user("ewa.kowalska-przybylska@firma.example", PASSWORD)
    box = Mailbox.objects.create(domain=mailbox.domain, local_part="ewa.kowalska-przybylska", owner=ewa)
    MailboxLink.objects.create(user=anna, mailbox=box, owner=ewa, made_at=now)
    return shared, MailboxLink.objects.create(user=ewa, mailbox=mailbox, owner=anna, made_at=now, place="192.0.2.1")


def _batch(agent: User, now: datetime) -> Batch:
    """One that was planned, with a mailbox that is not there."""
    rows = [Row("anna@firma.example", {}), Row("nikt@firma.example", {})]
    values = {"types": ["absence"], "coming": True, "words": ""}
    return batches.make(Batch.Kind.END, "firma.example", rows, values, by=By(agent, "Telefon"), now=now)


def test_every_page_is_in_the_table() -> None:
    named = {name for name, _route in addresses(get_resolver()) if not name.startswith("admin:")}
    assert named == OF_OWNER | OF_STAFF | OF_ADMINISTRATOR | OF_NOBODY | NO_PAGE


@pytest.mark.parametrize("language", ["pl-PL", "en-GB"])
@pytest.mark.parametrize(
    ("who", "names"),
    [
        ("anna@firma.example", OF_OWNER), ("pomoc@hosting.example", OF_STAFF),
        ("szef@hosting.example", OF_ADMINISTRATOR | {"domains"}),
    ],
)  # fmt: skip
def test_it_can_be_read_and_used_by_everybody(
    open_panel: Callable[..., Page], paths: dict[str, str], language: str, who: str, names: set[str]
) -> None:
    begins = "/" if names is OF_OWNER else "/support/"
    page = open_panel(320, language, address=who, lands_on=begins)
    open_panel(1280, language, address=who, lands_on=begins)  # a second device
    wanted = [*sorted(names - {"account_logout"}), *(["account_logout"] if "account_logout" in names else [])]
    _look_at(page, {name: paths[name] for name in wanted})


@pytest.mark.parametrize("language", ["pl-PL", "en-GB"])
def test_so_can_what_is_open_to_all(open_panel: Callable[..., Page], paths: dict[str, str], language: str) -> None:
    page = open_panel(320, language)
    page.context.clear_cookies()
    _look_at(page, {name: paths[name] for name in sorted(OF_NOBODY | {"help", "help_article"})})


def _look_at(page: Page, paths: dict[str, str]) -> None:
    troubles = []
    for name, path in paths.items():
        answer = page.goto(path)
        assert answer is not None
        assert answer.status in {200, 409}, name
        page.evaluate("document.querySelectorAll('details').forEach(folded => { folded.open = true; })")
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
            found = violations(page, only_colours=scheme == "dark")
            troubles += [f"{name}, {scheme}: {trouble}" for trouble in found]
        troubles += [f"{name}: low {html}" for html in page.evaluate(SMALL_TARGETS)]
        if page.evaluate("document.documentElement.scrollWidth") > 320:
            troubles.append(f"{name}: wider than the screen")
    assert not troubles, "\n".join(troubles)


def test_no_page_is_heavier_than_100_kb(
    paths: dict[str, str], anna: User, support: User, administrator: User, settings_off: None
) -> None:
    """On a first visit, as the panel serves them: compressed, without what the editor fetches when it is wanted."""
    weights = {}
    for names, person in (
        (OF_OWNER, anna), (OF_STAFF, support), (OF_ADMINISTRATOR, administrator), (OF_NOBODY, None),
    ):  # fmt: skip
        client = Client(headers={"accept-encoding": "gzip"})
        if person is not None:
            client.force_login(person)
        for name in names - {"account_logout", "account_reauthenticate"}:
            weights[name] = _weight(client, paths[name])
    assert {name: weight for name, weight in weights.items() if weight > MAX_OCTETS} == {}
    assert min(filter(None, weights.values())) > 30_000  # the style sheets were counted


def test_no_page_asks_the_database_more_than_twelve_questions(
    paths: dict[str, str], mailbox: Mailbox, anna: User, support: User, administrator: User, settings_off: None
) -> None:
    """Whatever it lists: the same for few rows and for many. As the person it is for; Anna administers a company."""
    of_both = {"mailbox", "mailbox_list", "mailbox_settings", "try_it", "delegations", "notices", "domain", "domains"}
    people = [
        (OF_OWNER, anna), (OF_STAFF | of_both, support), (OF_ADMINISTRATOR | {"domains"}, administrator),
        (OF_NOBODY, None),
    ]  # fmt: skip
    few = _questions(paths, people)
    grow(mailbox, 40)
    many = _questions(paths, people)
    assert {name: count for name, count in many.items() if count > MOST} == {}
    assert {name: (few[name], many[name]) for name in few if many[name] > max(few[name], 2)} == {}


def _questions(paths: dict[str, str], people: list[tuple[set[str], User | None]]) -> dict[str, int]:
    found = {}
    for names, person in people:
        client = Client()
        if person is not None:
            client.force_login(person)
        for name in sorted(names - {"account_logout", "account_reauthenticate"}):
            client.get(paths[name])
            with CaptureQueriesContext(connection) as asked:
                client.get(paths[name])
            found[f"{name} for {person}"] = len([one for one in asked if not one["sql"].startswith(NO_QUESTIONS)])
    return found


@pytest.fixture
def settings_off(plain_static_files: None, own_cache: None) -> None:
    """Names of static files as they are in the repository."""


def _weight(client: Client, path: str) -> int:
    answer = client.get(path)
    assert answer.status_code in {200, 302, 409}, path
    content = answer.content
    text = gzip.decompress(content).decode() if answer.headers.get("Content-Encoding") == "gzip" else content.decode()
    named = set(re.findall(r'(?:src|href)="/static/([^"#?]+)', text))
    folder = Path(settings.BASE_DIR) / "static"
    return len(content) + sum(len(gzip.compress((folder / file).read_bytes(), 9)) for file in named)
