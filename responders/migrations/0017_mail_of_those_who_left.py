"""Mail to a person who left goes to the successor: read by Postfix beside the aliases, by the database's clock."""

from django.db import migrations

ALIASES = """
CREATE OR REPLACE VIEW mail_aliases AS
    SELECT a.address, coalesce(m.address, t.outside_address) AS target
    FROM mailboxes_alias a
    JOIN mailboxes_domain d ON d.name = a.domain_id
    JOIN mailboxes_aliastarget t ON t.alias_id = a.id
    LEFT JOIN mailboxes_mailbox m ON m.id = t.mailbox_id
    WHERE a.is_active AND d.is_active
"""
OF_THOSE_WHO_LEFT = """
    UNION ALL
    SELECT m.address, s.address
    FROM mailboxes_mailbox m
    JOIN mailboxes_domain md ON md.name = m.domain_id
    JOIN mailboxes_mailbox s ON s.id = m.successor_id AND s.id <> m.id
    JOIN mailboxes_domain sd ON sd.name = s.domain_id
    WHERE m.is_active AND md.is_active AND s.is_active AND sd.is_active AND m.successor_from <= panel_now()
"""
# A deputy gets a copy beside the mailbox; once mail goes to the successor there is nothing to copy.
DEPUTIES = """
CREATE OR REPLACE VIEW mail_deputies AS
    SELECT m.address, d.address AS target
    FROM mailboxes_mailbox m
    JOIN mailboxes_domain md ON md.name = m.domain_id
    JOIN responders_responder r ON r.mailbox_id = m.id
    JOIN mailboxes_mailbox d ON d.address = r.deputy_address AND d.id <> m.id
    JOIN mailboxes_domain dd ON dd.name = d.domain_id
    WHERE m.is_active AND md.is_active AND d.is_active AND dd.is_active
      AND (dd.name = md.name OR dd.customer_id = md.customer_id)
      AND r.deputy_gets_copy AND r.is_enabled
      AND (r.from_utc IS NULL OR r.from_utc <= panel_now())
      AND (r.to_utc IS NULL OR panel_now() < r.to_utc)
"""
NOT_OF_THOSE_WHO_LEFT = "      AND (m.successor_id IS NULL OR m.successor_from IS NULL OR panel_now() < m.successor_from)"


class Migration(migrations.Migration):
    dependencies = [("responders", "0016_many_at_once"), ("mailboxes", "0009_successors")]

    operations = [
        migrations.RunSQL(ALIASES + OF_THOSE_WHO_LEFT, ALIASES),
        migrations.RunSQL(DEPUTIES + NOT_OF_THOSE_WHO_LEFT, DEPUTIES),
    ]
