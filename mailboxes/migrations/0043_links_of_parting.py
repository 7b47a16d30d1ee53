"""A link that was left where a mailbox got a sign-in of its own: its former owner is told of that, not the mailbox."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("mailboxes", "0042_sign_outs")]

    operations = [
        migrations.AddField(
            "mailboxlink", "is_of_parting", models.BooleanField(db_default=False, default=False, editable=False)
        ),
    ]
