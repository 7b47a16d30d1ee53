"""ISPConfig's tables (3.x). Pure: rows in, facts out.

Quotas are in octets, -1 or 0 for none; dates are in the zone of that server. Who owns a domain is in sys_group.
"""

import re

from importing import texts, values
from importing.dumps import Tables
from importing.facts import Alias, Customer, Domain, DomainAlias, Mailbox, Problem, Responder, Source
from importing.values import Row

_SERVICES = ("disableimap", "disablepop3", "disablesmtp")
WANTED = {
    "client": frozenset({"client_id", "company_name", "contact_name", "contact_firstname", "customer_no"}),
    "sys_group": frozenset({"groupid", "client_id"}),
    "mail_domain": frozenset({"domain", "sys_groupid", "active", "local_delivery"}),
    "mail_user": frozenset(
        {
            "email", "password", "name", "quota", "cc", "sender_cc", "autoresponder", "autoresponder_start_date",
            "autoresponder_end_date", "autoresponder_subject", "autoresponder_text", "custom_mailfilter", "postfix",
            *_SERVICES,
        }
    ),
    "mail_forwarding": frozenset({"source", "destination", "type", "active"}),
    "mail_get": frozenset({"destination", "source_server", "active"}),
    "mail_mailinglist": frozenset({"domain", "listname"}),
    "mail_relay_domain": frozenset({"domain"}),
}  # fmt: skip
REQUIRED = ("mail_domain", "mail_user")


def read(tables: Tables, *, zone: str, password_scheme: str = "CRYPT") -> Source:  # noqa: S107 (the name of a scheme)
    """All that ISPConfig keeps of mail, with its clients as customers."""
    source = Source()
    groups = {values.text(row, "groupid"): values.text(row, "client_id") for row in tables.get("sys_group", [])}
    customers = {values.text(row, "client_id"): _customer(row) for row in tables.get("client", [])}
    for row in tables.get("mail_domain", []):
        customer = customers.get(groups.get(values.text(row, "sys_groupid"), ""))
        source.domains.append(
            Domain(values.text(row, "domain"), values.is_yes(row, "active"), customer.number if customer else "")
        )
        if not values.is_yes(row, "local_delivery"):
            source.problems.append(Problem("domain", values.text(row, "domain"), "delivered-elsewhere", is_note=True))
    used = {domain.customer for domain in source.domains}
    source.customers = [customer for customer in customers.values() if customer.number in used]
    for row in tables.get("mail_user", []):
        _mail_user(row, zone, password_scheme, source)
    for row in tables.get("mail_forwarding", []):
        _forwarding(row, source)
    for row in tables.get("mail_get", []):
        server = values.text(row, "source_server")
        source.problems.append(Problem("mailbox", values.text(row, "destination"), "fetched-from-elsewhere", server))
    for row in tables.get("mail_relay_domain", []):
        source.problems.append(Problem("domain", values.text(row, "domain"), "backup-mx"))
    for row in tables.get("mail_mailinglist", []):
        name = f"{values.text(row, 'listname')}@{values.text(row, 'domain')}"
        source.problems.append(Problem("alias", name, "mailing-list"))
    return source


def _customer(row: Row) -> Customer:
    person = f"{values.text(row, 'contact_firstname')} {values.text(row, 'contact_name')}".strip()
    number = values.text(row, "customer_no") or f"ispconfig-{values.text(row, 'client_id')}"
    return Customer(number[:50], (values.text(row, "company_name") or person or number)[:200])


def _mail_user(row: Row, zone: str, password_scheme: str, source: Source) -> None:
    address = values.text(row, "email")
    source.mailboxes.append(
        Mailbox(
            address,
            name=values.text(row, "name"),
            password=values.text(row, "password"),
            password_scheme=password_scheme,
            quota_mb=values.megabytes(values.number(row, "quota")),
            is_active=values.is_yes(row, "postfix"),
        )
    )
    for column, reason in (("cc", "mailbox-forwards"), ("sender_cc", "copies-of-what-is-sent")):
        if elsewhere := values.text(row, column):
            source.problems.append(Problem("alias", address, reason, elsewhere))
    off = [name.removeprefix("disable").upper() for name in _SERVICES if values.is_yes(row, name, default=False)]
    if off:
        source.problems.append(Problem("mailbox", address, "services-switched-off", ", ".join(off), is_note=True))
    if values.text(row, "custom_mailfilter"):
        source.problems.append(Problem("mailbox", address, "filter-rules"))
    _autoresponder(row, address, zone, source)


def _autoresponder(row: Row, address: str, zone: str, source: Source) -> None:
    text = row.get("autoresponder_text") or ""
    if not text.strip():
        return
    start, end = values.text(row, "autoresponder_start_date"), values.text(row, "autoresponder_end_date")
    try:
        from_date, to_date = values.local_time(start, zone), values.local_time(end, zone)
    except ValueError:
        source.problems.append(Problem("autoresponder", address, "date-not-understood", f"{start} – {end}"))
        return
    source.responders.append(
        Responder(
            address,
            is_enabled=values.is_yes(row, "autoresponder", default=False),
            subject=texts.literal(row.get("autoresponder_subject") or "") or texts.DEFAULT_SUBJECT,
            text_body=texts.literal(text),
            from_date=from_date,
            to_date=to_date,
            zone=zone,
        )
    )


def _forwarding(row: Row, source: Source) -> None:
    address, kind = values.text(row, "source"), values.text(row, "type")
    targets = tuple(target for target in re.split(r"[\s,;]+", row.get("destination") or "") if target)
    is_active = values.is_yes(row, "active")
    if kind == "aliasdomain" and targets:
        name, target = address.removeprefix("@"), targets[0].removeprefix("@")
        if is_active:
            source.domain_aliases.append(DomainAlias(name, target))
        else:
            source.problems.append(Problem("domain", name, "domain-alias-switched-off", target))
    else:
        source.aliases.append(Alias(address, targets, is_active))
