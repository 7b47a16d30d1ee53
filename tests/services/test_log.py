"""Whoever changes something leaves a line: what, who, from where, by which door."""

from collections.abc import Callable
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from mailboxes import customers, devices, hosting, second_factor, services
from mailboxes.deletion import deleted_aliases, deleted_domains
from mailboxes.domain_dns import claims
from mailboxes.files import address_files
from mailboxes.foreign_hashes import Taken
from mailboxes.log import By, record
from mailboxes.models import Customer, Domain, DomainClaim, LogLine, Mailbox, User, Way
from mailboxes.signing import dkim
from responders import calendars, mailbox_changes, personal_data
from responders import services as responders
from responders.many import batches
from responders.models import Batch, Refusal, Responder, ResponderEvent
from responders.support import refusals
from responders.validation import as_input

pytestmark = pytest.mark.django_db
PLACE = "192.0.2.7"


@pytest.fixture
def by(anna: User) -> By:
    return By(anna, "bo tak", PLACE, Way.PANEL.value)


def gone(mailbox: Mailbox) -> Mailbox:
    Mailbox.objects.filter(pk=mailbox.pk).update(deleted_at=timezone.now() - timedelta(days=1), is_active=False)
    return mailbox


def with_app_password(mailbox: Mailbox) -> Any:
    return mailbox.app_passwords.create(owner=mailbox.owner, name="telefon", digest="0" * 64)


def batch(state: str) -> Batch:
    return Batch.objects.create(kind="end", scope="firma.example", created_at=timezone.now(), state=state)


def claim(mailbox: Mailbox) -> DomainClaim:
    ours = Customer.objects.get_or_create(name="Nasza", number="7")[0]
    return DomainClaim.objects.create(
        customer=ours, name="nowa.example", token="x", created_at=timezone.now(), next_check_at=timezone.now()
    )


def refused(address: str) -> None:
    Refusal.objects.create(address=address, refused_at=timezone.now())


def gone_domain(mailbox: Mailbox) -> Domain:
    deleted_domains.delete_domain(mailbox.domain, now=timezone.now(), actor=None)
    return mailbox.domain


def gone_customer() -> Customer:
    customer = customers.add_customer("K-1", "Firma")
    customers.delete_customer(customer, now=timezone.now(), actor=None)
    return customer


def other_device(user: User) -> int:
    """Its number."""
    client = Client()
    client.force_login(user)
    key = client.session.session_key
    return int(UserSession.objects.get_or_create(user=user, session_key=key, ip="192.0.2.9")[0].pk)


# What a person can do that is no responder's own, each as its page, command or import calls it.
DEEDS: dict[str, Callable[[Mailbox, By], Any]] = {
    "add_mailbox": lambda one, by: services.add_mailbox("jan@firma.example", actor=by),
    "add_alias": lambda one, by: services.add_alias("biuro@firma.example", [one.address], actor=by),
    "add_domain": lambda one, by: services.add_domain("inna.example", actor=by),
    "claims.add_domain": lambda one, by: claims.add_domain(None, "inna.example", actor=by),
    "add_customer": lambda one, by: customers.add_customer("K-1", "Firma", actor=by),
    "change_customer": lambda one, by: customers.change_customer(claim(one).customer, name="Inna", actor=by),
    "set_administrators": lambda one, by: customers.set_administrators(claim(one).customer, [one.owner], actor=by),
    "delete_customer": lambda one, by: customers.delete_customer(
        customers.add_customer("K-1", "Firma"), now=timezone.now(), actor=by
    ),
    "restore_customer": lambda one, by: customers.restore_customer(gone_customer(), actor=by),
    "end_customer": lambda one, by: customers.end_customer(gone_customer(), actor=by),
    "delete_domain": lambda one, by: deleted_domains.delete_domain(one.domain, now=timezone.now(), actor=by),
    "restore_domain": lambda one, by: deleted_domains.restore_domain(gone_domain(one), actor=by),
    "end_domain": lambda one, by: deleted_domains.end_domain(gone_domain(one), actor=by),
    "claim": lambda one, by: claims.claim(claim(one).customer, "druga.example", now=timezone.now(), actor=by),
    "give_up": lambda one, by: claims.give_up(claim(one), actor=by),
    "set_language": lambda one, by: services.set_language(one.owner, "en", actor=by),
    "set_limits": lambda one, by: services.set_limits(one, 7, None, actor=by),
    "set_limits of the domain": lambda one, by: services.set_limits(one, None, 70, actor=by),
    "set_sending_limits": lambda one, by: services.set_sending_limits(one, 7, None, actor=by),
    "change_mailbox": lambda one, by: services.change_mailbox(one, actor=by, name="Anna"),
    "give_password": lambda one, by: services.give_password(one, now=timezone.now(), actor=by),
    "take_password": lambda one, by: services.take_password(one, Taken("PLAIN", "x"), overwrite=True, actor=by),
    "set_sign_in": lambda one, by: services.set_sign_in(one, allowed=False, actor=by),
    "set_successor": lambda one, by: services.set_successor(one, None, timezone.now(), actor=by),
    "set_targets": lambda one, by: services.set_targets(
        services.add_alias("biuro@firma.example", ["x@y.example"]), [one.address], actor=by
    ),
    "change_alias": lambda one, by: services.change_alias(
        services.add_alias("biuro@firma.example", ["x@y.example"]), is_active=False, actor=by
    ),
    "delete_alias": lambda one, by: deleted_aliases.delete_alias(
        services.add_alias("biuro@firma.example", ["x@y.example"]), now=timezone.now(), actor=by
    ),
    "restore_alias": lambda one, by: deleted_aliases.restore_alias(
        deleted_aliases.delete_alias(
            services.add_alias("biuro@firma.example", ["x@y.example"]), now=timezone.now(), actor=None
        ),
        actor=by,
    ),
    "set_domain": lambda one, by: hosting.set_domain(one.domain, actor=by, quota_mb=100),
    "suspend": lambda one, by: hosting.suspend(one, now=timezone.now(), actor=by),
    "delete_mailbox": lambda one, by: hosting.delete_mailbox(one, now=timezone.now(), actor=by),
    "restore_mailbox": lambda one, by: hosting.restore_mailbox(gone(one), actor=by),
    "purge_now": lambda one, by: hosting.purge_now(gone(one), now=timezone.now(), actor=by),
    "set_quota": lambda one, by: hosting.set_quota(one, 100, actor=by),
    "rename": lambda one, by: hosting.rename(one, "anna.n", actor=by),
    "make_app_password": lambda one, by: hosting.make_app_password(one, "telefon", actor=by),
    "end_app_password": lambda one, by: services.end_app_password(with_app_password(one), actor=by),
    "make_key": lambda one, by: dkim.make_key(one.domain, "ed25519", now=timezone.now(), actor=by),
    "let_sign": lambda one, by: dkim.let_sign(
        dkim.make_key(one.domain, "ed25519", now=timezone.now(), actor=None), now=timezone.now(), actor=by
    ),
    "delete_key": lambda one, by: dkim.delete_key(
        dkim.make_key(one.domain, "ed25519", now=timezone.now(), actor=None), actor=by
    ),
    "a file of addresses": lambda one, by: address_files.make(
        [address_files.Line("jan@firma.example", "Jan", 5, ())], actor=by
    ),
    "second_factor.remove": lambda one, by: second_factor.remove(one.owner, actor=by),
    "devices.end": lambda one, by: devices.end(one.owner, other_device(one.owner), this=None, actor=by),
    "devices.end_others": lambda one, by: (
        other_device(one.owner) and devices.end_others(one.owner, this=None, actor=by)
    ),
    "make_feed": lambda one, by: calendars.make_feed(one.owner, actor=by),
    "end_feed": lambda one, by: calendars.make_feed(one.owner) and calendars.end_feed(one.owner, actor=by),
    "lift": lambda one, by: refused("jan@x.example") or refusals.lift("jan@x.example", actor=by),
    "batches.start": lambda one, by: batches.start(batch("preview"), actor=by),
    "batches.stop": lambda one, by: batches.stop(batch("running"), actor=by),
    "batches.take_back": lambda one, by: batches.take_back(batch("done"), actor=by),
    "erase": lambda one, by: personal_data.erase("jan@x.example", actor=by),
}


@pytest.mark.parametrize("name", DEEDS)
def test_what_a_person_does_leaves_a_line(name: str, mailbox: Mailbox, by: By) -> None:
    DEEDS[name](mailbox, by)
    lines = LogLine.objects.filter(actor=by.user)
    assert lines
    assert {(line.place, line.way) for line in lines} == {(PLACE, "panel")}
    assert all(line.words and line.model for line in lines)


@pytest.mark.parametrize("name", ["set_limits", "set_quota", "change_mailbox", "set_language", "set_domain"])
def test_what_changes_nothing_leaves_none(name: str, mailbox: Mailbox, by: By) -> None:
    DEEDS[name](mailbox, by)
    count = LogLine.objects.count()
    DEEDS[name](mailbox, by)
    assert LogLine.objects.count() == count


def test_limits_tell_what_they_were(mailbox: Mailbox, by: By) -> None:
    services.set_limits(mailbox, 7, 70, actor=by)
    services.set_limits(mailbox, None, 70, actor=by)
    words = list(LogLine.objects.order_by("pk").values_list("name", "words"))
    assert words == [
        ("anna@firma.example", "replies_per_hour: – → 7"),
        ("firma.example", "replies_per_hour: – → 70"),
        ("anna@firma.example", "replies_per_hour: 7 → –"),
    ]


RESPONDER_DEEDS: dict[str, Callable[[Responder, By], Any]] = {
    "save": lambda row, by: responders.save_responder(
        row.mailbox, as_input(row), actor=by, now=responders.database_now(), responder=row
    ),
    "switch": lambda row, by: responders.switch(row, on=False, actor=by, now=responders.database_now()),
    "answer again": lambda row, by: responders.answer_everyone_again(row, actor=by, now=responders.database_now()),
    "delete": lambda row, by: responders.delete_responder(row, actor=by, now=responders.database_now()),
    "settings": lambda row, by: mailbox_changes.change(row.mailbox, {"notify_started": False}, by),
}


@pytest.mark.parametrize("name", RESPONDER_DEEDS)
def test_the_history_of_responders_says_from_where_too(name: str, standing_reply: Responder, by: By) -> None:
    RESPONDER_DEEDS[name](standing_reply, by)
    event = ResponderEvent.objects.get()
    assert (event.actor, event.place, event.way) == (by.user, PLACE, "panel")


def test_a_command_says_that_it_was_one(mailbox: Mailbox, standing_reply: Responder) -> None:
    call_command("mailbox", "quota", mailbox.address, "100")
    call_command("alias", "add", "biuro@firma.example", mailbox.address)
    call_command("responder", "off", mailbox.address)
    assert list(LogLine.objects.order_by().values_list("way", "actor", "place").distinct()) == [("command", None, None)]
    assert LogLine.objects.count() == 2
    assert ResponderEvent.objects.get().way == "command"


def test_the_clock_says_that_nobody_did(mailbox: Mailbox) -> None:
    Mailbox.objects.filter(pk=mailbox.pk).update(deleted_at=timezone.now() - timedelta(days=400), is_active=False)
    assert hosting.purge_deleted(timezone.now()) == 1
    line = LogLine.objects.get(model="mailboxes.mailbox")
    assert (line.name, line.words, line.actor, line.way) == ("anna@firma.example", "deleted for good", None, "")


def test_support_reads_it_with_the_place_on_customer_domain_and_mailbox(
    client: Client, support: User, mailbox: Mailbox, by: By, plain_static_files: None
) -> None:
    ours = Customer.objects.create(name="Nasza", number="7")
    client.force_login(support)
    alias = services.add_alias("biuro@firma.example", ["anna@firma.example"])
    for row, words, page in (
        (ours, "of the customer", reverse("support_customer", args=[ours.pk])),
        (mailbox.domain, "of the domain", reverse("support_domain", args=[mailbox.domain_id])),
        (alias, "of its alias", reverse("support_domain", args=[mailbox.domain_id])),
        (mailbox, "of the mailbox", reverse("mailbox", args=[mailbox.pk])),
        (mailbox.owner, "of its owner", reverse("mailbox", args=[mailbox.pk])),
        (mailbox, "of its settings", reverse("mailbox_settings", args=[mailbox.pk])),
    ):
        record(row, words, by)  # type: ignore[arg-type]  # the mailbox has an owner
        told = client.get(page).text
        assert words in told
        assert PLACE in told
        assert "· panel" in told


def test_a_customers_administrator_reads_what_was_done_not_from_where(
    client: Client, mailbox: Mailbox, by: By, plain_static_files: None
) -> None:
    boss = User.objects.create_user("szefowa@firma.example")
    ours = Customer.objects.create(name="Nasza", number="7")
    ours.administrators.add(boss)
    hosting.set_domain(mailbox.domain, actor=None, customer=ours)
    services.change_mailbox(mailbox, actor=by, name="Anna N.")
    client.force_login(boss)
    page = client.get(reverse("mailbox_settings", args=[mailbox.pk])).text
    assert "name: Anna Nowak → Anna N." in page
    assert PLACE not in page


def test_whoever_is_forgotten_is_forgotten_in_the_log_and_that_leaves_a_line(mailbox: Mailbox, by: By) -> None:
    boss = User.objects.create_user("szef@hosting.example")
    services.set_limits(mailbox, 7, None, actor=by)
    refused("anna@firma.example")
    refusals.lift("anna@firma.example", actor=None)
    personal_data.erase("anna@firma.example", actor=By(boss, place="192.0.2.8", way="administration"))
    assert not LogLine.objects.filter(actor=by.user).exists()
    assert not LogLine.objects.filter(place=PLACE).exists()
    assert not LogLine.objects.filter(model="responders.refusal", name__contains="anna").exists()
    line = LogLine.objects.order_by("pk").last()
    assert line is not None
    assert (line.actor, line.place, line.way) == (boss, "192.0.2.8", "administration")
    assert line.words == "a person was forgotten in 1 lines"
    assert LogLine.objects.get(words="replies_per_hour: – → 7").name == "anna@firma.example"  # what was done stays


def test_what_djangos_own_log_held_came_along(mailbox: Mailbox, anna: User) -> None:
    kind = ContentType.objects.get_for_model(Mailbox)
    with connection.cursor() as cursor:
        for flag, words in ((1, '[{"added": {}}]'), (2, "name: a → b"), (3, "")):
            cursor.execute(
                "INSERT INTO django_admin_log (action_time, object_id, object_repr, action_flag, change_message,"
                " content_type_id, user_id) VALUES (now(), %s, 'anna@firma.example', %s, %s, %s, %s)",
                [str(mailbox.pk), flag, words, kind.pk, anna.pk],
            )
        cursor.execute(import_module("mailboxes.migrations.0021_earlier_lines_of_the_log").COPY)
    found = list(LogLine.objects.order_by("pk").values_list("model", "key", "words", "actor__email", "way"))
    key = str(mailbox.pk)
    assert found == [("mailboxes.mailbox", key, words, anna.email, "") for words in ("made", "name: a → b", "deleted")]
