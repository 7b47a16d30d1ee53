"""What becomes of mail while a part is away: it is stored or kept by its sender, and answered later."""

import contextlib
import socketserver
import threading
import time
from collections.abc import Iterator

import pytest

from tests.mta.conftest import Hosting
from tests.mta.stack import Stack, message, until


def test_with_the_hook_down_mail_is_stored_at_once_and_answered_later(stack: Stack, hosting: Hosting) -> None:
    anna, sender = hosting.away("anna"), f"jan@klient-{hosting.domain}"
    stack.stop_hook()
    stack.send(sender, anna)
    stack.wait_until_stored(anna)
    until(lambda: waits_for_hook(stack), "the copy in the queue")
    stack.start_hook()
    stack.flush()
    stack.sink.wait_for(sender)
    stack.wait_for_empty_queue()
    assert len(stack.sink.mail_for(sender)) == len(stack.stored(anna)) == 1


def waits_for_hook(stack: Stack) -> bool:
    return "connect to 127.0.0.1" in str(stack.queue()) and "autoreply.invalid" in str(stack.queue())


def test_a_copy_that_outlives_the_queue_ends_without_a_word(stack: Stack, hosting: Hosting) -> None:
    """Neither a non-delivery report nor a warning of delay, though the sender's server asked for both (RFC 3461)."""
    anna, sender = hosting.away("anna"), f"jan@klient-{hosting.domain}"
    stack.stop_hook()
    short = {"maximal_queue_lifetime": "4s", "bounce_queue_lifetime": "4s", "delay_warning_time": "1s"}
    with stack.postfix_with(**short):
        with stack.smtp() as smtp:
            smtp.ehlo()
            smtp.mail(sender, ["RET=HDRS"])
            smtp.rcpt(anna, ["NOTIFY=FAILURE,DELAY"])
            smtp.data(message(sender, anna).as_bytes())
        stack.wait_until_stored(anna)
        until(lambda: waits_for_hook(stack), "the copy in the queue")
        stack.wait_for_empty_queue()
        time.sleep(1)
    assert "status=expired" in stack.log()
    assert stack.sink.mail_for(sender) == []
    assert stack.queue() == []


LMTP_UNTIL_THE_DOT = {b"LHLO": b"250 hook", b"MAIL": b"250 ok", b"RCPT": b"250 ok", b"DATA": b"354 go on"}


@contextlib.contextmanager
def a_hook_that_accepts_and_hangs(port: int, greeting: bytes, answers: dict[bytes, bytes]) -> Iterator[None]:
    """It answers the commands it has an answer for, once each, and then nothing more; nobody hangs up."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(greeting)
            for line in self.rfile:
                if line[:4] in answers:
                    self.wfile.write(answers[line[:4]] + b"\r\n")

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        request_queue_size = 100
        daemon_threads = True

    with Server(("127.0.0.1", port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("greeting", "answers"),
    [(b"", {}), (b"220 hook\r\n", {}), (b"220 hook\r\n", LMTP_UNTIL_THE_DOT)],
    ids=["no greeting", "no answer to LHLO", "no answer to the message"],
)
def test_a_hook_that_accepts_and_hangs_stops_nobody(
    stack: Stack, hosting: Hosting, greeting: bytes, answers: dict[bytes, bytes]
) -> None:
    """More copies than the active queue has places; the times are those of the delivered configuration."""
    anna, bob = hosting.away("anna"), hosting.mailbox("bob")
    stack.stop_hook()
    with (
        a_hook_that_accepts_and_hangs(stack.hook_port, greeting, answers),
        stack.postfix_with(qmgr_message_active_limit="10", minimal_backoff_time="300s", maximal_backoff_time="4000s"),
    ):
        for number in range(30):
            stack.send(f"jan{number}@klient-{hosting.domain}", anna)
        stack.send("ewa@klient.example", bob)
        stack.wait_until_stored(bob)
        stack.wait_until_stored(anna, 30)
    stack.start_hook()
    stack.flush()
    until(lambda: len(hosting.decisions(anna)) == 30, "thirty decisions")
    stack.wait_for_empty_queue()
    for number in range(30):
        assert len(stack.sink.wait_for(f"jan{number}@klient-{hosting.domain}")) == 1
