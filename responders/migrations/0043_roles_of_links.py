"""Whoever looks at mailboxes in the administration sees who opens them, too."""

from django.apps import apps as all_apps
from django.contrib.auth.management import create_permissions
from django.db import migrations


def add_rights(apps, schema_editor):
    create_permissions(all_apps.get_app_config("mailboxes"), verbosity=0, using=schema_editor.connection.alias)
    may_look = apps.get_model("auth", "Permission").objects.filter(codename="view_mailboxlink")
    for group in apps.get_model("auth", "Group").objects.filter(name__in=["support lead", "administrator"]):
        group.permissions.add(*may_look)


class Migration(migrations.Migration):
    dependencies = [("responders", "0042_postmaster_and_space"), ("mailboxes", "0038_linked_mailboxes")]

    operations = [migrations.RunPython(add_rights, migrations.RunPython.noop)]
