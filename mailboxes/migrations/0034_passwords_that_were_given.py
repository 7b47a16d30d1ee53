"""When somebody else set a person's password."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("mailboxes", "0033_mailboxes_of_a_customer")]

    operations = [
        migrations.AddField(
            model_name="user", name="password_given_at", field=models.DateTimeField(editable=False, null=True)
        ),
    ]
