"""The panel's own parts: settings, database, Redis, and the four services."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
from django.conf import settings
from django.core import checks
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.utils import Error as DatabaseError
from kombu.exceptions import OperationalError as BrokerError
from redis import Redis
from redis.exceptions import RedisError

from mailboxes import log_owner, mail_roles, sign_in_cache
from mailboxes.hashers import ForeignPasswordHasher
from mailboxes.models import User
from mailboxes.signing import dkim_signer
from webmail_panel import health
from webmail_panel.celery import app
from webmail_panel.doctor.finding import Finding, fail, ok, unknown, warn

OLDEST_POSTGRESQL = 15
PATIENCE = 5  # seconds
# Seconds. Codes of the second factor are good for 30 and forgive one step; logs are compared by hand.
SKEW_TO_MEND, SKEW_THAT_HARMS = 2.0, 30.0


@dataclass(frozen=True, slots=True)
class DatabaseAnswer:
    """What the database says of itself; `seconds_ahead` is its clock less this host's."""

    version: int
    encoding: str
    is_replica: bool
    seconds_ahead: float


@dataclass(frozen=True, slots=True)
class Known:
    """Something that this panel hosts, to ask the mail servers about; empty where nothing is known, `why` says why."""

    domain: str = ""
    mailbox: str = ""
    why: str = "nothing is hosted yet"


UNKNOWN_TO_US = Known(why="the database does not say what is hosted")


def check_settings() -> Iterator[Finding]:
    """What `check --deploy` says."""
    found = [message for message in checks.run_checks(include_deployment_checks=True) if not message.is_silenced()]
    for message in found:
        make = fail if message.level >= checks.ERROR else warn
        yield make("settings", message.msg, message.hint or "See docs/operate.md, “Settings”.")
    if not found:
        yield ok("settings", "no complaint of `check --deploy`")


def check_database() -> Iterator[Finding]:
    """Reachable, of a version that will do, in step with this host's clock, and with our tables."""
    try:
        answer = _ask_database()
    except psycopg.Error as error:
        yield fail("database", str(error), "Start PostgreSQL, or mend DATABASE_URL.")
        yield unknown("clock", "the database does not answer")
        yield unknown("migrations", "the database does not answer")
        return
    yield judge_database(answer)
    yield judge_clock(answer.seconds_ahead)
    yield judge_migrations(*_migrations())


def check_log() -> Finding:
    """Whether the panel's role could change what the log tells of its deeds."""
    parameters = connection.get_connection_params() | {"connect_timeout": PATIENCE}
    try:
        with psycopg.connect(**parameters, autocommit=True) as asked:
            return judge_log(log_owner.wall(asked))
    except psycopg.Error as error:
        return unknown("log", f"the database does not say whose the log is: {str(error).partition(chr(10))[0]}")


def judge_log(wall: log_owner.Wall) -> Finding:
    """The triggers hold for everybody but the tables' owner and superusers."""
    if wall.is_superuser:
        return warn(
            "log", "the panel is a superuser of the database: it could change its own log",
            "Give it a role of its own, then `webmail-panel logrole`: docs/operate.md, “The log”.",
        )  # fmt: skip
    if wall.owns or wall.owns_around:
        what = "the log" if wall.owns else "the log's schema or database"
        return warn("log", f"the panel's role owns {what} and could change it", "webmail-panel logrole")
    if wall.may_join:
        return warn(
            "log", "the panel's role may make itself a member of the log's owner",
            "PostgreSQL 15: ALTER ROLE webmail_panel NOCREATEROLE. Else revoke its ADMIN OPTION on webmail_panel_log.",
        )  # fmt: skip
    return ok("log", "only added to, by the panel's role too")


def check_sign_ins() -> Finding:
    """Whether Dovecot is told whom to forget."""
    parameters = connection.get_connection_params() | {"connect_timeout": PATIENCE}
    try:
        with psycopg.connect(**parameters, autocommit=True) as asked:
            row = asked.execute(sign_in_cache.LISTENERS.encode()).fetchone()
    except psycopg.Error as error:
        return unknown("sign-ins", f"the database does not say who listens: {str(error).partition(chr(10))[0]}")
    return judge_sign_ins(row[0] if row else 0)


def check_mail_role(server: str, name: str) -> Finding:
    """Whether a mail server's role of the database may do what it needs, and nothing else."""
    parameters = connection.get_connection_params() | {"connect_timeout": PATIENCE}
    try:
        with psycopg.connect(**parameters, autocommit=True) as asked:
            return judge_mail_role(mail_roles.OF_SERVERS[server], name, mail_roles.rights_of(asked, name))
    except psycopg.Error as error:
        return unknown(f"{server} role", f"the database does not say: {str(error).partition(chr(10))[0]}")


def judge_mail_role(role: mail_roles.MailRole, name: str, rights: mail_roles.Rights | None) -> Finding:
    """`name` is what the server's files say that it signs in as; `rights` are None where there is no such role."""
    check, own = f"{role.server} role", f"webmail-panel mailrole {role.server}"
    if rights is None or not rights.may_sign_in:
        return fail(check, f"{name} may not sign in to the database", f"{own}, then mailconfig with the same password")
    if missing := mail_roles.lacking(role, rights):
        return fail(check, f"{name} may not use {_few(missing)}", f"{own}; is every migration applied?")
    another = "Give it a role of its own: docs/operate/upgrade.md, “A role for each mail server”."
    if rights.is_mighty:
        return warn(check, f"{name} may do more in the database than read what {role.server} needs", another)
    if more := mail_roles.beyond(role, rights):
        return warn(check, f"{name} may also use {_few(more)}, which {role.server} does not need", another)
    return ok(check, f"{name} may use what {role.server} needs, and nothing else")


def judge_sign_ins(listeners: int) -> Finding:
    """`listeners`: sessions of webmail-panel-sign-ins at the database that is written."""
    if listeners:
        return ok("sign-ins", "Dovecot forgets a sign-in as soon as it changed")
    return fail(
        "sign-ins", "nobody tells Dovecot what changed: in an outage of the database an old password gets in",
        "systemctl restart webmail-panel-sign-ins; journalctl -u webmail-panel-sign-ins",
    )  # fmt: skip


def check_rehash(socket: Path) -> Finding:
    """Whether hashes of other systems become ours, and whether any are left."""
    try:
        are_left = User.objects.filter(password__startswith=f"{ForeignPasswordHasher.algorithm}$").exists()
    except DatabaseError as error:
        return unknown("rehash", f"the database does not say what hashes there are: {str(error).partition(chr(10))[0]}")
    if not are_left:
        return judge_rehash(are_left=False)
    try:
        health.check_rehash(socket)
    except health.Unhealthy as error:
        return judge_rehash(are_left=True, trouble=str(error))
    return judge_rehash(are_left=True)


def judge_rehash(*, are_left: bool, trouble: str = "") -> Finding:
    """`trouble`: why what Dovecot hands over does not arrive."""
    if not are_left:
        return ok("rehash", "no hash of another system is left")
    if trouble:
        return warn(
            "rehash", f"hashes of other systems stay until their owners sign in to the panel: {trouble}",
            "systemctl enable --now webmail-panel-rehash; journalctl -u webmail-panel-rehash",
        )  # fmt: skip
    return ok("rehash", "hashes of other systems become ours at the next sign-in to a mail program, too")


def known() -> Known:
    """A domain and a mailbox that Postfix must know. Raises django.db.Error."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT min(domain) FROM mail_domains")
        domain = cursor.fetchone()[0]
        cursor.execute("SELECT address FROM mail_mailboxes LIMIT 1")
        mailbox = cursor.fetchone()
    return Known(domain or "", mailbox[0] if mailbox else "")


def known_or_nothing() -> Known:
    try:
        return known()
    except DatabaseError:
        return UNKNOWN_TO_US


def judge_database(answer: DatabaseAnswer) -> Finding:
    """Whether this is a PostgreSQL that the panel can run on."""
    seen = f"PostgreSQL {answer.version // 10000}"
    if answer.version < OLDEST_POSTGRESQL * 10000:
        return fail("database", f"{seen} is too old", f"PostgreSQL {OLDEST_POSTGRESQL} or newer is needed.")
    if answer.is_replica:
        return fail("database", f"{seen}, a replica that takes no changes", "DATABASE_URL must name the primary.")
    if answer.encoding != "UTF8":
        return fail("database", f"its encoding is {answer.encoding}", "Make it anew with --encoding=UTF8.")
    return ok("database", f"{seen} answers")


def judge_clock(seconds_ahead: float) -> Finding:
    """The database's clock decides when replies start and stop; this host's is in logs and one-time codes."""
    seen = (
        f"the database's clock is {abs(seconds_ahead):.1f} s {'ahead of' if seconds_ahead > 0 else 'behind'} this host"
    )
    remedy = "Run an NTP client on both hosts: `timedatectl set-ntp true`, then `timedatectl`."
    if abs(seconds_ahead) > SKEW_THAT_HARMS:
        return fail("clock", seen, remedy)
    return warn("clock", seen, remedy) if abs(seconds_ahead) > SKEW_TO_MEND else ok("clock", seen)


def judge_migrations(missing: Iterable[str], unheard_of: Iterable[str]) -> Finding:
    """`missing` wait to be applied; `unheard_of` were, by newer code than this."""
    if names := sorted(missing):
        return fail("migrations", f"not applied: {_few(names)}", "webmail-panel migrate")
    if names := sorted(unheard_of):
        return fail("migrations", f"of a newer version: {_few(names)}", "Install the version that the database has.")
    return ok("migrations", "all applied")


def check_redis() -> Finding:
    """Cache, broker of the tasks, and what counts wrong passwords."""
    try:
        with Redis.from_url(
            settings.REDIS_URL, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE, decode_responses=True
        ) as redis:
            redis.ping()
            return judge_redis(redis.info("memory"))
    except (RedisError, OSError, ValueError) as error:
        return fail("redis", str(error), "Start Redis, or mend REDIS_URL.")


def judge_redis(memory: dict[str, object]) -> Finding:
    """Tasks stand in the same Redis: it must not throw keys away for want of room."""
    limit, policy = memory.get("maxmemory", 0), memory.get("maxmemory_policy", "noeviction")
    if limit and policy != "noeviction":
        return warn(
            "redis", f"throws keys away when it is full ({policy}): tasks may be lost", "maxmemory-policy noeviction"
        )
    return ok("redis", f"answers, {memory.get('used_memory_human', '?')} in use")


def check_worker(*, has_redis: bool) -> Finding:
    """Some worker, on whichever host."""
    if not has_redis:
        return unknown("worker", "is asked through Redis, which does not answer")
    try:
        answers = app.control.ping(timeout=2.0)
    except (OSError, RedisError, BrokerError) as error:
        return fail("worker", f"the broker does not answer: {error}", "Mend CELERY_BROKER_URL.")
    names = sorted(name for answer in answers for name in answer)
    if not names:
        return fail(
            "worker", "no worker answers", "systemctl restart webmail-panel-worker; journalctl -u webmail-panel-worker"
        )
    return ok("worker", ", ".join(names))


def check_beat(*, has_redis: bool, has_worker: bool) -> Finding:
    """Its sign of life is left by a task, so it takes a worker to see it."""
    if not has_redis:
        return unknown("beat", "its sign of life is in Redis, which does not answer")
    try:
        health.check_beat()
    except health.Unhealthy as error:
        if not has_worker:
            return unknown("beat", "no worker runs its tasks")
        return fail("beat", str(error), "systemctl restart webmail-panel-beat; journalctl -u webmail-panel-beat")
    return ok("beat", "a periodic task ran within the last minute")


def check_web(address: str) -> Finding:
    """The pages, asked past the proxy."""
    try:
        health.check_web(address)
    except health.Unhealthy as error:
        return fail("web", str(error), "systemctl restart webmail-panel-web; journalctl -u webmail-panel-web")
    return ok("web", f"{address} serves pages")


def check_hook(address: str, health_address: str) -> Finding:
    """As Postfix greets it, and whether it has its database."""
    try:
        health.check_hook(address, health_address)
    except health.Unhealthy as error:
        remedy = (
            "systemctl restart webmail-panel-hook; journalctl -u webmail-panel-hook. Copies wait in Postfix's queue."
        )
        return fail("hook", str(error), remedy)
    return ok("hook", f"{address} greets" + (f", {health_address} says that it works" if health_address else ""))


def _ask_database() -> DatabaseAnswer:
    """Over a connection of its own, which does not wait for ever. Raises psycopg.Error."""
    parameters = connection.get_connection_params() | {"connect_timeout": PATIENCE}
    with psycopg.connect(**parameters, autocommit=True) as asked:
        asked.execute("SELECT 1")  # the way there is known now
        before = time.time()
        row = asked.execute(
            "SELECT current_setting('server_version_num')::int, current_setting('server_encoding'),"
            " pg_is_in_recovery(), extract(epoch FROM clock_timestamp())::float8"
        ).fetchone()
        middle = (before + time.time()) / 2
    assert row is not None  # noqa: S101 (a SELECT without FROM has one row)
    return DatabaseAnswer(row[0], row[1], row[2], row[3] - middle)


def _migrations() -> tuple[list[str], list[str]]:
    """Which are not applied, and which were applied that this code does not have."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    on_disk = set(executor.loader.disk_migrations)
    ours = {app_label for app_label, _name in on_disk}
    applied = executor.loader.applied_migrations
    unheard_of = [".".join(key) for key in applied if key not in on_disk and key[0] in ours]
    return [f"{migration.app_label}.{migration.name}" for migration, _backwards in plan], unheard_of


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def check_signing_keys() -> Finding:
    """Whether rspamd finds every key that signs."""
    try:
        missing = dkim_signer.missing()
    except (RedisError, OSError) as error:
        return fail("signing keys", f"Redis does not show them: {error}", "Look at DKIM_REDIS_URL, and at Redis.")
    if missing:
        return fail("signing keys", f"{missing} are not in Redis: mail leaves unsigned", "manage.py dkim write")
    return ok("signing keys", "all that sign are in Redis")
