"""Wiring only: settings, URLs, Celery, WSGI, and the checks that refuse a bad configuration."""

from webmail_panel.celery import app as celery_app

__all__ = ["celery_app"]
