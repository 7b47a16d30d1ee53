"""A relay that offers CHUNKING gets envelope and content in one packet (RFC 3030, RFC 2920)."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from responders.core.reply import Reply
from responders.hook.relay import Refused, Relay, RelayError, RelayUnavailable
from tests.lmtp.parts import ScriptedRelay

HELLO = ["220 relay.example", "250-relay.example\n250-PIPELINING\n250 CHUNKING"]
TAKES = ["250 ok", "250 ok", "250 2.0.0 kept"]
CONTENT = "Subject: Auto\r\n\r\n.\r\n..Nie ma mnie: żółw"

Scripted = Callable[..., ScriptedRelay]


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    running: list[ScriptedRelay] = []

    def start(*connections: list[str]) -> ScriptedRelay:
        running.append(ScriptedRelay(*connections))
        return running[-1]

    yield start
    for relay in running:
        relay.stop()


def submitted(url: str, *senders: str) -> list[RelayError | None]:
    """What became of replies to the senders, one after the other."""

    async def scene() -> list[RelayError | None]:
        relay, found = Relay(url, hostname="panel.example"), list[RelayError | None]()
        for sender in senders:
            try:
                await relay.submit(Reply(sender, CONTENT.encode(), "<a@panel.example>", needs_smtputf8=False))
                found.append(None)
            except RelayError as error:
                found.append(error)
        await relay.close()
        return found

    with ThreadPoolExecutor(1) as thread:  # the main one may have Playwright's loop
        return thread.submit(lambda: asyncio.run(scene())).result()


def test_the_content_goes_as_it_is_with_its_size(scripted: Scripted) -> None:
    relay = scripted([*HELLO, *TAKES])
    assert submitted(relay.url, "jan@nadawca.example") == [None]
    whole = CONTENT + "\r\n"
    assert relay.heard == [
        "EHLO panel.example", "MAIL FROM:<>", "RCPT TO:<jan@nadawca.example>",
        f"BDAT {len(whole.encode())} LAST", whole,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("answers", "is_of_address"),
    [
        (["250 ok", "550 5.1.1 No such user", "554 5.5.1 No valid recipients"], True),
        (["250 ok", "250 ok", "550 5.1.1 No such user"], True),
        (["250 ok", "250 ok", "550 We do not like it"], False),
        (["250 ok", "250 ok", "552 5.3.4 Too big"], False),
    ],
)
def test_refused_for_good_and_the_connection_is_kept(
    answers: list[str], is_of_address: bool, scripted: Scripted
) -> None:
    relay = scripted([*HELLO, *answers, "250 reset", *TAKES])
    refused, taken = submitted(relay.url, "jan@nadawca.example", "ewa@nadawca.example")
    assert isinstance(refused, Refused)
    assert refused.is_of_address is is_of_address
    assert "RSET" in relay.heard
    assert taken is None


@pytest.mark.parametrize(
    "answers",
    [
        ["451 4.3.0 Later", "503 5.5.1 No sender", "503 5.5.1 No recipient"],
        ["553 5.7.1 Not you", "503 5.5.1 No sender", "503 5.5.1 No recipient"],
        ["250 ok", "451 4.7.1 Greylisted", "554 5.5.1 No valid recipients"],
        ["250 ok", "250 ok", "452 4.3.1 Disk full"],
        ["250 ok", "250 ok", "421 4.3.2 Shutting down"],
    ],
)
def test_trouble_is_temporary(answers: list[str], scripted: Scripted) -> None:
    [trouble] = submitted(scripted([*HELLO, *answers]).url, "jan@nadawca.example")
    assert isinstance(trouble, RelayUnavailable)


def test_a_kept_connection_that_says_nothing_any_more_is_replaced_at_once(scripted: Scripted) -> None:
    relay = scripted([*HELLO, *TAKES], [*HELLO, *TAKES])
    assert submitted(relay.url, "jan@nadawca.example", "ewa@nadawca.example") == [None, None]


def test_one_that_ends_in_the_middle_of_its_answers_may_have_the_reply(scripted: Scripted) -> None:
    """Then it is not sent again at once, but with the copy, as after every answer that was lost."""
    relay = scripted([*HELLO, *TAKES, "250 ok", "250 ok"], [*HELLO, *TAKES])
    taken, unknown = submitted(relay.url, "jan@nadawca.example", "ewa@nadawca.example")
    assert taken is None
    assert isinstance(unknown, RelayUnavailable)
    assert len([line for line in relay.heard if line.startswith("EHLO")]) == 1
