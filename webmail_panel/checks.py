"""System checks: a bad configuration is refused before anything starts, in one sentence each.

Errors stop every command and the web server; warnings are for `check --deploy`.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.db.utils import Error as DatabaseError

from mailboxes import addresses, profiles
from responders.resolver import dns_server

MIN_SECRET_KEY_CHARACTERS = 50
LOCAL_HOSTS = {"localhost", "127.0.0.1", "[::1]", "testserver"}
# Names that never lead anywhere in the public DNS (RFC 6761 §6.4, RFC 8375, and the TLD reserved for private use).
NOWHERE = (".invalid", ".home.arpa", ".internal", ".localdomain", ".test")
RELAY_SCHEMES = {"smtp"}
BROKER_SCHEMES = {"redis", "rediss", "redis+socket", "sentinel", "memory"}

Check = Callable[..., Iterable[CheckMessage]]


def register_check(*tags: str, **options: Any) -> Callable[[Check], Check]:
    """Django's `register`, for a function that yields its messages."""

    def decorate(check: Check) -> Check:
        def run(**kwargs: Any) -> Sequence[CheckMessage]:
            return list(check(**kwargs))

        run.__name__ = check.__name__
        checks.register(run, *tags, **options)
        return check

    return decorate


@register_check("panel")
def check_secret_key(**_kwargs: Any) -> Iterable[CheckMessage]:
    """Sessions and password resets are signed with it."""
    try:
        key = settings.SECRET_KEY
    except ImproperlyConfigured:  # Django's own word on an empty one
        key = ""
    if not key:
        yield checks.Error("SECRET_KEY is empty.", hint="Set it to 50 random characters or more.", id="panel.E001")
    elif not settings.DEBUG and len(key) < MIN_SECRET_KEY_CHARACTERS:
        yield checks.Error(
            f"SECRET_KEY has fewer than {MIN_SECRET_KEY_CHARACTERS} characters.",
            hint="""Make one: python3 -c "import secrets; print(secrets.token_urlsafe(50))".""",
            id="panel.E001",
        )


@register_check("panel")
def check_debug_stays_at_home(**_kwargs: Any) -> Iterable[CheckMessage]:
    """With DEBUG on, an error page shows settings, and the demo's mail is open to everybody who signs in."""
    foreign = set(settings.ALLOWED_HOSTS) - LOCAL_HOSTS
    if settings.DEBUG and foreign:
        yield checks.Error(
            f"DEBUG is on while ALLOWED_HOSTS names {', '.join(sorted(foreign))}.",
            hint="DEBUG is for localhost alone: unset it.",
            id="panel.E002",
        )


@register_check("panel")
def check_staff_prove_twice_who_they_are(**_kwargs: Any) -> Iterable[CheckMessage]:
    """Staff see every customer's mailboxes: one password that leaks would open them all."""
    if not settings.DEBUG and not settings.REQUIRE_STAFF_MFA:
        yield checks.Warning(
            "REQUIRE_STAFF_MFA is off: one leaked password of staff opens every customer's mailboxes.",
            hint="Unset it.",
            id="panel.W016",
        )


@register_check("panel")
def check_autoreply_domain(**_kwargs: Any) -> Iterable[CheckMessage]:
    """The domain of the copies must lead nowhere: a copy that goes astray must not reach a stranger."""
    domain = settings.AUTOREPLY_DOMAIN
    if not _is_domain(domain):
        yield checks.Error(f"AUTOREPLY_DOMAIN “{domain}” is not a domain in lower case.", id="panel.E003")
    elif not f".{domain}".endswith(NOWHERE):
        yield checks.Warning(
            f"AUTOREPLY_DOMAIN “{domain}” may exist in the DNS.",
            hint="Take a name that ends in .invalid.",
            id="panel.W003",
        )


@register_check("panel")
def check_mail_hostname(**_kwargs: Any) -> Iterable[CheckMessage]:
    """It stands in every reply's Message-ID (RFC 5322 §3.6.4) and in EHLO (RFC 5321 §4.1.1.1)."""
    name = settings.MAIL_HOSTNAME
    if not _is_domain(name):
        yield checks.Error(f"MAIL_HOSTNAME “{name}” is not a host name in lower case.", id="panel.E004")
    elif not settings.DEBUG and "." not in name:
        yield checks.Warning(
            f"MAIL_HOSTNAME is “{name}”: not a name that other mail servers know.",
            hint="Set it to this mail server's full name, like mail.example.org.",
            id="panel.W004",
        )


@register_check("panel")
def check_dns_of_domains(**_kwargs: Any) -> Iterable[CheckMessage]:
    """Customers publish these words: a mistake here is a mistake in every domain."""
    hosts = {"MX_HOSTS": settings.MX_HOSTS, "SENDING_HOSTS": settings.SENDING_HOSTS}
    for name, values in hosts.items():
        if not values:
            yield checks.Error(f"{name} names no host.", id="panel.E017")
    for name, values in (hosts | {"SPF_INCLUDE": [settings.SPF_INCLUDE] if settings.SPF_INCLUDE else []}).items():
        for value in values:
            if not _is_domain(value):
                yield checks.Error(f"{name}: “{value}” is not a host name in lower case.", id="panel.E017")
    if settings.MTA_STS_MODE not in {"", "testing", "enforce"}:
        yield checks.Error("MTA_STS_MODE is neither testing nor enforce nor empty.", id="panel.E018")
    reports_to = settings.DNS_REPORTS_TO
    if reports_to and addresses.normal_form_or_none(reports_to) is None:
        yield checks.Error(f"DNS_REPORTS_TO “{reports_to}” is not an address.", id="panel.E019")


@register_check("panel")
def check_relay_url(**_kwargs: Any) -> Iterable[CheckMessage]:
    """Where replies go."""
    if trouble := _trouble_with_url(settings.RELAY_URL, RELAY_SCHEMES):
        yield checks.Error(f"RELAY_URL {trouble}.", hint="It has the form smtp://host:port.", id="panel.E005")


@register_check("panel")
def check_database(**_kwargs: Any) -> Iterable[CheckMessage]:
    """Postfix, Dovecot and the hook speak SQL that only PostgreSQL understands."""
    engine = settings.DATABASES["default"].get("ENGINE", "")
    if engine != "webmail_panel.database":
        yield checks.Error(
            f"DATABASE_URL asks for {engine or 'nothing'}: the panel runs on PostgreSQL only.", id="panel.E006"
        )


@register_check("panel")
def check_redis_urls(**_kwargs: Any) -> Iterable[CheckMessage]:
    """The cache and Celery write the address of a Unix socket each in their own way."""
    if not settings.REDIS_URL.startswith(("redis://", "rediss://", "unix://")):
        yield checks.Error(
            "REDIS_URL is not the address of a Redis.",
            hint="redis://host:6379/0, rediss://… or unix:///path/to/socket?db=0.",
            id="panel.E007",
        )
    if not settings.DKIM_REDIS_URL.startswith(("redis://", "rediss://", "unix://")):
        yield checks.Error(
            "DKIM_REDIS_URL is not the address of a Redis.",
            hint="redis://host:6379/0 or unix:///path/to/socket?db=0, as rspamd reads it.",
            id="panel.E026",
        )
    if urlsplit(settings.CELERY_BROKER_URL).scheme not in BROKER_SCHEMES:
        yield checks.Error(
            "CELERY_BROKER_URL is not an address that Celery understands.",
            hint="For a Redis on a Unix socket: redis+socket:///path/to/socket?virtual_host=0.",
            id="panel.E008",
        )


@register_check("panel")
def check_mailbox_defaults(**_kwargs: Any) -> Iterable[CheckMessage]:
    """What a new mailbox gets."""
    if settings.DEFAULT_MAILBOX_TIME_ZONE not in available_timezones():
        yield checks.Error("DEFAULT_MAILBOX_TIME_ZONE is not an IANA time zone.", id="panel.E009")
    if settings.DEFAULT_MAILBOX_LANGUAGE not in dict(settings.LANGUAGES):
        yield checks.Error(
            f"DEFAULT_MAILBOX_LANGUAGE must be one of {', '.join(dict(settings.LANGUAGES))}.", id="panel.E010"
        )


@register_check("panel")
def check_rules(**_kwargs: Any) -> Iterable[CheckMessage]:
    """What the rules of silence are told by the operator."""
    for entry in settings.SPAM_FIELDS:
        name, colon, _value = entry.partition(":")
        if not colon or not name or not all(33 <= ord(character) <= 126 for character in name):
            yield checks.Error(f"SPAM_FIELDS: “{entry}” does not have the form Name: value.", id="panel.E011")
    if len(settings.RECIPIENT_DELIMITER) > 1 or settings.RECIPIENT_DELIMITER in ("@", "=", "."):
        yield checks.Error("RECIPIENT_DELIMITER must be one character, like +, or empty.", id="panel.E012")


@register_check("panel")
def check_limits(**_kwargs: Any) -> Iterable[CheckMessage]:
    """Numbers that must be more than nothing."""
    for name in ("MESSAGE_SIZE_LIMIT", "DECISION_RETENTION_DAYS"):
        if getattr(settings, name) < 1:
            yield checks.Error(f"{name} must be 1 or more.", id="panel.E013")
    for name in (
        "MAILBOX_REPLIES_PER_HOUR",
        "DOMAIN_REPLIES_PER_HOUR",
        "MAILBOX_RECIPIENTS_PER_HOUR",
        "MAILBOX_RECIPIENTS_PER_DAY",
        "REFUSAL_DAYS",
        "MAILBOX_GRACE_DAYS",
        "SUSPENSION_GRACE_DAYS",
    ):
        if getattr(settings, name) < 0:
            yield checks.Error(f"{name} must be 0 or more.", id="panel.E013")


@register_check("panel")
def check_dns_server(**_kwargs: Any) -> Iterable[CheckMessage]:
    """Whom to ask about senders' domains."""
    try:
        if settings.DNS_SERVER:
            dns_server(settings.DNS_SERVER)
    except ValueError as error:
        yield checks.Error(f"DNS_SERVER: {error}.", hint="Like 127.0.0.1:53 or [::1]:53.", id="panel.E017")


@register_check("panel")
def check_staff_notices(**_kwargs: Any) -> Iterable[CheckMessage]:
    """Who is told of drawn brakes."""
    for address in settings.STAFF_NOTICES:
        if addresses.normal_form_or_none(address) is None:
            yield checks.Error(f"STAFF_NOTICES: “{address}” is not an address.", id="panel.E018")


@register_check("panel")
def check_mail_programs(**_kwargs: Any) -> Iterable[CheckMessage]:
    """What mail programs are told, and what signs Apple's profiles."""
    ports = {name: getattr(settings, name) for name in ("IMAPS_PORT", "SUBMISSIONS_PORT", "SUBMISSION_PORT")}
    for name, port in ports.items():
        if not (name == "IMAPS_PORT") <= port <= 65535:
            yield checks.Error(f"{name} is not a port, a number up to 65535.", id="panel.E031")
    if not (ports["SUBMISSIONS_PORT"] or ports["SUBMISSION_PORT"]):
        yield checks.Error("SUBMISSIONS_PORT and SUBMISSION_PORT are both 0: nobody could send.", id="panel.E031")
    for name in ("IMAP_HOST", "SUBMISSION_HOST"):
        if not _is_domain(getattr(settings, name)):
            yield checks.Error(f"{name} “{getattr(settings, name)}” is not a host name in lower case.", id="panel.E031")
    if bool(settings.PROFILE_CERT) != bool(settings.PROFILE_KEY):
        yield checks.Error("PROFILE_CERT and PROFILE_KEY belong together.", id="panel.E032")
    elif settings.PROFILE_CERT:
        try:
            profiles.sign(b"")
        except profiles.SignatureError as error:
            # Only a warning: whatever became of a certificate, mail and replies go on.
            yield checks.Warning(f"Profiles for Apple's devices go out unsigned: {error}.", id="panel.W032")


@register_check("panel")
def check_translations(**_kwargs: Any) -> Iterable[CheckMessage]:
    """Without compiled catalogues every page is in English."""
    for folder in settings.LOCALE_PATHS:
        for catalogue in sorted(Path(folder).glob("*/LC_MESSAGES/*.po")):
            if not catalogue.with_suffix(".mo").exists():
                yield checks.Warning(
                    f"The translations in {catalogue.relative_to(settings.BASE_DIR)} are not compiled.",
                    hint="pybabel compile -d locale -D django",
                    id="panel.W014",
                )


@register_check(checks.Tags.database)
def check_autoreply_domain_is_not_hosted(
    databases: Iterable[str] | None = None, **_kwargs: Any
) -> Iterable[CheckMessage]:
    """Mail for a customer must never be taken for a copy. Asked by `migrate` and by `check --database default`."""
    for alias in databases or ():
        try:
            with connections[alias].cursor() as cursor:
                cursor.execute(
                    "SELECT EXISTS (SELECT FROM mailboxes_domain WHERE name = %s)", [settings.AUTOREPLY_DOMAIN]
                )
                is_hosted = cursor.fetchone()[0]
        except DatabaseError:  # not migrated yet: nothing is hosted
            continue
        if is_hosted:
            yield checks.Error(
                f"AUTOREPLY_DOMAIN “{settings.AUTOREPLY_DOMAIN}” is a domain that this panel hosts.", id="panel.E015"
            )


def _is_domain(name: str) -> bool:
    try:
        return addresses.normalise_domain(name) == name
    except addresses.AddressError:
        return False


def _trouble_with_url(url: str, schemes: set[str]) -> str:
    """What is wrong with it, as the end of a sentence; empty if nothing is."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "has a port that is no number from 1 to 65535"
    if parts.scheme not in schemes:
        return f"must begin with {' or '.join(sorted(schemes))}://"
    if not parts.hostname or not port:
        return "must name a host and a port"
    if parts.path.strip("/") or parts.query or parts.username:
        return "has more than a host and a port"
    return ""
