"""Who sees the aliases that may be taken back: whoever sees aliases."""

from django.apps import apps as all_apps
from django.contrib.auth.management import create_permissions
from django.db import migrations

ROLES = ("support lead", "administrator")


def add_rights(apps, schema_editor):
    create_permissions(all_apps.get_app_config("mailboxes"), verbosity=0, using=schema_editor.connection.alias)
    groups, permissions = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    for group in groups.objects.filter(name__in=ROLES):
        group.permissions.add(*permissions.objects.filter(codename="view_deletedalias"))


class Migration(migrations.Migration):
    dependencies = [("responders", "0040_words_of_fields"), ("mailboxes", "0037_deleted_aliases")]

    operations = [migrations.RunPython(add_rights, migrations.RunPython.noop)]
