"""The policy, and what the administration says otherwise while the hook runs."""

import pytest

from responders.core.facts import Brake, Policy

USUAL = Policy(mailbox_replies_per_hour=100, domain_replies_per_hour=1000, refusal_days=60)


def test_what_is_said_holds_and_the_rest_stays() -> None:
    said = USUAL.with_changes({"mailbox_replies_per_hour": 5, "domain_replies_per_hour": None})
    assert (said.mailbox_replies_per_hour, said.domain_replies_per_hour, said.refusal_days) == (5, 1000, 60)
    assert USUAL.with_changes({}) == USUAL
    assert USUAL.with_changes({"refusal_days": 0}).refusal_days == 0


def test_lists_become_tuples() -> None:
    said = USUAL.with_changes({"system_senders": ["robot@", "noreply@"], "refusal_days": None})
    assert said.system_senders == ("robot@", "noreply@")


@pytest.mark.parametrize(
    ("brake", "limit"),
    [(Brake(99), 0), (Brake(100), 100), (Brake(7, 7), 7), (Brake(6, 7), 0), (Brake(10_000, 0), 0), (Brake(0, 0), 0)],
)
def test_a_brake_is_drawn_at_its_own_limit_or_the_usual_one(brake: Brake, limit: int) -> None:
    assert brake.drawn_at(100) == limit
