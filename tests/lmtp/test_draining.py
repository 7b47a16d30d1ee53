"""Draining has a limit: a client that never ends its message holds nobody up for ever."""

import contextlib

from responders.hook.server import Limits
from responders.models import Decision, Responder
from tests.lmtp.parts import SENDER, Hook, Relay, copy, message


def test_a_client_that_never_ends_its_message_is_hung_up_on(relay: Relay, standing_reply: Responder) -> None:
    hook = Hook(relay.url, limits=Limits(drain_seconds=0.3))
    try:
        with hook.client() as client:
            client.begin(SENDER, [copy("anna@firma.example")])
            client.send(message())
            hook.run(hook.server.drain())
            with contextlib.suppress(ConnectionResetError):
                assert client.reply() == ""
    finally:
        hook.stop()
    assert (relay.contents, Decision.objects.count()) == ([], 0)
