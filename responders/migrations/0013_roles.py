"""Roles: support, support lead, administrator. What they may do in the administration; the panel's own pages ask
`mailboxes/access.py`.
"""

from django.apps import apps as all_apps
from django.contrib.auth.management import create_permissions
from django.db import migrations

# Whose rows a role may view, change, add and delete. What the hook and the clock write is nobody's to change.
OURS = ["customer", "domain", "mailbox", "alias", "aliastarget", "delegation", "user"]
WRITTEN_BY_THE_HOOK = ["decision", "previousresponse", "numberedcase", "responderevent", "drawnbrake"]
ROLES = {
    "support": {},
    "support lead": {"view": [*OURS, *WRITTEN_BY_THE_HOOK, "responder", "refusal"]},
    "administrator": {
        "view": [*OURS, *WRITTEN_BY_THE_HOOK, "responder", "refusal", "quarantinedmessage", "group"],
        "add": [*OURS, "responder"],
        "change": [*OURS, "responder"],
        "delete": [*OURS, "responder", "refusal", "quarantinedmessage"],
    },
}


def make_roles(apps, schema_editor):
    for label in ("auth", "mailboxes", "responders"):
        config = all_apps.get_app_config(label)
        create_permissions(config, verbosity=0, using=schema_editor.connection.alias)
    groups, permissions = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    for name, rights in ROLES.items():
        group, _is_new = groups.objects.get_or_create(name=name)
        wanted = [f"{action}_{model}" for action, models in rights.items() for model in models]
        group.permissions.set(permissions.objects.filter(codename__in=wanted))


class Migration(migrations.Migration):
    dependencies = [("responders", "0012_history_stays"), ("mailboxes", "0007_customer_administrators")]

    operations = [migrations.RunPython(make_roles, migrations.RunPython.noop)]
