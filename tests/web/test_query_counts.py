"""No page asks the database more than twelve questions, however many rows there are."""

from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from mailboxes.models import Alias, AliasTarget, Delegation, Mailbox, MailboxLink, User
from responders.models import Decision, HelpVote, Refusal, Responder, ResponderEvent
from responders.services import database_now

MOST = 12
PAGES = [
    "mailbox_list", "mailbox", "try_it", "responder_new", "responder_edit", "calendar", "delegations", "notices",
    "account", "account_links", "mailbox_programs", "usersessions_list", "help", "help_article",
]  # fmt: skip
PAGES_OF_STAFF = [
    "support", "support_domain", "support_why", "batches",
    "support_messages", "support_attention", "domain_dns", "limits", "refusals", "help_feedback",
]  # fmt: skip


def grow(mailbox: Mailbox, count: int) -> None:
    """So many more of everything that pages list."""
    owner, now = mailbox.owner, database_now()
    first = Mailbox.objects.count() + 10
    Mailbox.objects.bulk_create(
        Mailbox(domain=mailbox.domain, local_part=f"m{first + number}", owner=owner) for number in range(count)
    )
    for number in range(count):
        person = User.objects.create(email=f"u{first + number}@firma.example")
        Delegation.objects.create(mailbox=mailbox, user=person)
        MailboxLink.objects.create(mailbox=mailbox, user=person, owner=owner, made_at=now)
        HelpVote.objects.create(user=person, slug="what", is_helpful=True, comment="x")
        alias = Alias.objects.create(domain=mailbox.domain, local_part=f"a{first + number}")
        for other in Mailbox.objects.all()[:2]:
            AliasTarget.objects.create(alias=alias, mailbox=other)
        Refusal.objects.create(address=f"r{first + number}@klient.example", refused_at=now)
        row = Responder.objects.create(
            mailbox=mailbox, type="absence", subject="x", text_body="x", position=first + number, state="active",
            from_utc=datetime(2026, 1, 1, tzinfo=UTC), from_date=datetime(2026, 1, 1),
            state_changed_at=datetime(2026, 1, 1, tzinfo=UTC),
        )  # fmt: skip
        ResponderEvent.objects.create(mailbox=mailbox, responder=row, kind="created", at=now, actor=person, reason="x")
    Decision.objects.bulk_create(
        Decision(mailbox=mailbox, decided_at=now, reverse_path="jan@example.com", forward_path="x", reason="replied",
                 responder=row)
        for _number in range(count)
    )  # fmt: skip


def questions(client: Client, path: str) -> int:
    with CaptureQueriesContext(connection) as found:
        assert client.get(path).status_code == 200
    return len([one for one in found if not one["sql"].startswith(("SAVEPOINT", "RELEASE", "SELECT set_config"))])


def paths(mailbox: Mailbox, names: list[str]) -> dict[str, str]:
    row = mailbox.responders.order_by("pk")[0]
    special = {
        "responder_edit": [row.pk],
        "help_article": ["what"],
        "support_domain": [mailbox.domain_id],
        "domain_dns": [mailbox.domain_id],
    }
    alone = {
        "mailbox_list", "calendar", "account", "account_links", "usersessions_list", "help", "refusals",
        "help_feedback", "batches",
    }  # fmt: skip
    query = {"support": "?q=m1", "support_messages": "?sender=jan@example.com"}
    found = {}
    for name in names:
        arguments = special.get(name, [] if name in alone or name.startswith("support") else [mailbox.pk])
        found[name] = reverse(name, args=arguments) + query.get(name, "")
    return found


@pytest.mark.parametrize("names", [PAGES, PAGES_OF_STAFF], ids=["owner", "staff"])
def test_no_page_asks_more_the_more_there_is(
    as_anna: Client, as_support: Client, mailbox: Mailbox, names: list[str]
) -> None:
    client = as_anna if names is PAGES else as_support
    grow(mailbox, 2)
    few = {name: questions(client, path) for name, path in paths(mailbox, names).items()}
    grow(mailbox, 30)
    many = {name: questions(client, path) for name, path in paths(mailbox, names).items()}
    assert {name: (few[name], many[name]) for name in names if many[name] > max(few[name], 1)} == {}
    assert {name: count for name, count in many.items() if count > MOST} == {}
