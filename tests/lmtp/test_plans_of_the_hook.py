"""What is asked for every message reads no table whole, not even where a plan is made while the tables are empty: it is
kept for as long as its connection.
"""

import pytest
from django.db import connection

from responders.hook.connection import SESSION
from responders.hook.dialogue import Statement
from responders.hook.ledger import claiming, loading, recording

STATEMENTS = {
    "load": loading._LOAD,
    "load exactly": loading._LOAD_EXACTLY,
    **{f"claim {of}": statement for of, statement in claiming._CLAIM.items()},
    **{f"record {of}": statement for of, statement in recording._RECORD.items()},
}


@pytest.mark.django_db
@pytest.mark.parametrize("statement", STATEMENTS.values(), ids=list(STATEMENTS))
def test_no_table_is_read_whole(statement: Statement) -> None:
    plan = plan_of(statement)
    assert "hashed" not in plan, plan
    assert "Seq Scan on" not in plan, plan


def plan_of(statement: Statement) -> str:
    with connection.cursor() as cursor:
        # As on a new installation, whatever autovacuum has found meanwhile; rolled back with the test.
        cursor.execute("UPDATE pg_class SET reltuples = -1, relpages = 0 WHERE relnamespace = 'public'::regnamespace")
        for name, value in SESSION.items():
            cursor.execute("SELECT set_config(%s, %s, true)", (name, value))
        cursor.execute(f"EXPLAIN (GENERIC_PLAN) {statement.text.decode()}")
        return "\n".join(line for (line,) in cursor.fetchall())


@pytest.mark.django_db
@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("closes", [0, 1])
@pytest.mark.parametrize("finds", [loading.EXACTLY, loading.BEHIND], ids=["exactly", "behind"])
def test_who_is_behind_an_address_is_looked_up_by_it(many: bool, closes: int, finds: str) -> None:
    statement = recording._RECORD[many, closes, finds]
    plan, address = plan_of(statement), "a.address" if many else f"${statement.names.index('address') + 1}"
    assert plan.count(f"Index Cond: ((address)::text = {address})") >= 2, plan  # a mailbox's, an alias's
    assert f"address)::text = {address}))" not in plan, plan  # compared with every row that there is
