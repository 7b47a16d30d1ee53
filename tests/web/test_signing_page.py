"""The page of a domain's keys: made, published, let sign, deleted, by a customer's administrator."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from mailboxes.domain_dns.asker import asker
from mailboxes.domain_dns.records import Answer, Ask
from mailboxes.models import DkimKey, Domain, LogLine, Mailbox, User
from mailboxes.signing import dkim, dkim_records
from tests.lmtp.name_server import NameServer
from tests.web.test_company import as_boss, boss, company

__all__ = ["as_boss", "boss", "company"]  # fixtures


@pytest.fixture(scope="module")
def server() -> Iterator[NameServer]:
    made = NameServer()
    yield made
    made.stop()


@pytest.fixture(autouse=True)
def name_server(server: NameServer, settings: Settings) -> NameServer:
    server.forget()
    settings.DNS_SERVER = server.address
    return server


@pytest.fixture
def page(mailbox: Mailbox) -> str:
    return reverse("domain_signing", args=["firma.example"])


def make(client: Client, page: str, algorithm: str = "ed25519") -> DkimKey:
    assert client.post(page, {"make": algorithm})["Location"] == page
    return DkimKey.objects.latest("pk")


def publish(server: NameServer, key: DkimKey) -> None:
    name, value = dkim.record_of(key)
    server.zone[name] = f'"{value}"'


def test_she_makes_a_key_publishes_it_and_it_signs(
    as_boss: Client, boss: User, page: str, name_server: NameServer
) -> None:
    assert page in as_boss.get(reverse("domain", args=["firma.example"])).text
    assert "is not signed yet" in as_boss.get(page).text
    key = make(as_boss, page)
    shown = as_boss.get(page).text
    assert dkim_records.zone_line(*dkim.record_of(key)).replace('"', "&quot;") in shown
    assert key.sealed_key not in shown
    answer = as_boss.post(page, {"sign": key.pk})
    assert answer.status_code == 422
    assert "The record is not in the DNS yet" in answer.text
    assert not DkimKey.objects.get().signs
    publish(name_server, key)
    assert as_boss.post(page, {"sign": key.pk}).status_code == 302
    assert DkimKey.objects.get().signs
    assert "is not signed yet" not in as_boss.get(page).text
    words = [entry.words for entry in LogLine.objects.filter(actor=boss).order_by("pk")]
    assert words == [f"DKIM key made: {key.selector} (ed25519)", f"DKIM key signs: {key.selector}"]


def test_with_a_warning_she_may_sign_before_the_record_is_seen(as_boss: Client, page: str) -> None:
    key = make(as_boss, page)
    as_boss.post(page, {"sign_unseen": key.pk})
    assert DkimKey.objects.get().signs


def test_looking_starts_what_is_there_and_says_what_is_not(as_boss: Client, page: str, name_server: NameServer) -> None:
    key = make(as_boss, page)
    assert "Not every record is there yet" in as_boss.post(page, {"look": "1"}, follow=True).text
    assert "and not seen." in as_boss.get(page).text
    publish(name_server, key)
    assert "Every record is there." in as_boss.post(page, {"look": "1"}, follow=True).text
    assert DkimKey.objects.get().signs
    name_server.zone[str(key)] = "SERVFAIL"
    assert "The DNS gave no answer" in as_boss.post(page, {"look": "1"}, follow=True).text


def asking_when_all_ask(count: int) -> Callable[..., Ask]:
    """As the panel asks, but nobody does before so many are about to."""
    all_here = threading.Barrier(count, timeout=60)

    def asker_that_waits(server: str, *, patience: float) -> Ask:
        def ask(name: str, kind: str) -> Answer:
            all_here.wait()
            return asker(server, patience=patience)(name, kind)

        return ask

    return asker_that_waits


def test_a_name_server_that_says_nothing_does_not_hold_the_page_for_every_key(
    as_boss: Client, page: str, name_server: NameServer, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All are asked about at once: one after the other eight would take half a minute."""
    monkeypatch.setattr(dkim_records, "TOGETHER", 1.0)
    for _number in range(8):
        key = make(as_boss, page)
        DkimKey.objects.filter(pk=key.pk).update(signs_since=timezone.now(), retired_at=timezone.now())
        name_server.zone[str(key)] = "silence"
    monkeypatch.setattr(dkim_records, "asker", asking_when_all_ask(8))
    assert "The DNS gave no answer" in as_boss.post(page, {"look": "1"}, follow=True).text
    assert DkimKey.objects.filter(checked_at__isnull=False).count() == 8


def test_a_new_key_takes_over_and_the_old_record_is_to_stay(
    as_boss: Client, page: str, name_server: NameServer
) -> None:
    old = make(as_boss, page)
    as_boss.post(page, {"sign_unseen": old.pk})
    DkimKey.objects.update(signs_since=timezone.now() - timedelta(days=400))
    assert "more than a year old" in as_boss.get(page).text
    new = make(as_boss, page)
    publish(name_server, new)
    as_boss.post(page, {"sign": new.pk})
    assert "Leave its record in the DNS for two weeks" in as_boss.get(page).text
    assert [key.pk for key in DkimKey.objects.all() if key.signs] == [new.pk]


def test_a_deleted_key_is_gone(as_boss: Client, page: str) -> None:
    key = make(as_boss, page)
    as_boss.post(page, {"delete": key.pk})
    assert not DkimKey.objects.exists()


@pytest.mark.parametrize("name", ["sign", "sign_unseen", "delete"])
@pytest.mark.parametrize("value", ["", "x", "-1", "²", "9" * 40, "theirs"])
def test_a_key_of_another_domain_or_none_is_not_found(as_boss: Client, page: str, name: str, value: str) -> None:
    foreign = dkim.make_key(
        Domain.objects.create(name="cudza.example"), "ed25519", now=timezone.now(), actor=None
    )  # fmt: skip
    assert as_boss.post(page, {name: str(foreign.pk) if value == "theirs" else value}).status_code == 404
    assert not DkimKey.objects.get().signs


@pytest.mark.parametrize("fields", [{}, {"make": "dsa"}, {"make": ""}, {"x": "y"}])
def test_what_is_no_wish_changes_nothing(as_boss: Client, page: str, fields: dict[str, str]) -> None:
    assert as_boss.post(page, fields).status_code == 302
    assert not DkimKey.objects.exists()


def test_a_second_new_key_is_refused_in_a_sentence(as_boss: Client, page: str) -> None:
    make(as_boss, page)
    assert "There is a new key already" in as_boss.post(page, {"make": "ed25519"}, follow=True).text
    assert "New key, Ed25519" not in as_boss.get(page).text


def test_a_redis_that_is_away_does_not_stop_the_page(
    as_boss: Client, page: str, settings: Settings, django_capture_on_commit_callbacks: pytest.FixtureRequest
) -> None:
    settings.DKIM_REDIS_URL = "redis://127.0.0.1:9/0"
    key = make(as_boss, page)
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        assert as_boss.post(page, {"sign_unseen": key.pk}).status_code == 302
    assert DkimKey.objects.get().signs


def test_the_administration_shows_no_private_key(client: Client, mailbox: Mailbox) -> None:
    client.force_login(User.objects.create_superuser("root@hosting.example", "x"))
    key = dkim.make_key(mailbox.domain, "ed25519", now=timezone.now(), actor=None)
    shown = client.get(reverse("admin:mailboxes_dkimkey_change", args=[key.pk])).text
    assert key.public_key in shown.replace("&#x2B;", "+")
    assert key.sealed_key not in shown
