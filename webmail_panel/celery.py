"""The Celery application; `responders.tasks` and `mailboxes.tasks` hold what it runs."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webmail_panel.settings")

app = Celery("webmail_panel")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
