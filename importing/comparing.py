"""What stands in the panel beside what the source says, in names of fields and in words. Changes nothing."""

from django.core.exceptions import ValidationError

from importing import facts, wanted
from mailboxes.models import Alias, Domain, Mailbox


def of_domain(row: Domain, domain: facts.Domain) -> list[str]:
    names = ("quota_mb", "total_quota_mb", "max_mailboxes")
    pairs = {name: (getattr(domain, name), getattr(row, name)) for name in names}
    differs = [name for name, (there, here) in pairs.items() if there is not None and there != here]
    if domain.customer and (row.customer is None or row.customer.number != domain.customer):
        differs.append("customer")
    return differs + (["is_active"] if domain.is_active != row.is_active else [])


def of_mailbox(row: Mailbox, mailbox: facts.Mailbox) -> list[str]:
    name = wanted.name_of(mailbox)
    pairs = {"name": (name or row.name, row.name), "quota_mb": (mailbox.quota_mb or row.quota_mb, row.quota_mb)}
    pairs |= {"is_active": (mailbox.is_active, row.is_active)}
    return [name for name, (there, here) in pairs.items() if there != here]


def mailbox_in_words(mailbox: facts.Mailbox) -> str:
    words = [wanted.name_of(mailbox), f"{mailbox.quota_mb} MB" if mailbox.quota_mb else ""]
    return ", ".join(word for word in [*words, "" if mailbox.is_active else "suspended"] if word)


def responder_in_words(want: wanted.WantedResponder) -> str:
    values = want.values
    dates = [str(one) for one in (values.from_date, values.to_date)] if values.from_date or values.to_date else []
    return ", ".join([values.type, "on" if values.is_enabled else "off", *([" – ".join(dates)] if dates else [])])


def of_alias(row: Alias, alias: facts.Alias, targets: list[str]) -> list[str]:
    there = {str(one.mailbox.address) if one.mailbox else one.outside_address for one in row.targets.all()}
    differs = [] if there == set(targets) else ["targets"]
    return differs + (["is_active"] if row.is_active != alias.is_active else [])


def error_in_words(error: Exception) -> str:
    """One line; a database's says its constraint, not the row."""
    if isinstance(error, ValidationError):
        return " ".join(error.messages)
    return str(error).partition("\n")[0]
