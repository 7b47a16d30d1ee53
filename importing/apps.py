"""Django's view of the package."""

from django.apps import AppConfig


class ImportingConfig(AppConfig):
    """No models: what is imported becomes rows of the other packages."""

    name = "importing"
