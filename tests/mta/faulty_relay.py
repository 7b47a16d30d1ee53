"""A relay between the hook and Postfix that fails in every way a relay can, as a seed says."""

import asyncio
import random
import smtplib
from collections import Counter
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import MISSING, SMTP, Envelope, Session

from webmail_panel.embedded import free_port

# How often each happens, of a hundred. What is dropped after it was kept comes twice: nobody can know it was.
FAULTS = {"451": 15, "drop before": 10, "drop after": 5, "stall": 3}
STALL_SECONDS = 11  # longer than Postfix waits for the hook
REFUSED = "refuse"  # local parts that begin so are refused for good


CHUNKS = 50  # of a hundred connections are offered CHUNKING (RFC 3030), and get a reply in one packet


class _Server(SMTP):
    """With what aiosmtpd does not know: a chunk, which is the only one."""

    async def smtp_BDAT(self, arg: str) -> None:
        size, last = arg.split()
        assert last == "LAST"
        content = await self._reader.readexactly(int(size))
        if not self.envelope.rcpt_tos:
            await self.push("554 5.5.1 No valid recipients")
            return
        self.envelope.content = self.envelope.original_content = content
        status = await self._call_handler_hook("DATA")
        self._set_post_data_state()
        await self.push("250 OK" if status is MISSING else status)


class _Controller(Controller):
    def factory(self) -> SMTP:
        return _Server(self.handler, **self.SMTP_kwargs)


class FaultyRelay:
    """Takes replies at `url`; passes those it accepts on to a port of 127.0.0.1. `seed` repeats a run."""

    def __init__(self, target_port: int, seed: int) -> None:
        self._target_port = target_port
        self._chance = random.Random(seed)
        self.is_faulty = True
        self.passed_on: Counter[str] = Counter()
        self.lost_answers: set[str] = set()
        self.chunked = 0
        port = free_port()
        self._controller = _Controller(self, hostname="127.0.0.1", port=port, decode_data=False)
        self._controller.start()
        self.url = f"smtp://127.0.0.1:{port}"

    def stop(self) -> None:
        self._controller.stop()

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        if self._chance.randrange(100) >= CHUNKS:
            return responses
        self.chunked += 1
        return [responses[0], "250-PIPELINING", "250-CHUNKING", *responses[1:]]

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any) -> str:
        if address.startswith(REFUSED):
            return "550 5.1.1 No such person"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        fault, [recipient] = self._fault(), envelope.rcpt_tos
        if fault == "451":
            return "451 4.3.0 Not now"
        if fault == "stall":
            await asyncio.sleep(STALL_SECONDS)
        if fault != "drop before" and not await asyncio.to_thread(self._pass_on, recipient, envelope.content):
            return "451 4.3.0 The next server does not take it now"
        if fault == "drop after":
            self.lost_answers.add(recipient)
        if fault.startswith("drop") and server.transport is not None:
            server.transport.abort()
        return "250 2.0.0 Kept"

    def _fault(self) -> str:
        if not self.is_faulty:
            return ""
        kinds = [*FAULTS, ""]
        return self._chance.choices(kinds, [*FAULTS.values(), 100 - sum(FAULTS.values())])[0]

    def _pass_on(self, recipient: str, content: Any) -> bool:
        try:
            with smtplib.SMTP("127.0.0.1", self._target_port, "hook.example", timeout=30) as smtp:
                smtp.sendmail("", [recipient], content)
        except (smtplib.SMTPException, OSError):  # Postfix without its database: 451
            return False
        self.passed_on[recipient] += 1
        return True
