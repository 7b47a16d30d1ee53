"""The only SMTP client: hands replies to the relay (Postfix) over kept connections.

The relay's answer is one of three: accepted (`submit` returns), refused for good (`Refused`: a 5xx to this
reply) or trouble that time mends (`RelayUnavailable`: everything else). Nothing is queued here.
"""

import asyncio
import re
from typing import Self
from urllib.parse import urlsplit

from responders.core.reply import Reply
from responders.hook.smtp import Answer, Wire

CONNECTIONS = 10
# Seconds. A stalled relay is told to Postfix before it loses patience with us. Only the answer to the content is
# worth a long wait: a relay that accepts it after we went would send a reply that nobody remembers (RFC 5321
# §4.5.3.2.6). Both attempts of a submission together stay well under a claim's lease (claiming.LEASE_SECONDS).
CONNECT_TIMEOUT = 3.0
COMMAND_TIMEOUT = 5.0
DATA_TIMEOUT = 120.0
SLOT_TIMEOUT = 5.0
IDLE_LIMIT = 60.0

# What cannot stand between < and > of a command without ending it or the line (RFC 5321 §4.1.2).
_BREAKS_A_COMMAND = re.compile(r"[\x00-\x20\x7f<>]")
_FINAL_DOT = b".\r\n"
_STATUS = re.compile(r"5\.(\d{1,3})\.\d{1,3}\b")


class RelayError(Exception):
    """The reply was not accepted."""


class Refused(RelayError):
    """Refused for good; the text is what the relay said. `is_of_address`: of the recipient, not of the reply or us."""

    def __init__(self, text: str, *, is_of_address: bool = False) -> None:
        super().__init__(text)
        self.is_of_address = is_of_address


class RelayUnavailable(RelayError):
    """Trouble that time mends: no connection, a time-out, a 4xx."""


class _Died(RelayUnavailable):
    """The connection ended, and the relay said nothing that speaks of acceptance: another one may be tried at once."""


def _refused(answer: Answer, *, is_recipients: bool = False) -> Refused:
    """What an answer means; one to the content is of the address only if its status says so."""
    tells = is_recipients or bool(_STATUS.match(answer.text))
    return Refused(str(answer), is_of_address=tells and _is_of_address(answer))


def _whole_lines(content: bytes) -> bytes:
    return content if content.endswith(b"\r\n") or not content else content + b"\r\n"


def _is_of_address(answer: Answer) -> bool:
    """Of address or mailbox (RFC 3463 §3.2, §3.3), not of policy or the system: a relay that is set up wrong refuses
    everybody.
    """
    if status := _STATUS.match(answer.text):
        return status[1] in {"1", "2"}
    return answer.code in {550, 551, 553}


class Relay:
    """The relay at smtp://host:port, and a small pool of connections to it."""

    def __init__(self, url: str, *, hostname: str, connections: int = CONNECTIONS) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "localhost", parts.port or 25
        self._hostname = hostname
        self._slots = asyncio.Semaphore(connections)
        self._idle: list[_Connection] = []

    async def submit(self, reply: Reply, envelope_id: str = "") -> None:
        """Hand the reply over; returning means that the relay has it. Raises Refused, RelayUnavailable.

        A kept connection may have died since its last use: then a fresh one is tried, once. `envelope_id` is what
        the relay shall call the reply in its reports (RFC 3461 §4.4): letters and digits.
        """
        if _BREAKS_A_COMMAND.search(reply.forward_path):
            raise Refused("the sender's address cannot be written in a command")
        await self._take_slot()
        try:
            connection = self._kept() or await self._connect()
            try:
                await self._submit_over(connection, reply, envelope_id)
            except _Died:
                if not connection.was_used:
                    raise
                await self._submit_over(await self._connect(), reply, envelope_id)
        finally:
            self._slots.release()

    async def close(self) -> None:
        """Take leave of the relay."""
        while self._idle:
            self._idle.pop().quit()

    async def _take_slot(self) -> None:
        if not self._slots.locked():  # nearly always: then there is nothing to time
            await self._slots.acquire()
            return
        try:
            async with asyncio.timeout(SLOT_TIMEOUT):
                await self._slots.acquire()
        except TimeoutError:
            raise RelayUnavailable("every connection to the relay is busy") from None

    def _kept(self) -> "_Connection | None":
        """The connection used last, so that in quiet times the others grow old and go."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_fresh:
                return connection
            connection.quit()
        return None

    async def _connect(self) -> "_Connection":
        return await _Connection.open(self._host, self._port, self._hostname)

    async def _submit_over(self, connection: "_Connection", reply: Reply, envelope_id: str) -> None:
        try:
            await connection.submit(reply, envelope_id)
        except Refused:
            self._keep(connection)
            raise
        except BaseException:  # a cancelled task too leaves a dialogue in the middle
            connection.drop()
            raise
        self._keep(connection)

    def _keep(self, connection: "_Connection") -> None:
        connection.rest()
        self._idle.append(connection)


class _Connection:
    """One SMTP connection, greeted and introduced."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._loop = asyncio.get_running_loop()
        self._extensions: frozenset[str] = frozenset()
        self.was_used = False
        self._used_at = 0.0

    @classmethod
    async def open(cls, host: str, port: int, hostname: str) -> Self:
        """Connect, wait for the greeting, say EHLO. Raises RelayUnavailable: even a 5xx here is the relay's trouble."""
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                _transport, wire = await asyncio.get_running_loop().create_connection(Wire, host, port)
        except (OSError, TimeoutError) as error:
            raise RelayUnavailable(f"no connection: {str(error) or type(error).__name__}") from error
        connection = cls(wire)
        try:
            await connection._introduce(hostname)
        except BaseException:
            connection.drop()
            raise
        return connection

    @property
    def is_fresh(self) -> bool:
        """Whether it is worth another message: the relay has not hung up, and it has not stood idle for long."""
        return self._wire.is_open and self._loop.time() - self._used_at < IDLE_LIMIT

    def rest(self) -> None:
        """It has been used, and is idle from now on."""
        self.was_used, self._used_at = True, self._loop.time()

    async def submit(self, reply: Reply, envelope_id: str) -> None:
        """One transaction. Raises Refused with the connection fit for another one; else RelayUnavailable."""
        if {"PIPELINING", "CHUNKING"} <= self._extensions:
            await self._submit_at_once(reply, envelope_id)
        else:
            await self._submit_in_turns(reply, envelope_id)

    async def _submit_at_once(self, reply: Reply, envelope_id: str) -> None:
        """Envelope and content in one packet: RFC 3030 §2 together with RFC 2920."""
        content = _whole_lines(reply.content)
        chunk = b"BDAT %d LAST\r\n%b" % (len(content), content)
        try:
            mail, rcpt, final = await self._transaction([*self._envelope(reply, envelope_id), chunk], DATA_TIMEOUT)
        except _Died as death:
            if self._wire.has_answers:  # it began to work on it, and may have got further than it could say
                raise RelayUnavailable(str(death)) from death
            raise
        if mail.code >= 400:
            raise RelayUnavailable(str(mail))
        if rcpt.code < 400 and final.code == 250:
            return
        refusal = rcpt if rcpt.code >= 400 else final
        if not refusal.is_permanent:
            raise RelayUnavailable(str(refusal))
        await self._reset()  # RFC 3030 §2: after a chunk that was not taken nothing else is possible
        raise _refused(refusal, is_recipients=refusal is rcpt)

    async def _submit_in_turns(self, reply: Reply, envelope_id: str) -> None:
        """Content after the answer to the envelope (RFC 5321 §3.3)."""
        mail, rcpt, data = await self._transaction([*self._envelope(reply, envelope_id), b"DATA\r\n"], COMMAND_TIMEOUT)
        if mail.code >= 400:
            raise RelayUnavailable(str(mail))
        if refusal := next((answer for answer in (rcpt, data) if answer.code >= 400), None):
            if not refusal.is_permanent:
                raise RelayUnavailable(str(refusal))
            # Some refuse the recipient and yet wait for content: give them none. Otherwise the sender still stands.
            await (self._finish(b"") if data.code == 354 else self._reset())
            raise _refused(refusal, is_recipients=refusal is rcpt)
        final = await self._finish(reply.content)
        if final.is_permanent:
            raise _refused(final)
        if final.code != 250:
            raise RelayUnavailable(str(final))

    async def _reset(self) -> None:
        await self._ask([b"RSET\r\n"], COMMAND_TIMEOUT)

    def quit(self) -> None:
        """Say QUIT and close; nobody waits for the answer."""
        self._wire.write(b"QUIT\r\n")
        self._wire.close()

    def drop(self) -> None:
        """Close without a word."""
        self._wire.abort()

    async def _introduce(self, hostname: str) -> None:
        [greeting] = await self._ask([b""], COMMAND_TIMEOUT)
        if greeting.code != 220:
            raise RelayUnavailable(str(greeting))
        [hello] = await self._ask([f"EHLO {hostname}\r\n".encode("ascii", "replace")], COMMAND_TIMEOUT)
        if hello.code != 250:
            raise RelayUnavailable(str(hello))
        self._extensions = frozenset(line.split(" ")[0].upper() for line in hello.text.split("\n")[1:])

    async def _transaction(self, commands: list[bytes], seconds: float) -> list[Answer]:
        """From MAIL on, in one packet where the relay offers PIPELINING (RFC 2920)."""
        answers = await self._ask(commands, seconds, lost=_Died)
        if died := next((answer for answer in answers if answer.code == 421), None):
            raise _Died(str(died))
        return answers

    def _envelope(self, reply: Reply, envelope_id: str) -> list[bytes]:
        """MAIL and RCPT."""
        needs_8bit = not reply.content.isascii()
        mail = f"MAIL FROM:<{reply.reverse_path}>"
        if "SIZE" in self._extensions:
            mail += f" SIZE={len(reply.content)}"
        if needs_8bit and "8BITMIME" in self._extensions:
            mail += " BODY=8BITMIME"
        if reply.needs_smtputf8:
            if "SMTPUTF8" not in self._extensions:
                raise Refused("the relay does not offer SMTPUTF8, which this address needs (RFC 6531 §3.2)")
            mail += " SMTPUTF8"
        if envelope_id and "DSN" in self._extensions:
            mail += f" ENVID={envelope_id}"
        # A reply that cannot be delivered is nobody's business: no report about it (RFC 3461 §4.1). That Postfix
        # tells its own postmaster all the same is how refusals are learnt; or by the report to a bounce address.
        notify = f" NOTIFY={'FAILURE' if reply.reverse_path else 'NEVER'}" if "DSN" in self._extensions else ""
        return [f"{mail}\r\n".encode(), f"RCPT TO:<{reply.forward_path}>{notify}\r\n".encode()]

    async def _finish(self, content: bytes) -> Answer:
        """The content, dots stuffed (RFC 5321 §4.5.2), and the answer that decides."""
        stuffed = _whole_lines(content).replace(b"\r\n.", b"\r\n..")
        if stuffed.startswith(b"."):
            stuffed = b"." + stuffed
        [final] = await self._ask([stuffed + _FINAL_DOT], DATA_TIMEOUT)
        return final

    async def _ask(
        self, questions: list[bytes], seconds: float, *, lost: type[RelayUnavailable] = RelayUnavailable
    ) -> list[Answer]:
        """An answer to each; all questions in one packet where the relay offers PIPELINING."""
        until, answers = self._loop.time() + seconds, list[Answer]()
        packets = [b"".join(questions)] if "PIPELINING" in self._extensions else questions
        try:
            for packet in packets:
                self._wire.write(packet)
                answers += await self._wire.answers(len(questions) // len(packets), until)
        except TimeoutError as error:
            raise RelayUnavailable(f"no answer within {seconds:.0f} s") from error
        except OSError as error:
            raise lost(f"connection lost: {error}") from error
        return answers
