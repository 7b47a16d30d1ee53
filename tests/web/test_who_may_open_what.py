"""Every address of the panel, asked for as everybody: what opens, what does not, and what is not known to exist.

An address that is missing from the table fails the test, and so does a line of the table without an address.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from http.cookies import SimpleCookie
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.apps import apps
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.core import signing
from django.db import connection, transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import NoReverseMatch, URLPattern, URLResolver, get_resolver, reverse

from mailboxes import profiles, services
from mailboxes.deletion import deleted_aliases
from mailboxes.linking import links
from mailboxes.models import (
    Alias,
    Customer,
    Delegation,
    DeletedAlias,
    Domain,
    DomainClaim,
    DomainHealth,
    Mailbox,
    MailboxLink,
    SendingStop,
    User,
)
from responders import calendars, notices
from responders.models import (
    Batch,
    ChangeNotice,
    Decision,
    Draft,
    DrawnBrake,
    HelpVote,
    HookSign,
    HouseText,
    NumberedCase,
    PolicyVersion,
    PreviousResponse,
    QuarantinedMessage,
    Refusal,
    Responder,
    ResponderEvent,
    StaffNote,
)
from responders.services import By, database_now, switch
from tests.conftest import PASSWORD

ROLES = ["nobody", "owner", "other", "delegate", "company", "rival", "support", "lead", "admin", "suspended"]

NO_STAFF = [role for role in ROLES if role not in {"lead", "admin"}]

# What comes of it, a letter for each role, by GET and by POST: + it opens, - no such page, x forbidden, m wrong method,
# L asked to sign in (again), W asked why first.
# The roles: nobody, owner, other owner, delegate, the company's administrator, another company's, support, lead,
# administrator, suspended.
WANTED = {
    "mailbox_list": "L++++++++L mmmmmmmmmm",
    "mailbox": "L+-++-+++L mmmmmmmmmm",
    "group_address": "L+-++-+++L L--------L",
    "limits": "L-----+++L L-----+++L",
    "support": "L-----+++L L-----+++L",
    "mailbox_file": "L---+++++L mmmmmmmmmm",
    "support_why": "L-----+++L L-----+++L",
    "support_note": "L-----+++L L-----+++L",
    "support_message_file": "L-----+++L L-----+++L",
    "support_attention": "L-----+++L L-----+++L",
    "support_customer": "L-----+++L L-----+++L",
    "support_domain": "L-----+++L L-----+++L",
    "customer_delete": "L-------+L L-------+L",
    "customer_restore": "L-------+L L-------+L",
    "domain_delete": "L-------+L L-------+L",
    "domain_restore": "L-------+L L-------+L",
    "support_messages": "L-----+++L L-----+++L",
    "support_message": "L-----+++L L-----+++L",
    "help": "++++++++++ mmmmmmmmmm",
    "help_feedback": "L-----+++L mmmmmmmmmm",
    "help_article": "++++++++++ L++++++++L",
    "calendar": "L++++++++L mmmmmmmmmm",
    "calendar_feed_settings": "L++++++++L L++++++++L",
    "calendar_feed": "++++++++++ mmmmmmmmmm",
    "batches": "L---+++++L L---+++++L",
    "batch_new": "L---+++++L L---+++++L",
    "batch": "L-----+++L L-----+++L",
    "batch_result": "L-----+++L L-----+++L",
    "batch_passwords": "L--------L L--------L",
    "refusals": "L-----+++L L-----+++L",
    "notices": "L+-++-+++L L+-++-WWWL",
    "acting": "L-----+++L L-----+++L",
    "event_undo": "L+-++-WWWL L+-++-WWWL",
    "change_undo": "++++++++++ ++++++++++",
    "responder_end": "++++++++++ ++++++++++",
    "try_it": "L+-++-+++L L+-++-+++L",
    "responder_new": "L+-++-WWWL L+-++-WWWL",
    "responder_edit": "L+-++-WWWL L+-++-WWWL",
    "responder_switch": "L+-++-+++L L+-++-WWWL",
    "responder_move": "L+-++-+++L L+-++-WWWL",
    "responder_answer_again": "L+-++-+++L L+-++-WWWL",
    "responder_delete": "L+-++-WWWL L+-++-WWWL",
    "outbox": "L--------L mmmmmmmmmm",
    "mailbox_new": "L---++---L L---++---L",
    "mailbox_settings": "L---+-+++L L---+-+++L",
    "mailbox_rename": "L---+-+++L L---+-+++L",
    "mailbox_delete": "L---+-+++L L---+-+++L",
    "mailbox_restore": "L---+-+++L L---+-+++L",
    "mailbox_suspend": "L-----+++L L-----+++L",
    "app_passwords": "LLLLLLLLLL LLLLLLLLLL",
    "mailbox_programs": "L+--+-+++L mmmmmmmmmm",
    "mailbox_profile": "L+--+-+++L mmmmmmmmmm",
    "program_link": "++++++++++ mmmmmmmmmm",
    "program_link_profile": "++++++++++ mmmmmmmmmm",
    "autoconfig": "---------- mmmmmmmmmm",  # without a domain there is nothing to say
    "autoconfig_well_known": "---------- mmmmmmmmmm",
    "autoconfig_mail_v1": "---------- mmmmmmmmmm",
    "autodiscover": "++++++++++ ++++++++++",
    "autodiscover_json": "bbbbbbbbbb mmmmmmmmmm",  # as without its protocol
    "autodiscover_json_v1": "bbbbbbbbbb mmmmmmmmmm",
    "address_import": "L---+++++L L---+++++L",
    "domain_import": "L-------+L L-------+L",
    "customer_import": "L-------+L L-------+L",
    "domains": "L---+++++L mmmmmmmmmm",
    "domain_new": "L---+++++L L---+++++L",
    "domain_claim": "L---+-+++L L---+-+++L",
    "domain_dns": "L---+-+++L L---+-+++L",
    "domain": "L---+-+++L L---+-+++L",
    "domain_signing": "L---+-+++L L---+-+++L",
    "alias_new": "L---+-+++L L---+-+++L",
    "alias_edit": "L---+-+++L L---+-+++L",
    "alias_restore": "L---+-+++L L---+-+++L",
    "delegations": "L+--+-+++L L+--+-WWWL",
    "delegation_end": "L+--+-+++L L+--+-WWWL",
    "set_language": "mmmmmmmmmm ++++++++++",
    "mfa_authenticate": "L++++++++L L++++++++L",
    "account_reauthenticate": "L++++++++L L++++++++L",
    "mfa_reauthenticate": "LLLLLLLLLL LLLLLLLLLL",
    "mfa_reauthenticate_webauthn": "LLLLLLLLLL LLLLLLLLLL",
    "account": "L++++++++L mmmmmmmmmm",
    "account_change_password": "L++++++++L L++++++++L",
    "account_language": "L++++++++L L++++++++L",
    "account_time_zone": "L+-++-+++L L+-++-WWWL",
    "account_links": "L++++++++L L+++++---L",
    "link_second_step": "L++++++++L L++++++++L",
    "link_end": "L++++++++L L+--+-+++L",
    "own_sign_in": "LLLLLLLLLL LLLLLLLLLL",
    "link_end_by_mail": "++++++++++ ++++++++++",
    "usersessions_list": "L++++++++L mmmmmmmmmm",
    "device_end": "L++++++++L L+-------L",
    "device_end_others": "L++++++++L L++++++++L",
    "mfa_index": "L++++++++L LmmmmmmmmL",
    "mfa_activate_totp": "LLLLLLLLLL LLLLLLLLLL",
    "mfa_deactivate_totp": "L--------L L--------L",
    "mfa_add_webauthn": "LLLLLLLLLL LLLLLLLLLL",
    "mfa_edit_webauthn": "LLLLLLLLLL LLLLLLLLLL",
    "mfa_remove_webauthn": "LLLLLLLLLL LLLLLLLLLL",
    "mfa_view_recovery_codes": "L--------L LmmmmmmmmL",
    "mfa_generate_recovery_codes": "LLLLLLLLLL LLLLLLLLLL",
    "mfa_download_recovery_codes": "L--------L L--------L",
    "account_login": "++++++++++ ++++++++++",
    "account_logout": "L++++++++L LLLLLLLLLL",
    "account_inactive": "++++++++++ mmmmmmmmmm",
    "account_signup": "---------- ----------",
    "account_reset_password": "---------- ----------",
    "account_set_password": "---------- ----------",
    "healthz": "++++++++++ mmmmmmmmmm",
    "metrics": "---------- mmmmmmmmmm",
    "admin:search": "LLLLLLL++L LLLLLLL++L",
    "admin:index": "LLLLLLL++L LLLLLLL++L",
    "admin:login": "Lxxxxxx++L Lxxxxxx++L",
    "admin:logout": "+++++++mm+ ++++++++++",
    "admin:password_change": "LLLLLLL++L LLLLLLL++L",
    "admin:password_change_done": "LLLLLLL++L LLLLLLLmmL",
    "admin:autocomplete": "LLLLLLLxxL LLLLLLLmmL",
    "admin:jsi18n": "LLLLLLL++L LLLLLLLmmL",
    "admin:view_on_site": "LLLLLLL--L LLLLLLL--L",
    "admin:auth_user_password_change": "LLLLLLLx+L LLLLLLLx+L",
    "admin:app_list": "LLLLLLL++L LLLLLLL++L",
    "admin:admin/(?P<url>.*)$": "LLLLLLL--L LLLLLLL--L",
}
# The administration, by model: who may look, who may change.
QUERIES = dict.fromkeys(["support_messages", "support_message_file"], "?sender=jan@example.com")
LEADS, ADMINS, NONE = "LLLLLLL++L", "LLLLLLLx+L", "LLLLLLLxxL"
MODELS = {
    "mailboxes": {
        "user": (LEADS, ADMINS), "customer": (LEADS, ADMINS), "domain": (LEADS, ADMINS), "mailbox": (LEADS, ADMINS),
        "delegation": (LEADS, ADMINS), "dkimkey": (LEADS, NONE), "alias": (LEADS, ADMINS),
        "deletedalias": (LEADS, NONE),
        "aliastarget": (LEADS, ADMINS), "logline": (LEADS, NONE), "domainclaim": (LEADS, NONE),
        "domainhealth": (LEADS, NONE), "domainrecord": (LEADS, NONE), "domainrecordchange": (LEADS, NONE),
        "apppassword": (LEADS, NONE), "sendingstop": (LEADS, NONE), "mailboxlink": (LEADS, NONE),
    },
    "responders": {
        "responder": (LEADS, ADMINS), "decision": (LEADS, NONE), "drawnbrake": (LEADS, NONE), "refusal": (LEADS, NONE),
        "numberedcase": (LEADS, NONE), "previousresponse": (LEADS, NONE), "responderevent": (LEADS, NONE),
        "quarantinedmessage": (ADMINS, NONE), "batch": (LEADS, NONE), "staffnote": (LEADS, NONE),
        "housetext": (LEADS, ADMINS), "policyversion": (LEADS, ADMINS), "caseseries": (LEADS, NONE),
        "casemessage": (LEADS, NONE), "notice": (LEADS, NONE), "changenotice": (LEADS, NONE),
        "calendarfeed": (LEADS, NONE), "helpvote": (LEADS, NONE), "batchitem": (LEADS, NONE),
        "draft": (NONE, NONE),  # theirs alone
        "hooksign": (LEADS, NONE),
    },
    "auth": {"group": (ADMINS, NONE)},
}  # fmt: skip

ONLY_ADDED_TO = {
    "admin:responders_policyversion_change": f"{LEADS} {NONE}",
    "admin:responders_policyversion_delete": f"{NONE} {NONE}",
}


def of_models() -> Iterator[tuple[str, str]]:
    for app, models in MODELS.items():
        for model, (look, change) in models.items():
            name = f"admin:{app}_{model}"
            yield from {
                f"{name}_changelist": f"{look} {look}", f"{name}_history": f"{look} {look}",
                f"{name}_add": f"{change} {change}", f"{name}_delete": f"{change} {change}",
                f"{name}_change": f"{look} {change}",
                f"admin:admin/{app}/{model}/<path:object_id>/": f"{LEADS} {LEADS}",
            }.items()  # fmt: skip


@dataclass
class World:
    """Two companies, and somebody in each role."""

    mailbox: Mailbox
    responder: Responder
    event: ResponderEvent
    people: dict[str, User]

    def arguments(self, route: str) -> list[Any]:
        """What stands in the address: of Anna's mailbox."""
        if route.startswith("domains/claims/"):
            return [DomainClaim.objects.get().pk]
        if route.startswith(("domains/", "aliases/")) and not route.endswith("/restore/"):
            name, alias = self.mailbox.domain_id, Alias.objects.get()
            return [name] if "<str:name>" in route else [alias.pk] if "<int:pk>" in route else []
        if route.startswith(("programs/", "autodiscover/")):
            token, address = profiles.link_for(self.mailbox).split("/")[-2], self.mailbox.address
            return [token] if "<str:token>" in route else [address] if "<str:address>" in route else []
        return self._of_a_row(route) or self._further_arguments(route)

    def _of_a_row(self, route: str) -> list[Any]:
        """What is about a row of its own kind: something there is to bring back, to take away, to end."""
        if route.endswith("/restore/"):
            gone = {
                "mailboxes": Mailbox.objects.get(local_part="dawna").pk, "aliases": DeletedAlias.objects.get().pk,
                "support/customers": Customer.objects.get(name="Usuniety").pk, "support/domains": "usunieta.example",
            }  # fmt: skip
            return [number for begin, number in gone.items() if route.startswith(begin)]
        if route.endswith("delegates/<int:number>/end/"):
            return [self.mailbox.pk, Delegation.objects.get(user=self.people["delegate"]).pk]
        if route.startswith("linked/"):
            return [links.end_link(MailboxLink.objects.get()).split("/")[-3]]
        if route == "account/mailboxes/links/<int:pk>/end/":
            return [MailboxLink.objects.get().pk]
        if route == "account/devices/<int:pk>/end/":
            return [getattr(UserSession.objects.filter(user=self.people["owner"]).first(), "pk", 999_999)]
        return []

    def _further_arguments(self, route: str) -> list[Any]:
        if route.startswith("support/"):
            rows = {"customers": Customer.objects.order_by("pk"), "messages": Decision.objects.order_by("pk")}
            kind = route.split("/")[1]
            if kind == "notes":
                return ["mailbox", self.mailbox.pk]
            return ["cudza.example"] if kind == "domains" else [rows[kind][0].pk] if "<int:pk>" in route else []
        if route.startswith("many/"):
            return ["set"] if "<slug:kind>" in route else [self.batch().pk] if "<int:pk>" in route else []
        if "<slug:slug>" in route:
            return ["what"]
        if route.startswith("calendar/<str"):
            return [calendars.make_feed(self.people["owner"])]
        if "<str:token>" in route:
            return [notices.end_link(self.responder).split("/")[-2]] if route.startswith("end/") else [self.undo()]
        if route.startswith("responders/"):
            return [self.responder.pk]
        if route.startswith("changes/"):
            return [self.event.pk]
        if "devices/" in route or "keys/" in route:
            return [999_999]
        numbers = {"<int:pk>": self.mailbox.pk, "<int:number>": 999_999}
        return [numbers[name] for name in ("<int:pk>", "<int:number>") if name in route]

    def batch(self) -> Batch:
        return Batch.objects.get()

    def undo(self) -> str:
        return signing.dumps(self.event.pk, salt=notices.UNDO_SALT)


@pytest.fixture
def world(mailbox: Mailbox, standing_reply: Responder, anna: User, support: User) -> World:
    ours, theirs = (Customer.objects.create(name=name, number=name) for name in ("Nasza", "Cudza"))
    mailbox.domain.customer = ours
    mailbox.domain.save()
    Domain.objects.create(name="cudza.example", customer=theirs)
    mailbox.domain.dkim_keys.create(selector="x", algorithm="rsa")
    Alias.objects.create(domain=mailbox.domain, local_part="biuro")
    Domain.objects.create(name="usunieta.example", customer=ours, is_active=False, deleted_at=database_now())
    Customer.objects.create(name="Usuniety", number="U", deleted_at=database_now())
    gone = services.add_alias("dawny@firma.example", ["jan@elsewhere.example"])
    deleted_aliases.delete_alias(gone, now=database_now(), actor=None)

    def person(name: str, group: str = "", **options: Any) -> User:
        user = User.objects.create_user(f"{name}@{name}.example", PASSWORD, **options)
        if group:
            user.groups.add(Group.objects.get(name=group))
        return user

    people = {
        "owner": anna, "other": person("other"), "delegate": person("delegate"), "company": person("company"),
        "rival": person("rival"), "support": support, "lead": person("lead", "support lead", is_staff=True),
        "admin": person("admin", "administrator", is_staff=True), "suspended": person("suspended", is_active=False),
    }  # fmt: skip
    Delegation.objects.create(mailbox=mailbox, user=people["delegate"])
    Delegation.objects.create(mailbox=mailbox, user=people["suspended"])
    MailboxLink.objects.create(mailbox=mailbox, user=person("linker"), owner=anna, made_at=database_now())
    Mailbox.objects.create(domain=mailbox.domain, local_part="dawna", is_active=False, deleted_at=database_now())
    now = database_now()
    UserSession.objects.create(user=anna, ip="192.0.2.1", session_key="a-telephone")
    Session.objects.create(session_key="a-telephone", expire_date=now + timedelta(days=1))
    DomainClaim.objects.create(customer=ours, name="nowa.invalid", token="x", created_at=now, next_check_at=now)
    ours.administrators.add(people["company"])
    theirs.administrators.add(people["rival"])
    switch(standing_reply, on=False, actor=By(support, "Telefon"), now=database_now())
    write_what_the_hook_writes(standing_reply)
    return World(mailbox, standing_reply, ResponderEvent.objects.get(), people)


def write_what_the_hook_writes(responder: Responder) -> None:
    """A row of each kind, so that its page in the administration is a real one."""
    now, mailbox, sender = database_now(), responder.mailbox, "jan@example.com"
    Decision.objects.create(mailbox=mailbox, decided_at=now, forward_path=mailbox.address, reason="replied")
    QuarantinedMessage.objects.create(received_at=now, forward_path=mailbox.address, traceback="x", content=b"x")
    Refusal.objects.create(address=sender, refused_at=now)
    DrawnBrake.objects.create(
        key="m1", mailbox=mailbox, is_of_domain=False, replies_per_hour=1, drawn_at=now, last_at=now
    )
    case = NumberedCase.objects.create(mailbox=mailbox, number="1", opened_at=now, opened_by="x", reverse_path=sender)
    case.messages.create(message_id="<x@y>")
    mailbox.case_series.create(head="2026/")
    Batch.objects.create(kind="set", scope="x", created_at=now).items.create(number=1, address="x", state="waiting")
    mailbox.app_passwords.create(owner=mailbox.owner, name="x", digest="x")
    SendingStop.objects.create(mailbox=mailbox, recipients=1, hours=1, stopped_at=now, last_at=now)
    health = DomainHealth.objects.create(domain=mailbox.domain, next_check_at=now)
    health.records.create(item="mx", place=1, last_state="ok", state="ok", reason="ok", wanted="x")
    health.changes.create(item="mx", state="ok", reason="ok", at=now)
    responder.notices.create(kind="started", about=now, sent_at=now)
    ChangeNotice.objects.create(event=ResponderEvent.objects.get(), sent_at=now)
    HookSign.objects.create(host="mail.example.org", at=now)
    HelpVote.objects.create(user=User.objects.get(email="anna@firma.example"), slug="dates", is_helpful=True)
    Draft.objects.create(user=mailbox.owner, mailbox=mailbox, key="k" * 32, typed="x", began_at=now, changed_at=now)
    calendars.make_feed(User.objects.get(email="anna@firma.example"))
    StaffNote.objects.create(mailbox=mailbox, text="x")
    HouseText.objects.create(language="pl", title="x", subject="x", text_body="x")
    PolicyVersion.objects.create(reason="x")
    PreviousResponse.objects.create(
        responder=responder, text_revision=1, activation=1, reverse_path_key=sender, queue_id="x", claimed_at=now,
        lease_until=now,
    )  # fmt: skip


def addresses(resolver: URLResolver, before: str = "") -> Iterator[tuple[str, str]]:
    """Name and route of every address; those of the administration under its own name."""
    for pattern in resolver.url_patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            name = str(pattern.name or route)
            yield (f"admin:{name}" if route.startswith("admin/") else name), route
        else:
            yield from addresses(pattern, route)


def outcome(answer: HttpResponse) -> str:
    """One letter for what came of it."""
    where = answer.headers.get("Location", "")
    if where.startswith((reverse("account_login"), "/admin/login/", "/sign-in/again/")):
        return "L"  # asked to sign in
    if "/acting/" in where and "next=" in where:
        return "W"  # asked why first
    return {404: "-", 403: "x", 405: "m", 400: "b"}.get(answer.status_code, "+")


def admin_arguments(name: str, route: str) -> list[Any]:
    """The first row of the model that the address is about."""
    if name.endswith("view_on_site"):
        return [ContentType.objects.get_for_model(Mailbox).pk, Mailbox.objects.order_by("pk")[0].pk]
    if "app_label" in route:
        return ["mailboxes"]
    if "<path:object_id>" not in route and "<id>" not in route:
        return ["x"] if "(?P<url>" in route else []
    _admin, app, model = route.split("/")[:3]
    return [getattr(apps.get_model(app, model).objects.order_by("pk").first(), "pk", 999_999)]


def asked(world: World, name: str, route: str) -> str:
    try:
        arguments = admin_arguments(name, route) if name.startswith("admin:") else world.arguments(route)
        path = reverse(name, args=arguments) if name != "healthz" else "/healthz"
        return path + QUERIES.get(name, "")
    except NoReverseMatch:
        return "/" + route


@contextmanager
def taken_back() -> Iterator[None]:
    """What is written in here is not."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.fixture
def no_savepoint_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a request writes is taken back as it is; without this, most of what is asked of the database is that."""
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", False)


@pytest.mark.usefixtures("a_quiet_log", "no_savepoint_for_each")
def test_every_address_opens_for_those_whom_it_is_for_and_for_nobody_else(world: World) -> None:
    clients = {role: Client() for role in ROLES}
    for role, person in world.people.items():
        clients[role].force_login(person)
    cookies = {role: {name: one.value for name, one in client.cookies.items()} for role, client in clients.items()}

    def letter(role: str, method: str, path: str) -> str:
        clients[role].cookies = SimpleCookie(cookies[role])
        return outcome(getattr(clients[role], method)(path))

    def letters(roles: list[str], method: str, path: str) -> str:
        with taken_back():  # once for several who change nothing; a list of devices loses those that ended
            return "".join(letter(role, method, path) for role in roles)

    found: dict[str, str] = {}
    for name, route in addresses(get_resolver()):
        path = asked(world, name, route)
        # In the administration who is no staff is sent away: were anybody let in, the letter would tell.
        together = NO_STAFF if name.startswith("admin:") else []
        posts = {role: letters([role], "post", path) for role in ROLES if role not in together}
        posts |= dict(zip(together, letters(together, "post", path), strict=True))
        found[name] = f"{letters(ROLES, 'get', path)} " + "".join(posts[role] for role in ROLES)
    assert found == WANTED | dict(of_models()) | ONLY_ADDED_TO


# What the owner opens and whoever linked the mailbox does not: what opens the mail itself, the owner's own account, and
# what would outlive the link.
NOT_BY_A_LINK = {"device_end", "delegations", "delegation_end"}


@pytest.mark.usefixtures("a_quiet_log", "no_savepoint_for_each")
def test_a_linked_sign_in_opens_what_the_owner_opens_of_the_mailbox(world: World) -> None:
    owner, other = ROLES.index("owner"), ROLES.index("other")
    routes = dict(addresses(get_resolver()))
    wanted, found = {}, {}
    client = Client()
    client.force_login(User.objects.get(email="linker@linker.example"))
    for name, letters in WANTED.items():
        for method, column in zip(("get", "post"), letters.split(" "), strict=True):
            if column[owner] != column[other]:  # it is about the mailbox
                with taken_back():
                    found[name, method] = outcome(getattr(client, method)(asked(world, name, routes[name])))
                wanted[name, method] = column[other] if name in NOT_BY_A_LINK else column[owner]
    assert len(found) > 20
    assert found == wanted
