"""A password of a mail program is its maker's: it opens nothing once the mailbox has another owner."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

THEIRS = """
UPDATE mailboxes_apppassword p SET owner_id = m.owner_id FROM mailboxes_mailbox m WHERE m.id = p.mailbox_id;
DELETE FROM mailboxes_apppassword WHERE owner_id IS NULL; -- of a mailbox without owner, where they opened nothing
SET CONSTRAINTS ALL IMMEDIATE;
SET CONSTRAINTS ALL DEFERRED;
"""


def _app_passwords(and_more: str) -> str:
    return f"""
CREATE OR REPLACE VIEW mail_app_passwords AS
    SELECT m.address, p.digest
    FROM mailboxes_apppassword p
    JOIN mailboxes_mailbox m ON m.id = p.mailbox_id
    JOIN mailboxes_domain d ON d.name = m.domain_id
    JOIN mailboxes_user u ON u.id = m.owner_id{and_more}
    WHERE m.is_active AND d.is_active AND u.is_active;
"""


class Migration(migrations.Migration):
    dependencies = [("mailboxes", "0026_index_of_domain")]

    operations = [
        migrations.AddField(
            model_name="apppassword",
            name="owner",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="app_passwords",
                to=settings.AUTH_USER_MODEL,
                verbose_name="owner",
            ),
        ),
        migrations.RunSQL(THEIRS, migrations.RunSQL.noop),
        migrations.AlterField(
            model_name="apppassword",
            name="owner",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="app_passwords",
                to=settings.AUTH_USER_MODEL,
                verbose_name="owner",
            ),
        ),
        migrations.RunSQL(_app_passwords(" AND u.id = p.owner_id"), _app_passwords("")),
    ]
