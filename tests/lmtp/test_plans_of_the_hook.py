"""What is asked for every message reads no table whole, not even where a plan is made while the tables are empty: it is
kept for as long as its connection.
"""

import pytest
from django.db import connection

from responders.hook.connection import SESSION, Statement
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
    with connection.cursor() as cursor:
        for name, value in SESSION.items():
            cursor.execute("SELECT set_config(%s, %s, true)", (name, value))
        cursor.execute(f"EXPLAIN (GENERIC_PLAN) {statement.text.decode()}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "hashed" not in plan, plan
    assert "Seq Scan on" not in plan, plan
