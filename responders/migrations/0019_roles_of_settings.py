"""What the roles may do with settings, ready texts, notes and changes of many mailboxes."""

from django.apps import apps as all_apps
from django.contrib.auth.management import create_permissions
from django.db import migrations

LOOK = ["policyversion", "housetext", "batch", "staffnote"]
ROLES = {
    "support lead": {"view": LOOK},
    "administrator": {"view": LOOK, "add": ["policyversion", "housetext"], "change": ["housetext"], "delete": ["housetext"]},
}


def add_rights(apps, schema_editor):
    create_permissions(all_apps.get_app_config("responders"), verbosity=0, using=schema_editor.connection.alias)
    groups, permissions = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    for name, rights in ROLES.items():
        wanted = [f"{action}_{model}" for action, models in rights.items() for model in models]
        for group in groups.objects.filter(name=name):
            group.permissions.add(*permissions.objects.filter(codename__in=wanted))


class Migration(migrations.Migration):
    dependencies = [("responders", "0018_settings_texts_notes")]

    operations = [migrations.RunPython(add_rights, migrations.RunPython.noop)]
