"""Giving a conversation its number: once, in order, and no more than a few for one sender."""

from django.db import migrations

# One at a time for a mailbox. NULL: this sender has begun too many cases lately.
FUNCTION = """
CREATE FUNCTION responders_open_case(
    of_mailbox bigint, by_responder bigint, with_head text, digits int, sender text, sender_key text, with_subject text,
    opened_with text, with_message_id text, most bigint, within interval
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    given text;
    ordinal int;
    made bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(7252, (of_mailbox % 2147483647)::int);
    SELECT number INTO given FROM responders_numberedcase WHERE mailbox_id = of_mailbox AND opened_by = opened_with;
    IF FOUND THEN
        RETURN given;
    END IF;
    IF most <= (SELECT count(*) FROM responders_numberedcase WHERE mailbox_id = of_mailbox
            AND reverse_path_key = sender_key AND opened_at > panel_now() - within) THEN
        RETURN NULL;
    END IF;
    INSERT INTO responders_caseseries AS s (mailbox_id, head, last) VALUES (of_mailbox, with_head, 1)
        ON CONFLICT (mailbox_id, head) DO UPDATE SET last = s.last + 1 RETURNING last INTO ordinal;
    given := with_head || lpad(ordinal::text, greatest(digits, length(ordinal::text)), '0');
    INSERT INTO responders_numberedcase
        (mailbox_id, responder_id, number, opened_at, opened_by, reverse_path, reverse_path_key, subject)
        VALUES (of_mailbox, by_responder, given, panel_now(), opened_with, sender, sender_key, with_subject)
        RETURNING id INTO made;
    IF with_message_id <> '' THEN
        INSERT INTO responders_casemessage (case_id, message_id) VALUES (made, with_message_id);
    END IF;
    RETURN given;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("responders", "0005_case_numbers")]

    operations = [migrations.RunSQL(FUNCTION, "DROP FUNCTION responders_open_case")]
