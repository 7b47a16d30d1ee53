"""Roles are groups; the first is support."""

from django.db import migrations


def make_group(apps, schema_editor):
    apps.get_model("auth", "Group").objects.get_or_create(name="support")


class Migration(migrations.Migration):
    dependencies = [("mailboxes", "0002_mail_views"), ("auth", "0012_alter_user_first_name_max_length")]

    operations = [migrations.RunPython(make_group, migrations.RunPython.noop)]
