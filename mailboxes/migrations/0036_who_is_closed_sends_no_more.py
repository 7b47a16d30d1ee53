"""`mail_sending` asks, too, whether the mailbox may still send: who was suspended stays signed in to a connection that is open.

Whom it does not know has come in by another way than the panel's accounts, and is no business of its.
"""

from importlib import import_module

from django.db import migrations

_sending = import_module("mailboxes.migrations.0014_sending")
_search_path = import_module("mailboxes.migrations.0019_mail_sending_search_path")

BEFORE = _sending.FUNCTION.partition("REVOKE ALL")[0].replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
LIMITS = "    IF box IS NULL OR (per_hour = 0 AND per_day = 0) THEN\n"
CLOSED = """    IF EXISTS (
        SELECT FROM mailboxes_mailbox m JOIN mailboxes_domain d ON d.name = m.domain_id
        LEFT JOIN mailboxes_user u ON u.id = m.owner_id
        WHERE m.id = box AND NOT (m.is_active AND d.is_active AND coalesce(u.is_active, true))
    ) THEN
        RETURN NEXT '550 5.7.1 This mailbox may not send';
        RETURN;
    END IF;
"""
AFTER = BEFORE.replace(LIMITS, CLOSED + LIMITS)


class Migration(migrations.Migration):
    dependencies = [("mailboxes", "0035_words_of_fields")]

    # The search path goes with the function's settings, which CREATE OR REPLACE writes anew.
    operations = [migrations.RunSQL(AFTER + _search_path.LAST, BEFORE + _search_path.LAST)]
