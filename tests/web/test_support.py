"""Support's pages: find anything, see why, see what needs a look."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from mailboxes.models import Alias, Customer, Domain, Mailbox, User
from responders import support_search
from responders.core.facts import Reason
from responders.models import Decision, DrawnBrake, NumberedCase, QuarantinedMessage, Refusal, Responder
from responders.reasons import ADVICE
from responders.services import database_now
from tests.conftest import PASSWORD


@pytest.fixture
def world(mailbox: Mailbox) -> Mailbox:
    """A customer with a mailbox, an alias, a case and mail from Jan."""
    customer = Customer.objects.create(name="Żółw i Spółka", number="K-0042")
    mailbox.domain.customer = customer
    mailbox.domain.save()
    Alias.objects.create(domain=mailbox.domain, local_part="kontakt")
    now = database_now()
    NumberedCase.objects.create(
        mailbox=mailbox, number="2026/000123", opened_at=now, opened_by="<1>", reverse_path="jan@klient.example"
    )
    for sender in ("jan@klient.example", "jan@bücher.example", "jan@xn--bcher-kva.example"):
        Decision.objects.create(
            mailbox=mailbox, decided_at=now, reverse_path=sender, forward_path=mailbox.address, reason="list-or-bulk",
            evidence="List-Id: x", message_id=f"<1@{sender}>", misses=["null-reverse-path", "unknown-of-old"],
        )  # fmt: skip
    return mailbox


def kinds(user: User, asked: str) -> list[str]:
    return [group.kind for group in support_search.search(user, asked)]


@pytest.mark.parametrize(
    ("asked", "kind"),
    [
        ("anna@firma.example", "mailboxes"), ("ANNA@Firma", "mailboxes"), ("nna@fir", "mailboxes"), ("an", "mailboxes"),
        ("nowak", "mailboxes"), ("kontakt@", "aliases"), ("firma.example", "domains"), ("@firma.example", "domains"),
        ("żółw", "customers"), ("k-0042", "customers"), ("K-00", "customers"), ("2026/000123", "cases"),
        ("jan@klient.example", "messages"), ("Jan@BÜCHER.example", "messages"),
        ("<1@jan@klient.example>", "message"), ("1@jan@klient.example", "message"), ("anna nowak", "people"),
    ],
)  # fmt: skip
def test_whatever_a_caller_can_name_is_found(world: Mailbox, support: User, asked: str, kind: str) -> None:
    assert kind in kinds(support, asked)


def test_a_sender_is_found_in_both_spellings_of_the_domain(world: Mailbox, support: User) -> None:
    [group] = [one for one in support_search.search(support, "jan@bücher.example") if one.kind == "messages"]
    assert len(group.rows) == 2


@pytest.mark.parametrize("asked", ["ana@firma.example", "annna@firma", "firmma.example", "anna@frima.example"])
def test_typing_errors_are_forgiven(world: Mailbox, support: User, asked: str) -> None:
    guesses = [group for group in support_search.search(support, asked) if group.is_guess]
    assert guesses
    assert str(guesses[0].rows[0]) in {"anna@firma.example", "firma.example"}


STRANGE = [
    "", "a", "%", "%%", "__", "' OR 1=1 --", "\\", "x" * 10_000, "\0\0\0", "ł" * 300, "@", "<>", "{{x}}", "%s%s",
]  # fmt: skip


@pytest.mark.parametrize("asked", STRANGE)
def test_nothing_is_too_strange_to_ask(world: Mailbox, as_support: Client, asked: str) -> None:
    page = as_support.get(reverse("support"), {"q": asked})
    assert page.status_code == 200
    assert not [group for group in page.context["groups"] if not group.is_guess]
    assert as_support.get(reverse("support_messages"), {"sender": asked.replace("\0", "") or "x"}).status_code == 200


def test_nobody_else_finds_anything(world: Mailbox, anna: User, as_anna: Client) -> None:
    assert support_search.search(anna, "firma") == []
    assert as_anna.get(reverse("support"), {"q": "firma"}).status_code == 404


def test_a_live_search_answers_with_its_part_of_the_page(world: Mailbox, as_support: Client) -> None:
    part = as_support.get(reverse("support"), {"q": "anna"}, headers={"hx-request": "true"}).text
    assert "anna@firma.example" in part
    assert "<html" not in part


def test_a_sender_is_answered_with_what_became_of_each_message_in_words(world: Mailbox, as_support: Client) -> None:
    row = Decision.objects.filter(reason="list-or-bulk")[0]
    page = as_support.get(reverse("support"), {"q": row.reverse_path}).text
    assert reverse("support_message", args=[row.pk]) in page
    assert "The message is from a mailing list" in page


def test_a_mailbox_says_whose_it_is_and_leads_there(world: Mailbox, as_support: Client, as_anna: Client) -> None:
    address = reverse("mailbox", args=[world.pk])
    links = [
        reverse("support_customer", args=[world.domain.customer_id]),
        reverse("support_domain", args=[world.domain_id]),
    ]
    shown, hidden = as_support.get(address).text, as_anna.get(address).text
    assert all(link in shown and link not in hidden for link in links)


def test_where_nothing_is_found_the_agent_is_led_on(as_support: Client) -> None:
    page = as_support.get(reverse("support"), {"q": "zzzqqq"}, headers={"accept-language": "pl"}).text
    assert "Nic nie znaleziono." in page
    found = page.partition('id="found"')[2]
    assert reverse("support_why") in found


def test_customer_and_domain_lead_to_the_mailbox(world: Mailbox, as_support: Client) -> None:
    customer = world.domain.customer
    assert customer is not None
    gone = {"is_active": False, "deleted_at": database_now()}
    Mailbox.objects.create(domain=world.domain, local_part="dawna", **gone)
    page = as_support.get(reverse("support_customer", args=[customer.pk]))
    assert "1 mailbox" in page.text
    page = as_support.get(reverse("support_domain", args=["firma.example"]))
    assert reverse("mailbox", args=[world.pk]) in page.text
    assert "kontakt@firma.example" in page.text
    assert as_support.get(reverse("support_domain", args=["nic.example"])).status_code == 404


def test_deep_pages_of_a_domain_and_of_messages(world: Mailbox, as_support: Client) -> None:
    Mailbox.objects.bulk_create(Mailbox(domain=world.domain, local_part=f"m{number:03}") for number in range(120))
    seen: list[str] = []
    after = ""
    while True:
        page = as_support.get(reverse("support_domain", args=["firma.example"]), {"after": after})
        seen += [row.address for row in page.context["mailboxes"]]
        if not (after := page.context["after"]):
            break
    assert len(seen) == len(set(seen)) == 121
    now = database_now()
    Decision.objects.bulk_create(
        Decision(mailbox=world, decided_at=now, reverse_path="x@y.example", forward_path="a", reason="replied")
        for _number in range(70)
    )
    first = as_support.get(reverse("support_messages"), {"sender": "x@y.example"})
    assert len(first.context["rows"]) == 50
    second = as_support.get(reverse("support_messages"), {"sender": "x@y.example", "before": first.context["before"]})
    assert len(second.context["rows"]) == 20
    only = as_support.get(reverse("support_messages"), {"sender": "x@y.example", "reason": "spam"})
    assert only.context["rows"] == []
    assert as_support.get(reverse("support_messages")).status_code == 404


def test_why_says_what_hit_and_what_was_passed(world: Mailbox, as_support: Client) -> None:
    row = Decision.objects.order_by("pk")[0]
    page = as_support.get(reverse("support_message", args=[row.pk]))
    assert "The message is from a mailing list" in page.text
    assert "List-Id: x" in page.text
    assert "A person behind it can write directly to the mailbox" in page.text
    assert [str(words) for words in page.context["passed"]] == ["The message has a sender to reply to."]
    assert f"?message={row.pk}" in page.text


def test_what_needs_attention_is_on_one_page(world: Mailbox, as_support: Client) -> None:
    now = database_now()
    DrawnBrake.objects.create(
        key="m1", mailbox=world, is_of_domain=False, replies_per_hour=1, drawn_at=now, last_at=now
    )
    Refusal.objects.create(address="nikt@klient.example", refused_at=now)
    QuarantinedMessage.objects.create(received_at=now, forward_path="q@firma.example", traceback="x", content=b"x")
    for place, days in ((0, 61), (1, 59)):
        Responder.objects.create(
            mailbox=world, type="absence", subject=f"Od {days} dni", text_body="x", state="active", position=place,
            state_changed_at=now - timedelta(days=days),
        )  # fmt: skip
    text = as_support.get(reverse("support_attention")).text
    for words in ("nikt@klient.example", "q@firma.example", "Od 61 dni"):
        assert words in text
    assert "Od 59 dni" not in text


@pytest.mark.parametrize("asked", ["anna", "firma.example", "jan@klient.example"])
def test_a_search_asks_as_many_questions_for_many_as_for_one(world: Mailbox, as_support: Client, asked: str) -> None:
    def questions() -> int:
        with CaptureQueriesContext(connection) as found:
            as_support.get(reverse("support"), {"q": asked})
        return len([one for one in found if "SAVEPOINT" not in one["sql"] and "set_config" not in one["sql"]])

    few = questions()
    Mailbox.objects.bulk_create(Mailbox(domain=world.domain, local_part=f"anna{number}") for number in range(30))
    Domain.objects.bulk_create(Domain(name=f"sub{number}.firma.example") for number in range(30))
    assert questions() <= few + 1 <= 16


def test_a_deleted_mailbox_leads_to_where_it_is_brought_back(as_support: Client, mailbox: Mailbox) -> None:
    Mailbox.objects.update(is_active=False, deleted_at=database_now())
    page = as_support.get(reverse("support"), {"q": mailbox.address}).text
    assert "deleted, may be brought back" in page
    assert f"Bring it back: {mailbox}" in as_support.get(reverse("domain", args=[mailbox.domain_id])).text
    assert mailbox.address not in as_support.get(reverse("support_domain", args=[mailbox.domain_id])).text


def test_for_every_reason_there_is_something_to_do_or_to_say() -> None:
    assert set(ADVICE) == set(Reason)


def test_times_are_those_of_the_customer(world: Mailbox, as_support: Client, support: User) -> None:
    Decision.objects.update(decided_at=datetime(2026, 7, 1, 10, 0, tzinfo=UTC))
    row = Decision.objects.order_by("pk")[0]
    assert "12:00:00 CEST" in as_support.get(reverse("support_message", args=[row.pk])).text
    listed = as_support.get(reverse("support_messages"), {"sender": row.reverse_path}).text
    assert "1 July 2026, 12:00 CEST" in listed
    Decision.objects.update(mailbox=None)
    page = reverse("support_message", args=[row.pk])
    assert "12:00:00 CEST" in as_support.get(page).text  # of nobody's mailbox: in the panel's zone
    Mailbox.objects.create(domain=world.domain, local_part="pomoc", owner=support, time_zone="Europe/London")
    assert "11:00:00 BST" in as_support.get(page).text  # or in that of the reader's own


def test_messages_are_read_from_either_end_page_by_page(
    world: Mailbox, as_support: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("responders.support.support_views.PAGE_SIZE", 2)
    now = database_now()
    made = [
        Decision.objects.create(
            mailbox=world, decided_at=now, reverse_path="x@y.example", forward_path="z", reason="spam"
        ).pk
        for _each in range(5)
    ]
    for order, wanted in (("", made[::-1]), ("oldest", made)):
        found, before = [], ""
        while True:
            asked = {"sender": "x@y.example", "order": order, "before": before}
            page = as_support.get(reverse("support_messages"), asked)
            found += [row.pk for row, _sentence in page.context["rows"]]
            if not (before := str(page.context["before"] or "")):
                break
        assert found == wanted


def test_an_agent_begins_with_the_search(client: Client, support: User, mailbox: Mailbox) -> None:
    assert client.get("/")["Location"] == reverse("account_login")
    assert client.get("/?q=x")["Location"] == f"{reverse('account_login')}?next=/%3Fq%3Dx"
    answer = client.post(reverse("account_login"), {"login": support.email, "password": PASSWORD})
    assert answer["Location"] == reverse("support")
    client.logout()
    asked = {"login": support.email, "password": PASSWORD, "next": reverse("mailbox", args=[mailbox.pk])}
    assert client.post(reverse("account_login"), asked)["Location"] == reverse("mailbox", args=[mailbox.pk])
