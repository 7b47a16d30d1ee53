"""Whether a suspended or deleted row received mail before; of those that are so already nobody knows: as if it did."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("mailboxes", "0031_sign_ins_that_changed")]

    operations = [
        migrations.AddField(
            model_name=name,
            name="was_active",
            field=models.BooleanField(db_default=True, default=True, editable=False),
        )
        for name in ("domain", "mailbox")
    ]
