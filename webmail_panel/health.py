"""Whether each service does its work, asked from outside of it: for container health checks and for monitoring."""

import http.client
import smtplib
import socket
from pathlib import Path

import psycopg
from django.conf import settings
from django.core.cache import cache
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import RedisError

from mailboxes import rehash
from webmail_panel.celery import app

BEAT_SIGN_OF_LIFE = "beat-alive"  # set by the task that beat sends every five seconds

SECONDS_FOR_AN_ANSWER = 5.0
SECONDS_TO_CONNECT = 2  # less than that, so that it is said what is away


class Unhealthy(RuntimeError):
    """The service does not do its work; the text says what was seen."""


@never_cache
@require_safe
@transaction.non_atomic_requests
def healthz(_request: HttpRequest) -> HttpResponse:
    """200 while the web process reaches its database and its cache, else 503 and the name of what is away."""
    away = [name for name, is_there in (("database", _database_answers), ("cache", _cache_answers)) if not is_there()]
    if away:
        return HttpResponse(f"away: {', '.join(away)}\n", status=503, content_type="text/plain")
    return HttpResponse("ok\n", content_type="text/plain")


def _database_answers() -> bool:
    """Over a new connection, which has a time-out: one that is open waits for a frozen server as long as it takes."""
    parameters = connection.get_connection_params() | {"connect_timeout": SECONDS_TO_CONNECT}
    try:
        with psycopg.connect(**parameters, autocommit=True) as asked:
            asked.execute("SELECT 1")
    except psycopg.Error:
        return False
    return True


def _cache_answers() -> bool:
    try:
        cache.get(BEAT_SIGN_OF_LIFE)
    except (RedisError, OSError):
        return False
    return True


def check_web(address: str) -> None:
    """Ask the web server at HOST:PORT for /healthz. Raises Unhealthy."""
    host = next((name.lstrip(".") for name in settings.ALLOWED_HOSTS if name != "*"), "localhost")
    _expect_ok(address, "/healthz", host)


def check_hook(address: str, health_address: str = "") -> None:
    """Greet the delivery hook at HOST:PORT as Postfix does (RFC 2033 §4), and ask whether it has its database.

    Raises Unhealthy.
    """
    host, _colon, port = address.rpartition(":")
    try:
        with smtplib.LMTP(host, int(port), timeout=SECONDS_FOR_AN_ANSWER) as session:
            code, text = session.ehlo()
    except (OSError, smtplib.SMTPException, ValueError) as error:
        raise Unhealthy(f"no LMTP server on {address}: {error}") from error
    if code != 250:
        raise Unhealthy(f"LHLO was answered {code} {text.decode(errors='replace')}")
    if health_address:
        _expect_ok(health_address, "/", health_address)


def _expect_ok(address: str, path: str, host: str) -> None:
    connection_to_it = http.client.HTTPConnection(address, timeout=SECONDS_FOR_AN_ANSWER)
    try:
        connection_to_it.request("GET", path, headers={"Host": host})
        response = connection_to_it.getresponse()
        body = response.read(200).decode(errors="replace").strip()
    except (OSError, http.client.HTTPException) as error:
        raise Unhealthy(f"no answer from http://{address}: {error}") from error
    finally:
        connection_to_it.close()
    if response.status != 200:
        raise Unhealthy(f"status {response.status}: {body}")


def check_worker(name: str = "") -> None:
    """Ping the Celery worker of this name, by default the one of this host. Raises Unhealthy."""
    name = name or f"celery@{socket.gethostname()}"
    try:
        replies = app.control.ping(destination=[name], timeout=3.0)
    except (OSError, RedisError, BrokerError) as error:
        raise Unhealthy(f"the broker does not answer: {error}") from error
    if not replies:
        raise Unhealthy(f"the worker {name} does not answer")


def check_beat() -> None:
    """Beat's task has run within the last minute. Raises Unhealthy."""
    try:
        is_alive = cache.get(BEAT_SIGN_OF_LIFE)
    except (RedisError, OSError) as error:
        raise Unhealthy(f"the cache does not answer: {error}") from error
    if not is_alive:
        raise Unhealthy("no periodic task has run within the last minute")


def check_rehash(path: Path) -> None:
    """Somebody listens for old hashes there, and takes them. Raises Unhealthy."""
    try:
        rehash.knock(path)
    except BlockingIOError as error:
        raise Unhealthy(f"it takes nothing more on {path}") from error
    except OSError as error:
        raise Unhealthy(f"nobody listens on {path}: {error.strerror or error}") from error
