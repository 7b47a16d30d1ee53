"""Nobody writes where no mail can arrive: null MX, no such domain, an address that refused a reply."""

import asyncio
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import dns.asyncresolver
import pytest
from django.conf import settings as panel

from mailboxes.models import Domain
from responders import resolver
from responders.hook.refusals import envelope_id, proven_failures
from responders.models import Decision, Refusal, Responder
from responders.resolver import Resolver
from responders.services import database_now
from responders.support import refusals
from tests.lmtp.name_server import NameServer
from tests.lmtp.parts import SENDER, Hook, Loop, Relay, message

Reasons = Callable[[], list[str]]
REPORTS = "2bounce@autoreply.invalid"
REFUSED = "550 5.1.1 No such user"


@pytest.fixture(scope="module")
def running_name_server() -> Iterator[NameServer]:
    server = NameServer()
    yield server
    server.stop()


@pytest.fixture
def name_server(running_name_server: NameServer) -> NameServer:
    running_name_server.forget()
    return running_name_server


@pytest.fixture
def asking_hook(hook: Hook, name_server: NameServer, monkeypatch: pytest.MonkeyPatch) -> Hook:
    """The hook with a resolver that asks the test's name server."""
    monkeypatch.setattr(hook.pipeline, "_resolver", Resolver(name_server.address))
    return hook


@pytest.fixture
def ask(name_server: NameServer) -> Iterator[Callable[..., list[str]]]:
    """Asks one resolver about names, at once."""
    loop, asked = Loop(), Resolver(name_server.address)

    async def about(names: tuple[str, ...]) -> list[str]:
        return list(await asyncio.gather(*(asked.trouble_with(name) for name in names)))

    yield lambda *names: loop.run(about(names))
    loop.stop()


# --- The DNS -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        (["10 mx.example."], ("replied", "")),
        ("nothing", ("replied", "")),  # then the A record counts (RFC 5321 §5.1)
        ("SERVFAIL", ("replied", "")),
        ("silence", ("replied", "")),
        (["0 .", "10 mx.example."], ("replied", "")),
        (["0 ."], ("undeliverable", "nadawca.example: null MX")),
        ("NXDOMAIN", ("undeliverable", "nadawca.example: no such domain")),
    ],
    ids=str,
)
def test_what_the_dns_says_of_the_senders_domain(
    asking_hook: Hook, name_server: NameServer, relay: Relay, standing_reply: Responder,
    records: list[str] | str, expected: tuple[str, str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(resolver, "PATIENCE", 0.5)
    name_server.zone["nadawca.example"] = records
    assert asking_hook.deliver(message()) == ["250 2.0.0 Decided"]
    decision = Decision.objects.get()
    assert (decision.reason, decision.evidence) == expected
    assert len(relay.contents) == (decision.reason == "replied")


def test_a_name_server_that_is_away_keeps_nobody_from_a_reply(
    asking_hook: Hook, relay: Relay, standing_reply: Responder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolver, "PATIENCE", 0.5)
    monkeypatch.setattr(asking_hook.pipeline, "_resolver", Resolver("127.0.0.1:1"))
    asking_hook.deliver(message())
    assert len(relay.contents) == 1


def test_name_servers_that_changed_are_asked_from_then_on(
    name_server: NameServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a change of the network, while the hook runs; resolv.conf names no ports, so all have the test's."""

    class AtThePort(dns.asyncresolver.Resolver):
        def reset(self) -> None:
            super().reset()
            self.port = int(name_server.address.rpartition(":")[2])

    monkeypatch.setattr(dns.asyncresolver, "Resolver", AtThePort)
    monkeypatch.setattr(resolver, "PATIENCE", 0.5)
    name_server.zone |= {f"{name}.example": ["0 ."] for name in ("before", "after", "gone")}
    conf = tmp_path / "resolv.conf"
    conf.write_text("nameserver 127.0.0.9\n")
    loop = Loop()
    asked = Resolver(conf=conf)
    assert loop.run(asked.trouble_with("before.example")) == ""  # nobody answers there
    conf.write_text("nameserver 127.0.0.1\n")
    os.utime(conf, ns=(1, 1))
    assert loop.run(asked.trouble_with("after.example")) == "null MX"
    conf.unlink()
    assert loop.run(asked.trouble_with("gone.example")) == "null MX"
    loop.stop()


def test_a_machine_that_names_no_name_server_is_its_own(tmp_path: Path) -> None:
    (tmp_path / "resolv.conf").write_text("search example\n")
    for conf in (tmp_path / "resolv.conf", tmp_path / "none"):
        [server] = Resolver(conf=conf)._resolver.nameservers
        assert str(server).startswith("Do53:127.0.0.1@53")


def test_the_dns_is_asked_only_where_nothing_else_is_against_a_reply(
    asking_hook: Hook, name_server: NameServer, standing_reply: Responder, decisions: Reasons
) -> None:
    name_server.zone["nadawca.example"] = ["10 mx.example."]
    asking_hook.deliver(message(extra="List-Id: <news.example>\r\n"))
    asking_hook.deliver(message(to="ktos@inny.example"))
    assert (decisions(), name_server.asked) == (["list-or-bulk", "not-addressed"], [])
    asking_hook.deliver(message())
    asking_hook.deliver(message())
    assert decisions()[2:] == ["replied", "already-replied"]
    assert name_server.asked == ["nadawca.example"]


def test_of_a_domain_of_our_own_nobody_is_asked(
    asking_hook: Hook, name_server: NameServer, relay: Relay, standing_reply: Responder
) -> None:
    Domain.objects.create(name="wewnetrzna.example")
    asking_hook.deliver(message(), sender="ewa@wewnetrzna.example")
    assert (len(relay.contents), name_server.asked) == (1, [])


def test_an_international_domain_is_asked_for_in_its_ascii_form(
    asking_hook: Hook, name_server: NameServer, relay: Relay, standing_reply: Responder
) -> None:
    name_server.zone["xn--bcher-kva.example"] = ["10 mx.example."]
    asking_hook.deliver(message(), sender="żółw@Bücher.example")
    assert (len(relay.contents), name_server.asked) == (1, ["xn--bcher-kva.example"])


def test_many_messages_to_one_domain_share_one_question(
    asking_hook: Hook, name_server: NameServer, relay: Relay, standing_reply: Responder
) -> None:
    name_server.zone["peer.example"] = ["10 mx.example."]
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda number: asking_hook.deliver(message(), sender=f"{number}@peer.example"), range(40)))
    assert (len(relay.contents), name_server.asked) == (40, ["peer.example"])


def test_an_answer_is_kept_as_long_as_it_says_within_limits(
    name_server: NameServer, ask: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolver, "SHORTEST", 0.0)
    name_server.ttl = 0
    for answer in (["10 mx.example."], "NXDOMAIN"):
        name_server.zone["short.example"] = answer
        ask("short.example")
    assert name_server.asked == ["short.example"] * 2
    name_server.ttl = 300
    assert [ask("short.example"), ask("short.example"), ask("short.example")] == [["no such domain"]] * 3
    assert name_server.asked == ["short.example"] * 3


def test_what_is_kept_is_bounded(
    name_server: NameServer, ask: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolver, "MAX_KEPT", 10)
    for number in range(30):
        ask(f"{number}.example")
    assert ask("29.example", "29.example") == ["no such domain"] * 2
    ask("0.example")
    assert name_server.asked == [f"{number}.example" for number in (*range(30), 0)]


# --- Refusals ----------------------------------------------------------------------------------------


def report(address: str, name: str, *, action: str = "failed", status: str = "5.1.1") -> bytes:
    """A delivery report as Postfix writes it (RFC 3464); `name` is what the reply was called."""
    return (
        f"Received: by mail.panel.example (Postfix) id 4BOUNCE\r\n"
        f"From: MAILER-DAEMON@mail.panel.example (Mail Delivery System)\r\nTo: {REPORTS}\r\n"
        f"Subject: Postmaster Copy: Undelivered Mail\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
        f'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        f"--b\r\nContent-Type: text/plain\r\n\r\nThis is the mail system.\r\n\r\n"
        f"--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        f"Reporting-MTA: dns; mail.panel.example\r\nOriginal-Envelope-Id: {name}\r\n\r\n"
        f"Final-Recipient: rfc822; {address}\r\nAction: {action}\r\nStatus: {status}\r\n"
        f"Diagnostic-Code: smtp; 550 {status} No such\r\n    user\r\n\r\n--b--\r\n"
    ).encode()


def name_of_reply(address: str) -> str:
    return envelope_id(panel.SECRET_KEY.encode(), address)


def test_an_address_that_the_relay_refuses_gets_no_reply_for_a_while(
    hook: Hook, relay: Relay, standing_reply: Responder, decisions: Reasons
) -> None:
    relay.answer_to_recipient = REFUSED
    hook.deliver(message())
    relay.answer_to_recipient = ""
    Responder.objects.update(text_revision=2)  # else the sender would be remembered
    hook.deliver(message())
    assert decisions() == ["refused", "undeliverable"]
    assert Decision.objects.latest("id").evidence.endswith(f"Z: {REFUSED}")

    Refusal.objects.update(refused_at=database_now() - timedelta(days=60))
    hook.deliver(message())
    assert (decisions()[-1], len(relay.contents)) == ("replied", 1)


def test_a_refusal_that_is_lifted_is_forgotten(
    hook: Hook, relay: Relay, standing_reply: Responder, decisions: Reasons
) -> None:
    Refusal.objects.create(address=SENDER, refused_at=database_now(), words=REFUSED)
    hook.deliver(message())
    assert refusals.lift(SENDER.upper(), actor=None) == 1
    hook.deliver(message())
    assert decisions() == ["undeliverable", "replied"]


@pytest.mark.parametrize(
    ("to_recipient", "to_content", "is_learnt"),
    [
        ("550 5.1.1 No such user", "", True),
        ("552 5.2.2 Over quota", "", True),
        ("550 No such user", "", True),
        ("", "550 5.1.1 No such user", True),
        # A relay that is set up wrong, or a reply that it does not like, says nothing of the sender.
        ("554 5.7.1 Client host rejected", "", False),
        ("554 Relay access denied", "", False),
        ("", "552 5.3.4 Too big", False),
        ("", "550 I do not like this", False),
    ],
)
def test_only_what_is_said_of_the_address_is_learnt(
    hook: Hook, relay: Relay, standing_reply: Responder, to_recipient: str, to_content: str, is_learnt: bool
) -> None:
    relay.answer_to_recipient, relay.answer_to_content = to_recipient, to_content
    hook.deliver(message())
    assert Decision.objects.get().reason == "refused"
    assert Refusal.objects.exists() is is_learnt


def test_an_address_of_our_own_is_not_remembered_as_refusing(
    hook: Hook, relay: Relay, standing_reply: Responder
) -> None:
    """The relay, our own Postfix, says so again at once; a mailbox that is made tomorrow is answered."""
    relay.answer_to_recipient = REFUSED
    hook.deliver(message(), sender="nikt@firma.example")
    assert not Refusal.objects.exists()


def test_a_report_of_postfix_teaches_who_refuses(
    hook: Hook, relay: Relay, standing_reply: Responder, decisions: Reasons
) -> None:
    content = report(SENDER.upper(), name_of_reply(SENDER))
    assert hook.deliver(content, REPORTS, sender="double-bounce@mail.panel.example") == ["250 2.0.0 Read"]
    refusal = Refusal.objects.get()
    assert (refusal.address, refusal.words) == (SENDER, "550 5.1.1 No such user")
    hook.deliver(message())
    assert (decisions(), relay.contents) == (["undeliverable"], [])


def test_a_report_may_name_a_reply_with_an_earlier_secret_key() -> None:
    content = report(SENDER, envelope_id(b"earlier", SENDER))
    assert [found.address for found in proven_failures(content, (b"now", b"earlier"))] == [SENDER]
    assert proven_failures(content, (b"now",)) == []


@pytest.mark.parametrize(
    "content",
    [
        report(SENDER, name_of_reply("attacker@evil.example")),  # the name that the attacker's own server saw
        report(SENDER, name_of_reply(SENDER)[:-1]),
        report(SENDER, ""),
        report(SENDER, "0" * 40),
        report(SENDER, name_of_reply(SENDER), action="delayed"),
        report(SENDER, name_of_reply(SENDER), status="4.4.1"),
        report("nobody", name_of_reply("nobody")),
        report(SENDER, name_of_reply(SENDER)).replace(b"message/delivery-status", b"text/plain"),
        message(),
        b"",
    ],
    ids=["another's name", "short", "no name", "guessed", "delayed", "expired", "no address", "text", "mail", "empty"],
)
def test_no_other_report_teaches_anything_and_none_is_answered(
    hook: Hook, relay: Relay, standing_reply: Responder, content: bytes
) -> None:
    assert hook.deliver(content, REPORTS.upper(), sender="attacker@evil.example") == ["250 2.0.0 Read"]
    assert not Refusal.objects.exists()
    assert not Decision.objects.exists()
    assert relay.contents == []


def test_a_refused_sender_can_be_lifted_from_a_whole_domain(standing_reply: Responder) -> None:
    for address in ("a@x.example", "b@x.example", "c@ax.example"):
        Refusal.objects.create(address=address, refused_at=database_now())
    assert refusals.lift("@X.example", actor=None) == 2
    assert Refusal.objects.get().address == "c@ax.example"
