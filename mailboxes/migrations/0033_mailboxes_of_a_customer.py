"""How many mailboxes a customer may have, in all its domains together."""

from django.core.validators import MaxValueValidator
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("mailboxes", "0032_as_before_suspended")]

    operations = [
        migrations.AddField(
            model_name="customer",
            name="max_mailboxes",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="Empty: no limit.",
                null=True,
                validators=[MaxValueValidator(1_000_000)],
                verbose_name="mailboxes in all domains together at most",
            ),
        ),
    ]
