"""The sender's own mail server: takes whatever Postfix sends out, and keeps it for the tests to look at."""

import time
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as default_policy

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass(frozen=True)
class Received:
    """A message as it arrived; `reverse_path` is "" for the null one."""

    reverse_path: str
    forward_paths: tuple[str, ...]
    content: bytes
    mail_options: tuple[str, ...]

    @property
    def message(self) -> EmailMessage:
        return message_from_bytes(self.content, policy=default_policy)  # type: ignore[return-value]  # the policy's class

    @property
    def text(self) -> str:
        body = self.message.get_body(("plain",))
        return body.get_content() if body else ""


class Sink:
    """An SMTP server on a port of 127.0.0.1."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._received: list[Received] = []
        self._refusals: dict[str, str] = {}
        self._controller: Controller | None = None

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self._refusals:
            return self._refusals[address]
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 Recipient ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        reverse_path = (envelope.mail_from or "").strip("<>")  # the null one comes as "<>"
        options = tuple(envelope.mail_options)
        self._received.append(Received(reverse_path, tuple(envelope.rcpt_tos), content, options))
        return "250 2.0.0 Kept"

    def refuse(self, address: str, answer: str) -> None:
        """Answer so to every message for the address, until it is accepted again."""
        self._refusals[address] = answer

    def accept(self, address: str) -> None:
        del self._refusals[address]

    def start(self) -> None:
        # Made here and not before: a controller that never runs leaves an open event loop behind.
        self._controller = Controller(
            self, hostname="127.0.0.1", port=self.port, enable_SMTPUTF8=True, decode_data=False
        )  # fmt: skip
        self._controller.start()

    def stop(self) -> None:
        if self._controller is not None:
            self._controller.stop()

    def mail_for(self, address: str) -> list[Received]:
        """What arrived for the address so far."""
        return [one for one in self._received if address in one.forward_paths]

    def wait_for(self, address: str, count: int = 1, seconds: float = 180) -> list[Received]:
        """What arrived for the address, once there are so many."""
        deadline = time.monotonic() + seconds
        while len(found := self.mail_for(address)) < count:
            if time.monotonic() > deadline:
                raise AssertionError(f"{len(found)} of {count} messages for {address} within {seconds} seconds")
            time.sleep(0.05)
        return found
