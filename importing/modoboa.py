"""Modoboa's tables (1.x and 2.x). Pure: rows in, facts out.

Its dates are UTC where they name no offset (Django with USE_TZ on MySQL). Texts name %(name)s, %(fromdate)s and
%(untildate)s. Quotas are in MB; before 1.9 a domain's was that of each of its mailboxes.
"""

import json
import re
from datetime import UTC

from importing import texts, values
from importing.dumps import Tables
from importing.facts import Alias, Domain, DomainAlias, Mailbox, Problem, Responder, Source
from importing.values import Row

WANTED = {
    "admin_domain": frozenset({"id", "name", "quota", "default_mailbox_quota", "enabled", "type"}),
    "admin_domainalias": frozenset({"name", "target_id", "enabled"}),
    "admin_mailbox": frozenset({"id", "address", "use_domain_quota", "quota", "domain_id", "user_id", "is_send_only"}),
    "core_user": frozenset({"id", "password", "email", "username", "is_active", "first_name", "last_name", "language"}),
    "admin_alias": frozenset({"id", "address", "enabled", "internal", "expire_at"}),
    "admin_aliasrecipient": frozenset({"address", "alias_id"}),
    "postfix_autoreply_armessage": frozenset({"subject", "content", "enabled", "fromdate", "untildate", "mbox_id"}),
    "core_localconfig": frozenset({"_parameters"}),
    "admin_senderaddress": frozenset({"address", "mailbox_id"}),
    "otp_totp_totpdevice": frozenset({"user_id", "confirmed"}),
}
# How a mailbox's own alias led to the autoresponder up to 2.3: anna@firma.pl@autoreply.firma.pl
_AUTOREPLY = re.compile(r"@[^@\s]+@autoreply\.")
REQUIRED = ("admin_domain", "admin_mailbox", "core_user")


def read(tables: Tables, *, zone: str, password_scheme: str = "CRYPT") -> Source:  # noqa: S107 (the name of a scheme)
    """All that Modoboa keeps of mail. Its accounts without a mailbox (administrators) stay there."""
    source = Source()
    names = {values.text(row, "id"): values.text(row, "name") for row in tables.get("admin_domain", [])}
    for row in tables.get("admin_domain", []):
        _domain(row, source)
    for row in tables.get("admin_domainalias", []):
        _domain_alias(row, names, source)
    users = {values.text(row, "id"): row for row in tables.get("core_user", [])}
    addresses: dict[str, str] = {}
    for row in tables.get("admin_mailbox", []):
        mailbox = _mailbox(row, names, users, password_scheme)
        addresses[values.text(row, "id")] = mailbox.address
        source.mailboxes.append(mailbox)
        if values.is_yes(row, "is_send_only", default=False):
            source.problems.append(Problem("mailbox", mailbox.address, "send-only", is_note=True))
    source.aliases = _aliases(tables, source)
    owners = {values.text(row, "user_id"): values.text(row, "id") for row in tables.get("admin_mailbox", [])}
    for row in tables.get("otp_totp_totpdevice", []):
        address = addresses.get(owners.get(values.text(row, "user_id"), ""), "")
        if address and values.is_yes(row, "confirmed"):
            source.problems.append(Problem("password", address, "second-factor", is_note=True))
    for row in tables.get("admin_senderaddress", []):
        if address := addresses.get(values.text(row, "mailbox_id"), ""):
            source.problems.append(Problem("mailbox", address, "sends-as-another", values.text(row, "address")))
    interval = _interval(tables)
    for row in tables.get("postfix_autoreply_armessage", []):
        _autoreply(row, addresses, zone, interval, source)
    return source


def _domain(row: Row, source: Source) -> None:
    name = values.text(row, "name")
    if values.text(row, "type") == "relaydomain":
        source.problems.append(Problem("domain", name, "backup-mx"))
        return
    has_total = "default_mailbox_quota" in row
    megabytes = values.number(row, "default_mailbox_quota" if has_total else "quota")
    total = values.number(row, "quota") if has_total else 0
    source.domains.append(
        Domain(
            name,
            values.is_yes(row, "enabled"),
            quota_mb=megabytes if megabytes > 0 else None,
            total_quota_mb=total if total > 0 else None,
        )
    )


def _domain_alias(row: Row, names: dict[str, str], source: Source) -> None:
    name, target = values.text(row, "name"), names.get(values.text(row, "target_id"), "")
    if values.is_yes(row, "enabled"):
        source.domain_aliases.append(DomainAlias(name, target))
    else:
        source.problems.append(Problem("domain", name, "domain-alias-switched-off", target))


def _mailbox(row: Row, names: dict[str, str], users: dict[str, Row], password_scheme: str) -> Mailbox:
    user = users.get(values.text(row, "user_id"), {})
    megabytes = values.number(row, "quota")
    has_own = not values.is_yes(row, "use_domain_quota", default=False) and megabytes > 0
    return Mailbox(
        f"{values.text(row, 'address')}@{names.get(values.text(row, 'domain_id'), '')}",
        name=f"{values.text(user, 'first_name')} {values.text(user, 'last_name')}".strip(),
        password=values.text(user, "password"),
        password_scheme=password_scheme,
        quota_mb=megabytes if has_own else None,
        is_active=values.is_yes(user, "is_active"),
        language=values.text(user, "language")[:2],
    )


def _aliases(tables: Tables, source: Source) -> list[Alias]:
    """Modoboa keeps an internal alias for each mailbox; it says nothing."""
    recipients: dict[str, list[str]] = {}
    for row in tables.get("admin_aliasrecipient", []):
        recipients.setdefault(values.text(row, "alias_id"), []).append(values.text(row, "address"))
    made = []
    for row in tables.get("admin_alias", []):
        address = values.text(row, "address")
        written = recipients.get(values.text(row, "id"), [])
        targets = tuple(target for target in written if target and not _AUTOREPLY.search(target))
        if values.is_yes(row, "internal", default=False) and set(targets) <= {address}:
            continue
        if values.text(row, "expire_at"):
            source.problems.append(
                Problem("alias", address, "alias-expires", values.text(row, "expire_at"), is_note=True)
            )
        made.append(Alias(address, targets, is_active=values.is_yes(row, "enabled")))
    return made


def _interval(tables: Tables) -> int:
    """Days, of its settings: the tracking period, or the time-out in seconds of older versions."""
    for row in tables.get("core_localconfig", []):
        try:
            settings = json.loads(row.get("_parameters") or "{}")
            days = settings.get("autoreply", {}).get("tracking_period")
            seconds = settings.get("postfix_autoreply", {}).get("autoreplies_timeout")
            if days or seconds:
                return values.days(int(days) * 86_400 if days else int(seconds))
        except (ValueError, TypeError, AttributeError):
            continue
    return 7


def _autoreply(row: Row, addresses: dict[str, str], zone: str, interval: int, source: Source) -> None:
    address = addresses.get(values.text(row, "mbox_id"), "")
    start, end = values.text(row, "fromdate"), values.text(row, "untildate")
    try:
        from_date, to_date = (values.local_time(written, zone, written_in=UTC) for written in (start, end))
    except ValueError:
        source.problems.append(Problem("autoresponder", address, "date-not-understood", f"{start} – {end}"))
        return
    source.responders.append(
        Responder(
            address,
            is_enabled=values.is_yes(row, "enabled"),
            subject=texts.literal(row.get("subject") or "") or texts.DEFAULT_SUBJECT,
            text_body=texts.translated(row.get("content") or "", texts.MODOBOA),
            from_date=from_date,
            to_date=to_date,
            zone=zone,
            interval_days=interval,
        )
    )
