"""What Postfix and Dovecot ask for each message and each sign-in is found by indexes, however many mailboxes."""

import pytest
from django.db import connection

from bench.scale import lookups
from bench.scale.filling import Size, fill
from tests.committed import begin_with_new_tables

PAGES = 100  # of 8 KB; a table that is read from end to end has more
SLOW_TO_PLAN = {
    "aliases", "copies", "domains", "mailboxes", "postmaster", "recipients", "senders",
    "dovecot password", "dovecot mailbox", "dovecot space",
}  # fmt: skip
NOTHING_BUT_THE_CALL = {"Function Scan", "ProjectSet", "Result", "Limit"}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[lookups.Lookup]:
    """As `manage.py mailconfig` writes them."""
    return lookups.rendered(tmp_path_factory.mktemp("rendered"))


@pytest.fixture
def many(db: None) -> None:
    begin_with_new_tables()
    fill(connection.connection, Size(mailboxes=6_000, aliases=2_000, decisions=0))


@pytest.mark.usefixtures("many")
def test_no_look_up_reads_a_large_table_from_end_to_end(found: list[lookups.Lookup]) -> None:
    asked = connection.connection
    assert {one.name for one in found} >= SLOW_TO_PLAN
    large = lookups.large_tables(asked)
    assert {"mailboxes_mailbox", "mailboxes_alias", "responders_responder", "mailboxes_user"} <= large
    for lookup in found:
        keys = lookups.keys(asked, lookup.name, 5)
        for key in keys:
            lookups.plans_inside(asked, lookup.about(key))  # from here on plans are made, and catalogues read
        for key in keys:
            plans = lookups.plans_inside(asked, lookup.about(key))
            assert plans, lookup.name
            assert not {name for plan in plans for name in plan.whole_tables()} & large, (lookup.name, key)
            assert max(plan.pages for plan in plans) < PAGES, (lookup.name, key)


@pytest.mark.usefixtures("many")
def test_plans_that_take_long_to_make_are_kept(found: list[lookups.Lookup]) -> None:
    """As a function the statement is planned once: outside it there is nothing but the call."""
    asked = connection.connection
    for lookup in found:
        if lookup.name in SLOW_TO_PLAN:
            key = lookups.keys(asked, lookup.name, 5)[0]
            *inside, outside = lookups.plans_inside(asked, lookup.about(key))
            assert inside, lookup.name
            assert {node["Node Type"] for node in outside.nodes} <= NOTHING_BUT_THE_CALL, lookup.name
