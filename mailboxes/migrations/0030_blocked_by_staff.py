"""Whose sign-in staff blocked; of those who are blocked already nobody knows by whom."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("mailboxes", "0029_dates_of_records")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="is_blocked_by_staff",
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
    ]
