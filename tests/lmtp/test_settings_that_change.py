"""Settings that are changed in the administration reach a running hook, and it says that it is alive."""

from collections.abc import Iterator

import pytest
from django.db import connection, transaction

from responders.hook.connection import Outage
from responders.models import Decision, HookSign, PolicyVersion, Responder
from tests.lmtp.parts import Hook, Relay, message


@pytest.fixture
def changeable(hook: Hook) -> Iterator[Hook]:
    """The shared hook, put back afterwards."""
    yield hook
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL panel.erasing = 'on'")  # what was set stays, otherwise
        PolicyVersion.objects.all().delete()
    keep_up(hook)


def keep_up(hook: Hook) -> None:
    hook.run(hook.pipeline.keep_up(with_sign=True))


def test_a_change_is_kept_to_without_a_restart(changeable: Hook, relay: Relay, standing_reply: Responder) -> None:
    PolicyVersion.objects.create(mailbox_replies_per_hour=2, system_senders=["kasa-*"], reason="x")
    changeable.deliver(message(), sender="kasa-7@peer.example")
    keep_up(changeable)
    for sender in ("kasa-8@peer.example", "a@peer.example", "b@peer.example"):
        changeable.deliver(message(), sender=sender)
    assert list(Decision.objects.order_by("pk").values_list("reason", flat=True)) == [
        "replied", "system-sender", "replied", "rate-limited",
    ]  # fmt: skip
    PolicyVersion.objects.create(reason="As it was")
    keep_up(changeable)
    changeable.deliver(message(), sender="kasa-9@peer.example")
    assert len(relay.contents) == 3


def test_without_a_database_the_last_settings_hold(
    changeable: Hook, standing_reply: Responder, monkeypatch: pytest.MonkeyPatch
) -> None:
    PolicyVersion.objects.create(mailbox_replies_per_hour=1, reason="x")
    keep_up(changeable)

    async def away() -> dict[str, object]:
        raise Outage("away")

    monkeypatch.setattr(changeable.ledger, "policy_changes", away)
    keep_up(changeable)
    for sender in ("a@peer.example", "b@peer.example"):
        changeable.deliver(message(), sender=sender)
    assert set(Decision.objects.values_list("reason", flat=True)) == {"replied", "rate-limited"}


def test_it_gives_a_sign_of_life(changeable: Hook, standing_reply: Responder) -> None:
    changeable.deliver(message())
    keep_up(changeable)
    first = HookSign.objects.get().at
    keep_up(changeable)
    assert HookSign.objects.get().at > first
