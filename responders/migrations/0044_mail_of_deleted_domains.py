"""An alias leads on to nobody in a domain that was deleted: mail to a group reaches the others, and nobody is answered for.

Of such a domain itself the mail servers know nothing, for it is not active. To its addresses the DNS leads: perhaps to
another provider by now.
"""

from importlib import import_module

from django.db import migrations

_views = import_module("mailboxes.migrations.0002_mail_views")
_hosting = import_module("responders.migrations.0022_hosting")

THERE = """ AND NOT EXISTS (
        SELECT FROM mailboxes_domain gone WHERE gone.name = m.domain_id AND gone.deleted_at IS NOT NULL
    )"""
# Nothing is said at the door about who was suspended in it before, either.
OF_REFUSED = "SELECT address, refuses_from FROM mailboxes_mailbox WHERE suspended_at IS NOT NULL"
REFUSED = _hosting.REFUSED.replace("CREATE VIEW", "CREATE OR REPLACE VIEW")
NOT_OF_GONE = OF_REFUSED.replace("FROM mailboxes_mailbox", "FROM mailboxes_mailbox m") + THERE
OF_ALIASES = "AND m.deleted_at IS NULL"
ALIASES = _hosting.ALIASES
OF_RECIPIENTS = "WHERE a.is_active AND d.is_active AND m.is_active"
RECIPIENTS = "CREATE OR REPLACE VIEW mail_recipients" + _views.VIEWS.partition("CREATE VIEW mail_recipients")[2]


class Migration(migrations.Migration):
    dependencies = [("responders", "0043_roles_of_links"), ("mailboxes", "0040_deleted_domains")]

    operations = [
        migrations.RunSQL(
            ALIASES.replace(OF_ALIASES, OF_ALIASES + THERE, 1)
            + RECIPIENTS.replace(OF_RECIPIENTS, OF_RECIPIENTS + THERE)
            + REFUSED.replace(OF_REFUSED, NOT_OF_GONE),
            ALIASES + RECIPIENTS + REFUSED,
        )
    ]
