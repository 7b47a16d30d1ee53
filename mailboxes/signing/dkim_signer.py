"""What signs, where rspamd reads it: hashes in Redis, as rspamd's `dkim_signing` wants them.

SELECTORS have the selector of each domain, a hash for each algorithm; KEYS has the private key of each selector and
domain, in clear, for rspamd cannot open what is sealed. PostgreSQL is the truth: after every change, and every minute,
what Redis has is compared with it and mended.
"""

import logging
from typing import Any

import redis
from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet

from mailboxes import sealing
from mailboxes.models import DkimKey

log = logging.getLogger(__name__)

USE = "dkim"  # of sealing
KEYS = "DKIM_KEYS"
SELECTORS = {"rsa": "DKIM_SELECTORS", "ed25519": "DKIM_SELECTORS_ED25519"}
PATIENCE = 5.0  # seconds: a page may wait for it
BATCH = 500
_LOCK = 7252  # of PostgreSQL: who reads last writes last


def write_soon() -> None:
    """Write, and leave it to the task where Redis is away: what a person did is stored, and counts a little later."""
    try:
        write()
    except (redis.RedisError, OSError) as error:
        log.warning("DKIM keys did not reach Redis, the task will write them: %s", error)


def write(*, anew: bool = False) -> int:
    """Let Redis have what signs now and nothing else; return how many keys.

    `anew` writes also what is there already. Keys come before the selectors that name them, and go after them: no mail
    leaves unsigned in between. Raises redis.RedisError.
    """
    client = _client()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        signing = _signing()
        names = _write_keys(client, signing, set() if anew else _fields(client, KEYS))
        for algorithm, table in SELECTORS.items():
            _write_selectors(client, table, signing.filter(algorithm=algorithm), names)
        _delete(client, KEYS, _fields(client, KEYS) - names)
    return len(names)


def missing() -> int:
    """How many keys that sign are not in Redis: mail leaves without their signature. Raises redis.RedisError."""
    there = _fields(_client(), KEYS)
    named = _signing().values_list("selector", "domain_id")
    return sum(f"{selector}.{domain}" not in there for selector, domain in named)


def _signing() -> QuerySet[DkimKey]:
    return DkimKey.objects.filter(signs_since__isnull=False, retired_at=None, domain__deleted_at=None)


def _client() -> Any:
    return redis.Redis.from_url(
        settings.DKIM_REDIS_URL, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE, decode_responses=True
    )


def _fields(client: Any, table: str) -> set[str]:
    return set(client.hkeys(table))


def _write_keys(client: Any, signing: QuerySet[DkimKey], there: set[str]) -> set[str]:
    """Write those that are not there; return the names of all that can sign."""
    names = {f"{selector}.{domain}": pk for pk, selector, domain in signing.values_list("pk", "selector", "domain_id")}
    missing = [names[name] for name in names.keys() - there]
    for start in range(0, len(missing), BATCH):
        opened = {}
        for key in DkimKey.objects.filter(pk__in=missing[start : start + BATCH]):
            try:
                opened[f"{key.selector}.{key.domain_id}"] = sealing.unseal(key.sealed_key, USE)
            except sealing.SealedForGoodError:
                log.error("%s was made under another SECRET_KEY: nothing opens it. Make a new key", key)  # noqa: TRY400
                del names[f"{key.selector}.{key.domain_id}"]
        if opened:
            client.hset(KEYS, mapping=opened)
    return set(names)


def _write_selectors(client: Any, table: str, signing: QuerySet[DkimKey], names: set[str]) -> None:
    rows = signing.values_list("domain_id", "selector")
    wanted = {domain: selector for domain, selector in rows if f"{selector}.{domain}" in names}
    there = client.hgetall(table)
    changed = {domain: selector for domain, selector in wanted.items() if there.get(domain) != selector}
    if changed:
        client.hset(table, mapping=changed)
    _delete(client, table, there.keys() - wanted.keys())


def _delete(client: Any, table: str, names: set[str]) -> None:
    if names:
        client.hdel(table, *names)
