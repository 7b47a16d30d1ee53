"""What the placeholders of nginx's templates stand for."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from responders.mailconfig import checked
from responders.mailconfig.files import TEMPLATES


def values(options: Mapping[str, Any]) -> dict[str, str]:
    """By the placeholders' names. Raises CommandError."""
    host = options["panel_host"] or next((name for name in settings.ALLOWED_HOSTS if name[:1] not in "*."), "")
    web = [checked.host_and_port("--web", address) for address in options["web"] or ["127.0.0.1:8000"]]
    http = [checked.listener("--http-listen", address) for address in options["http_listen"] or ["80", "[::]:80"]]
    https = [checked.listener("--https-listen", address) for address in options["https_listen"] or ["443", "[::]:443"]]

    files = checked.tls_files(options)
    if files is None:
        raise CommandError("--tls-cert and --tls-key are needed: the panel is shown by HTTPS only")
    return {
        "PANEL_HOST": checked.domain("--panel-host", host),
        "WEB": "\n".join(
            f"    server {f'[{host}]' if ':' in host else host}:{port} max_fails=0;" for host, port in web
        ),
        "HTTP": _listeners(http),
        "HTTP_DEFAULT": _listeners(http, " default_server"),
        "HTTPS": _listeners(https, " ssl http2"),
        "HTTPS_DEFAULT": _listeners(https, " ssl http2 default_server"),
        "TLS_CERT": files[0],
        "TLS_KEY": files[1],
        "NAMES_TLS": str(checked.folder("--names-tls", options["names_tls"])),
        "STATIC_ROOT": str(checked.folder("STATIC_ROOT", str(settings.STATIC_ROOT))),
        "CONFIG_DIR": str(checked.folder("--output", options["output"])),
        "AWAY_DIR": str(checked.folder("the panel's folder", str(TEMPLATES / "nginx"))),
    }


def _listeners(listeners: list[str], words: str = "") -> str:
    return "\n".join(f"    listen {address}{words};" for address in listeners)
