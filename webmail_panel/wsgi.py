"""WSGI entry point for gunicorn: `webmail_panel.wsgi:application`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webmail_panel.settings")

application = get_wsgi_application()
