"""Every address of the panel."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, path

from webmail_panel.health import healthz

urlpatterns: list[URLPattern | URLResolver] = [
    path("admin/", admin.site.urls),
    path("healthz", healthz),
]
