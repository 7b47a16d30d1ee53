"""PostfixAdmin's tables (3.x and 4.x). Pure: rows in, facts out.

Dates of a vacation are moments: a TIMESTAMP of MySQL, which comes with its offset, or one with a zone of PostgreSQL
(vacation.pl compares them with NOW()); of SQLite they are in the zone of that server. activefrom 2000-01-01 and
activeuntil 2038-01-18, each in that zone, are the schema's ways to say that there is no such end. interval_time is in
seconds; 0 answers each sender once.
"""

import re

from importing import texts, values
from importing.dumps import Tables
from importing.facts import Alias, Domain, DomainAlias, Mailbox, Problem, Responder, Source
from importing.values import Row

WANTED = {
    "domain": frozenset({"domain", "mailboxes", "maxquota", "quota", "transport", "backupmx", "active"}),
    "mailbox": frozenset({"username", "password", "name", "quota", "active", "smtp_active", "totp_secret"}),
    "alias": frozenset({"address", "goto", "active"}),
    "alias_domain": frozenset({"alias_domain", "target_domain", "active"}),
    "vacation": frozenset(
        {"email", "subject", "body", "activefrom", "activeuntil", "interval_time", "active"}
    ),
    "fetchmail": frozenset({"mailbox", "src_server"}),
    "mailbox_app_password": frozenset({"username", "description"}),
}  # fmt: skip
REQUIRED = ("domain", "mailbox")
# How a mailbox's alias leads to vacation.pl: anna#firma.pl@autoreply.firma.pl
_VACATION = re.compile(r"[^@\s]+#[^@\s]+@[^@\s]+")
_NO_START, _NO_END = 2000, 2037  # years: up to it, from it on
# Delivery on the host itself; everything else hands the domain's mail on.
_HERE = re.compile(r"(?:virtual|local|dovecot|maildrop|lmtp:unix|lmtp:inet:(?:127\.|localhost|\[::1\])).*|")


def read(tables: Tables, *, zone: str, password_scheme: str = "CRYPT") -> Source:  # noqa: S107 (the name of a scheme)
    """All that PostfixAdmin keeps. Quotas of mailboxes are in octets, those of domains in MB."""
    source = Source()
    for row in tables.get("domain", []):
        _domain(row, source)
    source.mailboxes = [_mailbox(row, password_scheme) for row in tables.get("mailbox", [])]
    source.problems += [problem for row in tables.get("mailbox", []) for problem in _not_of_ours(row)]
    for row in tables.get("fetchmail", []):
        server = values.text(row, "src_server")
        source.problems.append(Problem("mailbox", values.text(row, "mailbox"), "fetched-from-elsewhere", server))
    for row in tables.get("mailbox_app_password", []):
        name = values.text(row, "description")
        source.problems.append(Problem("password", values.text(row, "username"), "password-of-a-program", name))
    source.aliases = [_alias(row) for row in tables.get("alias", [])]
    for row in tables.get("alias_domain", []):
        name, target = values.text(row, "alias_domain"), values.text(row, "target_domain")
        if values.is_yes(row, "active"):
            source.domain_aliases.append(DomainAlias(name, target))
        else:
            source.problems.append(Problem("domain", name, "domain-alias-switched-off", target))
    for row in tables.get("vacation", []):
        _vacation(row, zone, source)
    return source


def _domain(row: Row, source: Source) -> None:
    name = values.text(row, "domain")
    if name.upper() == "ALL":  # what super-administrators have
        return
    if values.is_yes(row, "backupmx", default=False):
        source.problems.append(Problem("domain", name, "backup-mx"))
        return
    transport, total = values.text(row, "transport"), values.number(row, "quota")
    if not _HERE.fullmatch(transport):
        source.problems.append(Problem("domain", name, "delivered-elsewhere", transport, is_note=True))
    most = values.number(row, "mailboxes")
    megabytes = values.number(row, "maxquota")
    source.domains.append(
        Domain(
            name,
            is_active=values.is_yes(row, "active"),
            quota_mb=megabytes if megabytes > 0 else None,
            max_mailboxes=None if most == 0 else max(most, 0),
            total_quota_mb=total if total > 0 else None,
        )
    )


def _mailbox(row: Row, password_scheme: str) -> Mailbox:
    return Mailbox(
        values.text(row, "username"),
        name=values.text(row, "name"),
        password=values.text(row, "password"),
        password_scheme=password_scheme,
        quota_mb=values.megabytes(values.number(row, "quota")),
        is_active=values.is_yes(row, "active"),
    )


def _not_of_ours(row: Row) -> list[Problem]:
    """What a mailbox has there and not here."""
    address = values.text(row, "username")
    found = []
    if not values.is_yes(row, "smtp_active"):
        found.append(Problem("mailbox", address, "services-switched-off", "SMTP", is_note=True))
    if values.text(row, "totp_secret"):
        found.append(Problem("password", address, "second-factor", is_note=True))
    return found


def _alias(row: Row) -> Alias:
    targets = [target.strip() for target in re.split(r"[,\n]", row.get("goto") or "") if target.strip()]
    return Alias(
        values.text(row, "address"),
        tuple(target for target in targets if not _VACATION.fullmatch(target)),
        is_active=values.is_yes(row, "active"),
    )


def _vacation(row: Row, zone: str, source: Source) -> None:
    address = values.text(row, "email")
    start, end = values.text(row, "activefrom"), values.text(row, "activeuntil")
    try:
        from_date, to_date = values.local_time(start, zone), values.local_time(end, zone)
    except ValueError:
        source.problems.append(Problem("autoresponder", address, "date-not-understood", f"{start} – {end}"))
        return
    seconds = values.number(row, "interval_time")
    source.responders.append(
        Responder(
            address,
            is_enabled=values.is_yes(row, "active"),
            subject=texts.translated(row.get("subject") or "", texts.POSTFIXADMIN) or texts.DEFAULT_SUBJECT,
            text_body=texts.literal(row.get("body") or ""),
            from_date=from_date if from_date and from_date.year > _NO_START else None,
            to_date=to_date if to_date and to_date.year < _NO_END else None,
            zone=zone,
            interval_days=values.days(seconds) if seconds else 7,
            answers_once=seconds == 0 and row.get("interval_time") is not None,
        )
    )
