"""Which commits of the hook wait until they are on the disk: the record, not the claim before it."""

from collections.abc import Iterator

import pytest
from django.db import connection

from responders.management.commands.lmtpd import database_parameters
from responders.models import Responder
from tests.lmtp.parts import Hook, Relay, message

# What holds at the end of each transaction that writes a previous response.
WITNESS = """
CREATE TABLE witness (place bigint GENERATED ALWAYS AS IDENTITY, state text, setting text);
CREATE FUNCTION witness() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO witness (state, setting) VALUES (NEW.state, current_setting('synchronous_commit'));
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER witness AFTER INSERT OR UPDATE ON responders_previousresponse
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION witness();
"""
WITHOUT = "DROP TRIGGER witness ON responders_previousresponse; DROP FUNCTION witness; DROP TABLE witness"


@pytest.fixture
def durable_hook(relay: Relay, db: None) -> Iterator[Hook]:
    """A hook whose server waits for the disk, as a real one does; the tests' own does not."""
    with connection.cursor() as cursor:
        cursor.execute(WITNESS)
    hook = Hook(relay.url, database=database_parameters() | {"options": "-csynchronous_commit=on"})
    yield hook
    hook.stop()
    with connection.cursor() as cursor:
        cursor.execute(WITHOUT)


def test_the_claim_does_not_and_the_record_does(durable_hook: Hook, relay: Relay, standing_reply: Responder) -> None:
    assert durable_hook.deliver(message()) == ["250 2.0.0 Decided"]
    assert len(relay.contents) == 1
    with connection.cursor() as cursor:
        cursor.execute("SELECT state, setting FROM witness ORDER BY place")
        assert cursor.fetchall() == [("claimed", "off"), ("replied", "on")]
