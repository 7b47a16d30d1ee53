"""Registers the system checks."""

import gc

from django.apps import AppConfig


class WebmailPanelConfig(AppConfig):
    name = "webmail_panel"

    def ready(self) -> None:
        from webmail_panel import checks  # noqa: F401, PLC0415 (importing registers them)

        gc.freeze()
        gc.enable()
