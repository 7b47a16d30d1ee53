"""What the placeholders of rspamd's templates stand for."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.conf import settings
from django.core.management.base import CommandError

from responders.mailconfig import checked


def values(options: Mapping[str, Any]) -> dict[str, str]:
    """By the placeholders' names. Raises CommandError."""
    host, port = checked.host_and_port("--listen", options["listen"])
    networks = checked.networks("--networks", options["networks"]).replace("[", "").replace("]", "").split()
    return {
        "LISTEN": f"{f'[{host}]' if ':' in host else host}:{port}",
        "NETWORKS": ", ".join(f'"{network}"' for network in networks),
    } | _keys_in_redis(settings.DKIM_REDIS_URL)


def _keys_in_redis(address: str) -> dict[str, str]:
    """Where rspamd finds the keys, in its words; it signs in by password alone, and speaks no TLS with Redis."""
    url = urlsplit(address)
    is_socket = url.scheme == "unix"
    if url.scheme not in {"redis", "unix"}:
        raise CommandError("DKIM_REDIS_URL: rspamd reads from redis://host:port/number or unix:///path?db=number only")
    if url.username:
        raise CommandError("DKIM_REDIS_URL names a user: rspamd signs in to Redis with a password alone")
    number = dict(parse_qsl(url.query)).get("db", "0") if is_socket else url.path.strip("/") or "0"
    login = [f'db = "{checked.safe("DKIM_REDIS_URL", number)}";']
    if url.password:
        login.append(f'password = "{checked.safe("DKIM_REDIS_URL", unquote(url.password))}";')
    server = url.path if is_socket else f"{url.hostname}:{url.port or 6379}"
    return {"REDIS": checked.safe("DKIM_REDIS_URL", server), "REDIS_LOGIN": "\n".join(login)}
