"""Which addresses Postfix copies to the hook at this moment."""

from django.db import migrations

# A superset of what will be answered: the date window alone, five seconds wider at both ends. The hook decides.
VIEW = """
CREATE VIEW responder_copy AS
    SELECT DISTINCT r.address
    FROM mail_recipients r
    WHERE EXISTS (
        SELECT FROM responders_responder p
        WHERE p.mailbox_id = r.mailbox_id AND p.is_enabled
          AND (p.from_utc IS NULL OR p.from_utc <= panel_now() + interval '5 seconds')
          AND (p.to_utc IS NULL OR p.to_utc > panel_now() - interval '5 seconds')
    );
GRANT SELECT ON responder_copy TO webmail_panel_mail;
"""


class Migration(migrations.Migration):
    dependencies = [("responders", "0001_initial"), ("mailboxes", "0002_mail_views")]

    operations = [migrations.RunSQL(VIEW, "DROP VIEW responder_copy")]
