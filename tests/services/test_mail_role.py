"""What the role of the mail servers must not be able to do to the database behind its functions."""

import pytest
from django.db import connection, transaction

from mailboxes.models import Mailbox

pytestmark = pytest.mark.django_db

# A table of the session's own stands before the panel's in the search path, and its trigger runs as whoever writes.
TRAP = """
CREATE FUNCTION pg_temp.sprung() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'it ran as %', current_user;
END $$;
CREATE TEMPORARY TABLE mailboxes_sendingcount (mailbox_id bigint, bucket timestamptz, recipients integer,
    PRIMARY KEY (mailbox_id, bucket));
CREATE TRIGGER trap BEFORE INSERT ON mailboxes_sendingcount FOR EACH ROW EXECUTE FUNCTION pg_temp.sprung();
GRANT ALL ON mailboxes_sendingcount TO PUBLIC;
"""


def test_no_table_of_the_mail_role_stands_in_for_one_of_the_panel(mailbox: Mailbox) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE webmail_panel_mail")
        cursor.execute(TRAP)
        cursor.execute("SELECT * FROM mail_sending(%s, 10, 10)", [mailbox.address])
        assert cursor.fetchall() == []
        cursor.execute("RESET ROLE")
        cursor.execute("SELECT recipients FROM public.mailboxes_sendingcount WHERE mailbox_id = %s", [mailbox.pk])
        assert cursor.fetchall() == [(1,)]


def test_every_function_that_runs_as_its_owner_looks_into_the_session_last() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT p.proname, p.proconfig FROM pg_proc p WHERE p.prosecdef AND p.pronamespace = 'public'::regnamespace"
        )
        found = {name: config or [] for name, config in cursor.fetchall()}
    assert "mail_sending" in found
    for name, config in found.items():
        paths = [one for one in config if one.startswith("search_path=")]
        assert [path for path in paths if path.endswith(", pg_temp")], name
