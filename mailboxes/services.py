"""What people and commands do to mailboxes and aliases."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from mailboxes import addresses, foreign_hashes, hashers, passwords, rooms, space
from mailboxes.linking import links
from mailboxes.log import Actor, difference, record
from mailboxes.models import (
    Alias,
    AliasTarget,
    AppPassword,
    Customer,
    Domain,
    Mailbox,
    User,
    validate_local_part,
    validate_new_mailbox,
)

# Targets of an alias: as many as a page or a file of a person may bring, and as many as commands and imports may.
# Postfix leads mail to so many (virtual_alias_expansion_limit, 1,000 unless changed) and keeps it back at more.
MAX_TARGETS, MAX_TARGETS_AT_ALL = 200, 1_000


class MailboxesError(ValueError):
    """What was asked cannot be done; the text says why in one line."""


class AddressTaken(MailboxesError):
    """A mailbox or an alias has the address."""


class NoSpace(MailboxesError):
    """All mailboxes of a domain together may not have so much, or one of them would have no limit."""


@transaction.atomic
def add_mailbox(
    address: str,
    *,
    name: str = "",
    password: str | None = None,
    create_domain: bool = False,
    language: str | None = None,
    time_zone: str | None = None,
    quota_mb: int | None = None,
    actor: Actor = None,
) -> Mailbox:
    """Make a mailbox, and a sign-in of the same address that owns it. `quota_mb` None: the space of the domain's.

    An existing user of that address becomes the owner and keeps the password unless one is given.
    Raises MailboxesError: no such domain, address taken, not an address, weak password, no room left (NoSpace).
    """
    domain, local_part = _domain_and_local_part(address, create_domain=create_domain, actor=actor)
    options = {"language": language, "time_zone": time_zone}
    mailbox = Mailbox(
        domain=domain,
        local_part=local_part,
        name=name,
        quota_mb=quota_mb,
        **{key: value for key, value in options.items() if value},
    )
    mailbox.owner = _owner(f"{local_part}@{domain.name}", name, password, actor)
    refuse_taken(local_part, domain)
    _refuse_too_many(domain, quota_mb)
    _clean(mailbox)
    mailbox.save()
    record(mailbox, "made", actor)
    if words := difference({"quota_mb": None}, {"quota_mb": quota_mb}):
        record(mailbox, words, actor)
    return mailbox


@transaction.atomic
def add_alias(address: str, targets: Iterable[str], *, create_domain: bool = False, actor: Actor = None) -> Alias:
    """Make an alias of mailboxes of ours or outside addresses.

    Raises MailboxesError: address taken, too many targets, one that is no address, that is an alias itself, or
    that lies in a domain of ours without being a mailbox.
    """
    wanted = _wanted(targets)
    domain, local_part = _domain_and_local_part(address, create_domain=create_domain, actor=actor)
    refuse_taken(local_part, domain)
    alias = Alias(domain=domain, local_part=local_part)
    _clean(alias)
    alias.save()
    for target in wanted:
        _add_target(alias, target)
    record(alias, f"made; targets: {', '.join(targets_of(alias))}", actor)
    return alias


def set_language(user: User, language: str, *, actor: Actor) -> None:
    """Keep the language of the pages; empty: as the browser asks."""
    if words := difference({"language": user.language}, {"language": language}):
        user.language = language
        user.save(update_fields=["language"])
        record(user, words, actor)


# What addresses.py, which knows no languages, says of a wrong address: here for the catalogues.
_WRONG_ADDRESS = (
    gettext_noop("an address has the form name@domain"),
    gettext_noop("the part before @ is longer than 64 octets"),
    gettext_noop("the part before @ may hold letters, digits and .!#$%&'*+/=?^_`{|}~-"),
    gettext_noop("the domain is not a valid domain name"),
    gettext_noop("the domain is not a valid international domain name"),
)


def _normalise(address: str) -> str:
    try:
        return addresses.normalise(address)
    except addresses.AddressError as error:
        raise MailboxesError(f"{address}: {_(str(error))}") from error


def _domain_and_local_part(address: str, *, create_domain: bool, actor: Actor) -> tuple[Domain, str]:
    local_part, name = addresses.split(_normalise(address))
    domain = Domain.objects.filter(name=name).first()
    if domain is None and not create_domain:
        raise MailboxesError(_("%(name)s is not a domain of this panel") % {"name": name})
    domain = domain or add_domain(name, actor=actor)
    hold([domain.name])  # nobody deletes it while an address is made in it
    domain.refresh_from_db(fields=["deleted_at"])
    refuse_deleted(domain)
    return domain, local_part


@transaction.atomic
def add_domain(name: str, *, customer: Customer | None = None, actor: Actor = None) -> Domain:
    """Make a domain, by its name in normal form. Raises MailboxesError."""
    if words := words_of_deleted(name):
        raise MailboxesError(words)
    if customer is not None:
        hold_customer(customer)
    domain = Domain(name=name, customer=customer)
    _clean(domain)
    domain.save()
    record(domain, "made", actor)
    return domain


def refuse_deleted(domain: Domain) -> None:
    """Raise MailboxesError where nothing is done to the domain or made in it, for it is deleted."""
    if domain.deleted_at is not None:
        raise MailboxesError(_("%(domain)s was deleted: bring it back first.") % {"domain": domain})


def hold_customer(customer: Customer) -> None:
    """Lock it until the transaction ends, so that nobody deletes it meanwhile. Raises MailboxesError: it is deleted."""
    there = Customer.objects.select_for_update(no_key=True).filter(pk=customer.pk).first()
    if there is None or there.deleted_at is not None:
        raise MailboxesError(_("%(customer)s was deleted.") % {"customer": customer})


def words_of_deleted(name: str) -> str:
    """What is said to whoever wants to add the domain and may know that it is here, deleted; empty: it is not."""
    domain = Domain.objects.filter(name=name, deleted_at__isnull=False).first()
    if domain is None or domain.deleted_at is None:
        return ""
    if domain.is_going:
        return _("%(domain)s was deleted and is being removed for good. Try again in an hour.") % {"domain": domain}
    words = _(
        "%(domain)s was deleted here, and can be brought back with all that was in it until %(day)s. To begin with it "
        "anew, delete it for good first."
    )
    day = date_format(timezone.localtime(domain.gone_from), "j E Y")
    return words % {"domain": domain, "day": day}


def deliverable(typed: str, domain: Domain) -> str:
    """What was typed before the @, in normal form. Raises MailboxesError: mail servers would not deliver to it."""
    address = addresses.normal_form_or_none(f"{typed.strip()}@{domain.name}")
    local_part = addresses.split(address)[0] if address else ""
    try:
        validate_local_part(local_part)
    except ValidationError as error:
        raise MailboxesError(_("Use letters without accents, digits and . _ + -")) from error
    return local_part


def deliverable_mailbox(typed: str, domain: Domain) -> str:
    """The same for a mailbox. Raises MailboxesError, also where mail to it would go to another one, or to none."""
    local_part = deliverable(typed, domain)
    try:
        validate_new_mailbox(local_part)
    except ValidationError as error:
        raise MailboxesError(" ".join(error.messages)) from error
    return local_part


def refuse_taken(local_part: str, domain: Domain) -> None:
    """Raise AddressTaken where a mailbox or an alias has the address."""
    for words in taken([f"{local_part}@{domain.name}"]).values():
        raise AddressTaken(words)


def taken(some: Iterable[str]) -> dict[str, str]:
    """Those of the addresses that a mailbox or an alias has, each with words that say so."""
    wanted = set(some)
    aliases = Alias.objects.filter(address__in=wanted).values_list("address", flat=True)
    mailboxes = Mailbox.objects.filter(address__in=wanted).values_list("address", flat=True)
    found = {address: _("%(address)s is an alias already") % {"address": address} for address in aliases}
    return found | {address: _("%(address)s is a mailbox already") % {"address": address} for address in mailboxes}


def _refuse_too_many(domain: Domain, quota_mb: int | None) -> None:
    """Two at once wait for each other at the rows of the customer and the domain. Who was deleted counts for days."""
    hold([domain.name])
    if words := rooms.taken(rooms.rooms_in([domain.name]), domain.name):
        raise MailboxesError(words)
    if words := space_problem(domain.name, quota_mb):
        raise NoSpace(words)


def space_problem(domain: str, megabytes: int | None, *, pk: int | None = None) -> str:
    """Why the domain has no mailbox of such a space to give; `pk`: to that one, instead of what it has. Empty: it has.

    None: the domain's space of each. The domain is held from here on, and what there is read then.
    """
    hold([domain])
    before = space.limited_in([domain]).get(domain)
    if before is None:
        return ""
    rest = before
    for present in Mailbox.objects.filter(pk=pk or 0, domain__name=domain).values_list("quota_mb", flat=True):
        rest = rest.without_mailbox(present)
    return space.refusal(before, rest.with_mailbox(megabytes))


def hold(names: Iterable[str]) -> None:
    """Lock these domains and whose they are until the transaction ends: always in this order, so that of two who want
    several none waits for the other for ever.
    """
    domains = Domain.objects.filter(name__in=list(names)).order_by("pk")
    owners = Customer.objects.filter(pk__in=domains.order_by().values("customer")).order_by("pk")
    list(owners.select_for_update(no_key=True).values_list("pk"))
    list(domains.select_for_update(no_key=True).values_list("pk"))


@transaction.atomic
def set_limits(mailbox: Mailbox, of_mailbox: int | None, of_domain: int | None, *, actor: Actor) -> None:
    """Replies an hour of the mailbox, and of its whole domain; None is as usual, 0 no limit. The log tells of it."""
    rows: tuple[tuple[Mailbox | Domain, int | None], ...] = ((mailbox, of_mailbox), (mailbox.domain, of_domain))
    for row, limit in rows:
        if words := difference({"replies_per_hour": row.replies_per_hour}, {"replies_per_hour": limit}):
            row.replies_per_hour = limit
            row.save(update_fields=["replies_per_hour"])
            record(row, words, actor)


@transaction.atomic
def set_sending_limits(mailbox: Mailbox, per_hour: int | None, per_day: int | None, *, actor: Actor) -> None:
    """To how many recipients its mail programs may send; None is as usual, 0 no limit. The log tells of it."""
    change_mailbox(mailbox, actor=actor, recipients_per_hour=per_hour, recipients_per_day=per_day)


@transaction.atomic
def change_mailbox(mailbox: Mailbox, *, actor: Actor, **changes: Any) -> None:
    """Set fields of the mailbox: name, language, is_active, limits. The log tells of it.

    Raises MailboxesError: it is suspended or deleted, and receives mail when that ends; NoSpace.
    """
    if changes.get("is_active") and (mailbox.suspended_at is not None or mailbox.deleted_at is not None):
        raise MailboxesError(_("The mailbox is suspended or deleted: end that first."))
    words = difference({name: getattr(mailbox, name) for name in changes}, changes)
    if not words:
        return
    if "quota_mb" in changes and (problem := space_problem(mailbox.domain_id, changes["quota_mb"], pk=mailbox.pk)):
        raise NoSpace(problem)
    for name, value in changes.items():
        setattr(mailbox, name, value)
    mailbox.save(update_fields=list(changes))
    record(mailbox, words, actor)
    if "owner" in changes:
        links.end_of_mailbox(mailbox, actor=actor)


@transaction.atomic
def give_password(mailbox: Mailbox, *, now: datetime, actor: Actor) -> str:
    """A new password for the owner, made by chance; whoever is signed in as them is signed out. Returns it.

    The passwords of mail programs, links and the calendar feed end, too: it may be that somebody else made them.
    """
    owner = mailbox.owner or _owner(mailbox.address, mailbox.name, None, actor)
    if mailbox.owner_id is None:
        mailbox.owner = owner
        mailbox.save(update_fields=["owner"])
    password = passwords.by_chance()
    owner.set_password(password)
    owner.save(update_fields=["password"])
    record(mailbox, f"new password for {owner.email}", actor)
    end_secrets(owner, now=now, actor=actor)
    return password


@transaction.atomic
def end_secrets(owner: User, *, now: datetime, actor: Actor) -> None:
    """Of what was made with the old password nothing opens any more: passwords of mail programs, the calendar feed,
    links to the person's mailboxes and of others to the person's sign-in.
    """
    owner.password_given_at = now
    owner.save(update_fields=["password_given_at"])
    links.end_of_person(owner, actor=actor)
    for row in owner.app_passwords.select_related("mailbox"):
        end_app_password(row, actor=actor)


def disconnect_programs(owner: User) -> None:
    """The owner changed the password: mail programs that are signed in with the old one sign in again.

    Of what somebody else changes the database's triggers tell.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_notify('mail_sign_outs', address) FROM mailboxes_mailbox WHERE owner_id = %s", [owner.pk]
        )


def end_app_password(row: AppPassword, *, actor: Actor) -> None:
    """The program that has it signs in no more."""
    record(row.mailbox, f"password of a mail program ended: {row.name}", actor)
    row.delete()


@transaction.atomic
def take_password(
    mailbox: Mailbox, taken: foreign_hashes.Taken, *, overwrite: bool = False, actor: Actor = None
) -> bool:
    """Let the owner sign in with the password behind a hash that another system made; whether it is so now.

    An owner who has a password keeps it unless `overwrite`; staff and administrators of customers always do.
    """
    owner = mailbox.owner
    if owner is None:
        return False
    has_more_rights = owner.is_staff or owner.is_superuser or owner.administers.exists()
    if owner.has_usable_password() and (has_more_rights or not overwrite):
        return False
    owner.password = hashers.stored_form(taken)
    owner.save(update_fields=["password"])
    record(mailbox, f"password of {owner.email} taken over", actor)
    links.end_of_person(owner, actor=actor)
    return True


@transaction.atomic
def set_sign_in(mailbox: Mailbox, *, allowed: bool, actor: Actor) -> bool:
    """Let the owner sign in, to the panel and by IMAP, or not. Whether anything changed."""
    owner = mailbox.owner
    if owner is None or owner.is_active == allowed:
        return False
    owner.is_active, owner.is_blocked_by_staff = allowed, False
    owner.save(update_fields=["is_active", "is_blocked_by_staff"])
    record(mailbox, f"{owner.email} may sign in" if allowed else f"{owner.email} may not sign in", actor)
    return True


@transaction.atomic
def set_successor(mailbox: Mailbox, successor: Mailbox | None, since: datetime | None, *, actor: Actor) -> None:
    """Let mail go to another mailbox from a moment (UTC) on; None: it stays."""
    mailbox.successor, mailbox.successor_from = successor, since
    mailbox.save(update_fields=["successor", "successor_from"])
    record(mailbox, f"successor: {successor or '–'} from {since or '–'}", actor)


def group_targets(mailbox: Mailbox) -> list[AliasTarget]:
    """Where aliases of several recipients lead to the mailbox: those whose owner must say whether they count as own."""
    targets = mailbox.alias_targets.select_related("alias").order_by("alias__address")
    others = AliasTarget.objects.filter(alias=OuterRef("alias")).exclude(pk=OuterRef("pk"))
    return list(targets.filter(Exists(others)))


def _owner(address: str, name: str, password: str | None, actor: Actor) -> User:
    user = User.objects.filter(email=address).first() or User(email=address, name=name)
    if password is not None:
        try:
            validate_password(password, user)
        except ValidationError as error:
            raise MailboxesError(" ".join(error.messages)) from error
        user.set_password(password)
        if user.pk is not None:
            links.end_of_person(user, actor=actor)
    elif user.pk is None:
        user.set_unusable_password()
    user.save()
    return user


@transaction.atomic
def set_targets(alias: Alias, targets: Iterable[str], *, actor: Actor) -> None:
    """Let the alias lead there and nowhere else; who stays keeps whether it counts as an own address.

    Raises MailboxesError as add_alias does.
    """
    wanted = set(_wanted(targets))
    rows = {_address_of(target): target for target in alias.targets.select_related("mailbox")}
    if rows.keys() == wanted:
        return
    for address in sorted(rows.keys() - wanted):
        rows[address].delete()
    for address in sorted(wanted - rows.keys()):
        _add_target(alias, address)
    record(alias, f"targets: {', '.join(sorted(rows))} → {', '.join(sorted(wanted))}", actor)


def targets_of(alias: Alias) -> list[str]:
    """The addresses that it leads to."""
    return sorted(_address_of(target) for target in alias.targets.select_related("mailbox"))


@transaction.atomic
def change_alias(alias: Alias, *, is_active: bool, actor: Actor) -> None:
    """Let it receive mail, or not."""
    if alias.is_active != is_active:
        alias.is_active = is_active
        alias.save(update_fields=["is_active"])
        record(alias, f"is_active: {is_active}", actor)


def _address_of(target: AliasTarget) -> str:
    return str(target.mailbox.address) if target.mailbox else target.outside_address


def _wanted(targets: Iterable[str]) -> list[str]:
    wanted = list(dict.fromkeys(_normalise(target) for target in targets))
    if not wanted:
        raise MailboxesError(_("an alias needs at least one target"))
    if words := too_many_targets(len(wanted), MAX_TARGETS_AT_ALL):
        raise MailboxesError(words)
    return wanted


def too_many_targets(count: int, most: int) -> str:
    """Why an alias cannot have so many; empty: it can."""
    return _("There are more than %(most)s targets.") % {"most": most} if count > most else ""


def _add_target(alias: Alias, target: str) -> None:
    mailbox = check_target(target, alias.domain)
    AliasTarget.objects.create(alias=alias, mailbox=mailbox, outside_address="" if mailbox else target)


def check_target(typed: str, domain: Domain | None = None) -> Mailbox | None:
    """The mailbox that an alias of the domain may lead to by this address; None: elsewhere. Raises MailboxesError.

    Another company's address is elsewhere, whether somebody has it or not: nobody finds out by asking. Without a
    domain every one of the panel counts: for those who may see them all.
    """
    target = _normalise(typed)
    name = addresses.split(target)[1]
    words = {"target": target}
    if name == settings.AUTOREPLY_DOMAIN:
        raise MailboxesError(_("%(target)s is in the panel's own domain, for copies of messages") % words)
    ours = Domain.objects.filter(name=name, deleted_at=None)  # mail to one that was deleted goes where the DNS says
    if not (ours if domain is None else ours.filter(customer=domain.customer_id)).exists():
        return None
    mailbox = Mailbox.objects.filter(address=target, deleted_at=None).first()
    if mailbox is None and Alias.objects.filter(address=target).exists():
        raise MailboxesError(_("%(target)s is an alias itself; name the mailboxes behind it") % words)
    if mailbox is None:
        raise MailboxesError(_("%(target)s is in a domain of this panel, but no mailbox has that address") % words)
    return mailbox


def _clean(row: Mailbox | Alias | Domain) -> None:
    try:
        row.full_clean(exclude=["address"])  # an address is made by the database
    except ValidationError as error:
        raise MailboxesError(" ".join(error.messages)) from error
