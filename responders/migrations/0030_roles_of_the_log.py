"""Support's leads and administrators look at what the administration shows since; nobody changes it there."""

from django.apps import apps as all_apps
from django.contrib.auth.management import create_permissions
from django.db import migrations

SHOWN = {
    "mailboxes": (
        "logline", "domainclaim", "domainhealth", "domainrecord", "domainrecordchange", "apppassword", "sendingstop",
    ),
    "responders": (
        "caseseries", "casemessage", "notice", "changenotice", "calendarfeed", "helpvote", "batchitem", "hooksign",
    ),
}  # fmt: skip


def add_rights(apps, schema_editor):
    permissions = apps.get_model("auth", "Permission").objects
    groups = apps.get_model("auth", "Group").objects.filter(name__in=["support lead", "administrator"])
    for label, names in SHOWN.items():
        create_permissions(all_apps.get_app_config(label), verbosity=0, using=schema_editor.connection.alias)
        may_look = permissions.filter(
            content_type__app_label=label, codename__in=[f"view_{name}" for name in names]
        )
        for group in groups:
            group.permissions.add(*may_look)


class Migration(migrations.Migration):
    dependencies = [("responders", "0029_log_of_its_own")]

    operations = [migrations.RunPython(add_rights, migrations.RunPython.noop)]
