import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("mailboxes", "0021_earlier_lines_of_the_log"),
        ("responders", "0032_deleted_responders"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Draft",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(max_length=32)),
                ("typed", models.TextField(blank=True)),
                ("began_at", models.DateTimeField(verbose_name="begun")),
                ("changed_at", models.DateTimeField(db_index=True, verbose_name="changed")),
                ("session", models.CharField(max_length=64)),
                (
                    "mailbox",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="drafts", to="mailboxes.mailbox",
                        verbose_name="mailbox",
                    ),
                ),
                (
                    "responder",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="drafts",
                        to="responders.responder",
                        verbose_name="autoresponder",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="drafts",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="user",
                    ),
                ),
            ],
            options={
                "verbose_name": "draft",
                "verbose_name_plural": "drafts",
                "ordering": ["-changed_at"],
                "constraints": [models.UniqueConstraint(fields=("user", "key"), name="draft_key_is_one_a_person")],
            },
        ),
    ]
