"""The web server, the same everywhere: gunicorn --config deploy/gunicorn.conf.py --bind ADDRESS webmail_panel.wsgi."""

import sys

worker_class = "gthread"
workers = 2  # WEB_CONCURRENCY in the environment wins
threads = 4
timeout = 60
graceful_timeout = 20
max_requests = 5000
max_requests_jitter = 500
accesslog = None
control_socket_disable = True


def on_starting(server):
    """Refuse a bad configuration before the first page: no other command of Django's stands in between."""
    import os

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webmail_panel.settings")
    import django
    from django.core.management import call_command
    from django.core.management.base import SystemCheckError

    django.setup()
    try:
        call_command("check")
    except SystemCheckError as error:
        sys.exit(str(error))
