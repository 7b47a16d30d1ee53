"""A new key signs once its record is in the DNS; the commands; what counts as the record."""

import io
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from mailboxes import tasks
from mailboxes.domain_dns import asker
from mailboxes.models import DkimKey, Domain
from mailboxes.signing import dkim, dkim_records, dkim_rotation
from mailboxes.signing.dkim_records import State
from tests.lmtp.name_server import NameServer

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def server() -> Iterator[NameServer]:
    made = NameServer()
    yield made
    made.stop()


@pytest.fixture
def name_server(server: NameServer, settings: Settings) -> NameServer:
    """The one that the panel asks, without a zone."""
    server.forget()
    settings.DNS_SERVER = server.address
    return server


@pytest.fixture
def domain() -> Domain:
    return Domain.objects.create(name="firma.example")


@pytest.fixture
def key(domain: Domain) -> DkimKey:
    return dkim.make_key(domain, "rsa", now=NOW, actor=None)


def publish(server: NameServer, key: DkimKey, value: str = "") -> None:
    name, own = dkim.record_of(key)
    text = value or own
    server.zone[name] = " ".join(f'"{text[start : start + 255]}"' for start in range(0, len(text), 255))


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("dkim", *arguments, stdout=out)
    return out.getvalue()


# --- The record ---


def test_a_long_record_stands_in_strings_of_at_most_255_octets(key: DkimKey) -> None:
    name, value = dkim.record_of(key)
    line = dkim_records.zone_line(name, value)
    head, *strings = line.split('"')
    assert head == f"{name}. 3600 IN TXT "
    pieces = [piece for piece in strings if piece.strip()]
    assert [len(piece) for piece in pieces] == [255, len(value) - 255]
    assert "".join(pieces) == value


@pytest.mark.parametrize(
    ("texts", "state"),
    [
        ([], State.MISSING),
        (["v=DKIM1; k=rsa; p=AAAA"], State.SEEN),
        (["k=rsa;p=AA AA;v=DKIM1;"], State.SEEN),
        (["p=AAAA"], State.SEEN),  # what is left out has these values
        (["v=DKIM1; k=rsa; p=AAAA; t=s; n=note"], State.SEEN),
        (["v=DKIM1; k=ed25519; p=AAAA"], State.DIFFERENT),
        (["v=DKIM1; k=rsa; p=AAAB"], State.DIFFERENT),
        (["v=DKIM1; k=rsa; p="], State.DIFFERENT),  # revoked
        (["v=DKIM2; k=rsa; p=AAAA"], State.DIFFERENT),
        (["v=DKIM1; k=rsa; p=AAAA", "v=DKIM1; k=rsa; p=AAAA"], State.DIFFERENT),
        (["\xff;;=;"], State.DIFFERENT),
        ([""], State.DIFFERENT),
    ],
)
def test_what_counts_as_the_record(texts: list[str], state: State) -> None:
    assert dkim_records.state_of(texts, "v=DKIM1; k=rsa; p=AAAA") == state


@pytest.mark.parametrize(
    ("answer", "state"),
    [("NXDOMAIN", "missing"), ("nothing", "missing"), ("SERVFAIL", "unknown"), ("silence", "unknown")],
)
def test_a_dns_without_an_answer_says_nothing(
    name_server: NameServer, key: DkimKey, answer: str, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asker, "PATIENCE", 0.3)
    name_server.zone[str(key)] = answer
    assert dkim_records.look(key) == state


# --- The task ---


def test_a_key_does_not_sign_before_its_record_is_there_and_then_does(name_server: NameServer, key: DkimKey) -> None:
    old = DkimKey.objects.create(domain=key.domain, selector="old", algorithm="rsa", signs_since=NOW)
    now = NOW + timedelta(hours=1)
    assert dkim_rotation.start_published(now) == 0
    key.refresh_from_db()
    assert key.waits
    assert key.checked_at is not None
    assert key.seen_at is None
    publish(name_server, key, "v=DKIM1; k=rsa; p=AAAA")
    assert dkim_rotation.start_published(now) == 0
    publish(name_server, key)
    assert dkim_rotation.start_published(now) == 1
    key.refresh_from_db()
    old.refresh_from_db()
    assert key.signs
    assert key.seen_at == key.checked_at
    assert old.retired_at is not None
    assert dkim_rotation.start_published(now) == 0


def test_keys_that_waited_longest_come_first_and_a_slow_dns_ends_the_round(
    name_server: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [
        dkim.make_key(Domain.objects.create(name=f"firma{number}.example"), "ed25519", now=NOW, actor=None)
        for number in range(4)
    ]
    DkimKey.objects.filter(pk__in=[key.pk for key in keys[:2]]).update(checked_at=NOW)
    moments = iter(range(100))
    monkeypatch.setattr(time, "monotonic", lambda: next(moments))
    monkeypatch.setattr(dkim_rotation, "look", lambda key: name_server.asked.append(str(key)) or State.MISSING)
    dkim_rotation.start_published(NOW, seconds=2)
    assert name_server.asked == [str(key) for key in keys[2:]]


def test_who_forgot_a_key_is_not_asked_for_in_the_dns_for_ever(name_server: NameServer, key: DkimKey) -> None:
    publish(name_server, key)
    DkimKey.objects.update(created_at=NOW)
    assert dkim_rotation.start_published(NOW + timedelta(days=61)) == 0
    assert name_server.asked == []
    DkimKey.objects.update(created_at=timezone.now())
    assert tasks.start_published_dkim_keys() == 1


# --- The commands ---


def test_a_key_is_made_published_and_signs_by_command(name_server: NameServer, domain: Domain) -> None:
    made = json.loads(run("make", "Firma.example", "--algorithm", "ed25519", "--json"))
    assert (made["state"], made["algorithm"]) == ("waits", "ed25519")
    with pytest.raises(CommandError, match=r"the record is missing; publish it first, or --unseen$"):
        run("sign", "firma.example")
    name_server.zone[made["name"]] = f'"{made["value"]}"'
    assert run("sign", "firma.example") == f"{made['name']} signs\n"
    assert run("list", "firma.example") == f'signs\t{made["name"]}. 3600 IN TXT "{made["value"]}"\n'
    assert json.loads(run("look", "firma.example", "--json"))["record"] == "seen"
    assert run("delete", "firma.example", "--selector", made["selector"]) == f"{made['name']} deleted\n"
    assert run("list") == ""


def test_a_key_signs_unseen_where_somebody_insists(name_server: NameServer, key: DkimKey) -> None:
    run("sign", "firma.example", "--unseen")
    key.refresh_from_db()
    assert key.signs


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["make", "elsewhere.example"], "^elsewhere.example is not a domain of this panel$"),
        (["make", "a b"], "^a b is not a domain of this panel$"),
        (["make", "firma.example"], "^firma.example: There is a new key already"),
        (["delete", "firma.example", "--selector", "x"], "^no key has the selector x$"),
    ],
)
def test_what_cannot_be_done_is_one_line(key: DkimKey, arguments: list[str], words: str) -> None:
    with pytest.raises(CommandError, match=words) as refused:
        run(*arguments)
    assert "\n" not in str(refused.value)


def test_a_redis_that_is_away_is_one_line(settings: Settings, key: DkimKey) -> None:
    settings.DKIM_REDIS_URL = "redis://127.0.0.1:9/0"
    with pytest.raises(CommandError, match=r"^Redis cannot be written to: "):
        run("write")


def test_a_domain_with_a_name_too_long_for_a_record_gets_no_key() -> None:
    label = "a" * 59
    domain: Any = Domain.objects.create(name=".".join([label] * 4))
    with pytest.raises(CommandError, match="too long"):
        run("make", domain.name)
