"""When the secret of a calendar feed was made."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("responders", "0038_roles_of_mail_servers"), ("mailboxes", "0034_passwords_that_were_given")]

    operations = [
        migrations.AddField(
            model_name="calendarfeed", name="made_at", field=models.DateTimeField(auto_now=True, null=True)
        ),
    ]
