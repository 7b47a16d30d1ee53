"""The messages that the benchmarks send: they read as Postfix hands them over."""

import functools
import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

KB = 1024
MB = 1024 * KB
COPY = "anna=bench.example@autoreply.invalid"
_LINE = b"Lorem ipsum dolor sit amet, consectetur adipiscing elit.\r\n"
_SERIAL = itertools.count(1)

LIST = "List-Id: <news.example>\r\n"
BULK = "Precedence: bulk\r\n"
AUTO = "Auto-Submitted: auto-generated\r\n"


@dataclass(frozen=True, slots=True)
class Letter:
    """A message on its way: the envelope, and the content in two parts, of which many share the second."""

    reverse_path: str
    head: bytes
    body: bytes
    recipient: str = COPY

    def to(self, recipient: str) -> "Letter":
        return replace(self, recipient=recipient)


def letter(kind: str, number: int, size: int = 2 * KB, extra: str = "", *, to: str = "anna@bench.example") -> Letter:
    """A letter of a sender who is called by kind and number; each has a queue id of its own."""
    sender = f"{kind}.{'abcdefghij'[number % 10]}x{number}y@sender.example"
    head = (
        f"Received: from client.example (client.example [192.0.2.1])\r\n"
        f"\tby panel.example (Postfix) with ESMTPS id 4{kind}{number}Z{next(_SERIAL)}\r\n"
        f"\tfor <{to}>; Mon, 4 Jan 2027 08:00:00 +0100 (CET)\r\n"
        f"Received: from [192.0.2.7] (unknown [192.0.2.7])\r\n"
        f"\tby client.example (Postfix) with ESMTPSA id 4X{number}\r\n"
        f"\tfor <{to}>; Mon, 4 Jan 2027 07:59:59 +0100 (CET)\r\n"
        f"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=sender.example; s=2027;\r\n\tb={'A' * 170}\r\n"
        f"From: =?utf-8?q?Jan_Kowalski?= <{sender}>\r\nTo: Anna <{to}>\r\nSubject: Pytanie {number}\r\n"
        f"Date: Mon, 4 Jan 2027 07:59:58 +0100\r\nMessage-ID: <{kind}.{number}@sender.example>\r\n{extra}"
        f"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    ).encode()
    return Letter(sender, head, _body(max(1, (size - len(head)) // len(_LINE))))


@functools.lru_cache(maxsize=64)
def _body(lines: int) -> bytes:
    return _LINE * lines


def letters(kind: str, count: int, size: int = 2 * KB, extra: str = "") -> list[Letter]:
    """So many, each of another sender."""
    return [letter(kind, number, size, extra) for number in range(count)]


def mixed(kind: str, count: int) -> tuple[list[Letter], list[Letter]]:
    """What comes on an ordinary day, in a random order that is always the same; and what its repeats repeat.

    30% first letters, 20% of people who were answered before, 25% lists, 10% bulk, 10% machines, 5% reports; of these
    70% have 2 KB, 28% 30 KB and 2% 1 MB.
    """
    chance = random.Random(7)
    before, day = [], []
    for number in range(count):
        size = chance.choices((2 * KB, 30 * KB, MB), (70, 28, 2))[0]
        what = chance.choices(("new", "again", "list", "bulk", "auto", "null"), (30, 20, 25, 10, 10, 5))[0]
        extra = {"list": LIST, "bulk": BULK, "auto": AUTO}.get(what, "")
        one = letter(f"{what}{kind}", number, size, extra)
        if what == "again":
            before.append(letter(f"{what}{kind}", number))
        day.append(replace(one, reverse_path="") if what == "null" else one)
    return day, before


def octets(sent: Sequence[Letter]) -> int:
    return sum(len(one.head) + len(one.body) for one in sent)
