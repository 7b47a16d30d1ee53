"""Who gets a copy of whose mail while an absence lasts: read by Postfix beside the aliases."""

from django.db import migrations

# To the second, and by the database's clock: when the window ends the row is gone. The hook has no part in it.
VIEW = """
CREATE VIEW mail_deputies AS
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
      AND (r.to_utc IS NULL OR panel_now() < r.to_utc);
GRANT SELECT ON mail_deputies TO webmail_panel_mail;
"""


# Until now a text was in the language of its mailbox.
LANGUAGES = """
UPDATE responders_responder r SET language = m.language FROM mailboxes_mailbox m
WHERE m.id = r.mailbox_id AND r.language = '';
"""


class Migration(migrations.Migration):
    dependencies = [("responders", "0003_what_a_responder_is_for")]

    operations = [
        migrations.RunSQL(LANGUAGES, migrations.RunSQL.noop),
        migrations.RunSQL(VIEW, "DROP VIEW mail_deputies"),
    ]
