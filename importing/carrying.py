"""Carries a settled source over, domain by domain, each in a transaction: killed half-way it is begun again.

Without `applies` nothing is written and the items say what would be. What is there already is never made twice, and
stays as it is unless `overwrites`. Two passes: an alias may lead to a mailbox of another domain.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from django.core.exceptions import ValidationError
from django.db import DataError, IntegrityError, transaction
from django.db.models import Prefetch

from importing import comparing, facts, wanted
from importing.items import Item, State, left_out, note, of_problem
from importing.texts import has_broken_letters
from mailboxes import addresses, hosting, services, space
from mailboxes.log import IMPORT, record
from mailboxes.models import LANGUAGES, Alias, AliasTarget, Customer, Domain, Mailbox, validate_domain_name
from responders import services as responders
from responders.models import Responder
from responders.validation import ResponderInvalid, as_input, own_addresses

_REFUSED = (services.MailboxesError, ResponderInvalid, ValidationError, IntegrityError, DataError)


@dataclass(frozen=True)
class Options:
    """`now` is the database's time; `zone` that of new mailboxes."""

    now: datetime
    zone: str
    applies: bool = False
    overwrites: bool = False
    keeps_weak_passwords: bool = False
    leaves_out_expired: bool = False


class Carrier:
    """One run over one source."""

    def __init__(self, source: facts.Source, options: Options) -> None:
        self._source, self._options = source, options
        self._coming = {mailbox.address for mailbox in source.mailboxes}
        self._domains = {domain.name for domain in source.domains}
        self._room: int | None = None  # how many more mailboxes the domain at hand takes; None: any number
        self._space: space.Space | None = None  # what they may have together, where there is such a limit
        self._aliases_of: dict[str, set[str]] = defaultdict(set)
        for alias in source.aliases:
            if len(alias.targets) == 1:
                self._aliases_of[alias.targets[0]].add(alias.address)

    def items(self) -> Iterator[Item]:
        """What is found and done, as it happens; each domain's when its transaction is over."""
        yield from map(of_problem, self._source.problems)
        yield from self._together(self._customers, self._source.customers)
        mailboxes = _by_domain(self._source.mailboxes)
        answering = _by_domain(self._source.responders)
        domains = {domain.name: domain for domain in self._source.domains}
        for name in sorted({*domains, *mailboxes, *answering}):
            yield from self._together(self._domain, name, domains.get(name), mailboxes[name], answering[name])
        aliases = _by_domain(self._source.aliases)
        for name in sorted(aliases):
            yield from self._together(self._aliases, name, aliases[name])
        for catch_all in self._source.catch_alls:
            yield from self._together(self._catch_all, catch_all)

    def _together(self, do: Callable[..., Iterator[Item]], *about: Any) -> list[Item]:
        """In one transaction; in a dry run none is needed."""
        if not self._options.applies:
            return list(do(*about))
        with transaction.atomic():
            return list(do(*about))

    def _make(self, item: Item, do: Callable[[], object]) -> Item:
        """Do it, if this is no dry run; what cannot be done says why and undoes itself alone."""
        if not self._options.applies:
            return item
        try:
            with transaction.atomic():
                do()
        except _REFUSED as error:
            return left_out(item.kind, item.name, "refused", comparing.error_in_words(error))
        return item

    def _compared(self, kind: str, name: str, differs: list[str], overwrite: Callable[[], object]) -> Item:
        """Of something that is there already."""
        if not differs:
            return Item(State.SAME, kind, name)
        if self._options.overwrites:
            return self._make(Item(State.CHANGED, kind, name, detail=", ".join(differs)), overwrite)
        return Item(State.DIFFERS, kind, name, "is-here-otherwise", ", ".join(differs))

    # --- Customers, domains, mailboxes ---

    def _customers(self, customers: list[facts.Customer]) -> Iterator[Item]:
        there = dict(Customer.objects.values_list("number", "name"))
        for customer in customers:
            label = f"{customer.name} ({customer.number})"
            if customer.number in there:
                yield Item(State.SAME, "customer", label)
                continue
            made = Customer(number=customer.number, name=customer.name)
            yield self._make(Item(State.NEW, "customer", label), partial(_make_customer, made))

    def _domain(
        self, name: str, domain: facts.Domain | None, mailboxes: list[facts.Mailbox], answering: list[facts.Responder]
    ) -> Iterator[Item]:
        row = Domain.objects.filter(name=name).select_related("customer").first()
        is_new = row is None
        self._room, self._space = _room_in(row), space.limited_in([name]).get(name)
        if domain is None and row is not None and row.deleted_at is not None:
            yield left_out("domain", name, "was-deleted-here")
            return
        if domain is not None:
            row, item = self._one_domain(row, domain)
            yield item
            if item.state is State.LEFT_OUT:
                return
        there = _mailboxes_of(name)
        taken = set(Alias.objects.filter(domain__name=name).values_list("address", flat=True))
        for mailbox in mailboxes:
            yield from self._mailbox(mailbox, there, taken)
        for responder in answering:
            yield from self._responder(responder, there)
        if is_new and row is not None and domain is not None and domain.max_mailboxes is not None:
            hosting.set_domain(row, actor=IMPORT, max_mailboxes=domain.max_mailboxes)
        if domain is not None and (is_new or self._options.overwrites):
            yield from self._total(row, domain, mailboxes)

    def _total(self, row: Domain | None, domain: facts.Domain, mailboxes: list[facts.Mailbox]) -> Iterator[Item]:
        """What all mailboxes may have together, now that they are there; each of them needs a limit for that."""
        total, default = domain.total_quota_mb, domain.quota_mb or (row.quota_mb if row is not None else None)
        if total is None:
            return
        unlimited = _without_limit(row, mailboxes) if default is None else []
        if unlimited:
            yield left_out("domain", domain.name, "space-of-a-domain", f"{total} MB; without a limit: {unlimited[0]}")
        elif row is not None:
            item = self._make(
                Item(State.NEW, "domain", domain.name),
                lambda: hosting.set_domain(row, actor=IMPORT, total_quota_mb=total),
            )
            yield from [item] if item.state is State.LEFT_OUT else []

    def _one_domain(self, row: Domain | None, domain: facts.Domain) -> tuple[Domain | None, Item]:
        """The row, if there is one now."""
        if row is not None and row.deleted_at is not None:
            return None, left_out("domain", domain.name, "was-deleted-here")
        if row is not None:
            differs, now = comparing.of_domain(row, domain), self._options.now
            return row, self._compared("domain", domain.name, differs, lambda: _set_domain(row, domain, now))
        made: list[Domain] = []
        if trouble := _trouble_with_domain(domain.name):
            return None, left_out("domain", domain.name, "refused", trouble)
        item = self._make(Item(State.NEW, "domain", domain.name), lambda: made.append(self._make_domain(domain)))
        return (made[0] if made else None), item

    def _make_domain(self, domain: facts.Domain) -> Domain:
        customer = Customer.objects.filter(number=domain.customer).first() if domain.customer else None
        row = services.add_domain(domain.name, customer=customer, actor=IMPORT)
        if domain.quota_mb is not None:
            hosting.set_domain(row, actor=IMPORT, quota_mb=domain.quota_mb)
        if not domain.is_active:
            hosting.suspend(row, now=self._options.now, actor=IMPORT)
        return row

    def _mailbox(self, mailbox: facts.Mailbox, there: dict[str, Mailbox], taken: set[str]) -> Iterator[Item]:
        row = there.get(mailbox.address)
        if mailbox.address in taken or (row is not None and row.deleted_at is not None):
            self._coming.discard(mailbox.address)
            yield left_out("mailbox", mailbox.address, "was-deleted-here" if row is not None else "is-an-alias-here")
        elif row is not None:
            differs = comparing.of_mailbox(row, mailbox)
            yield self._compared("mailbox", mailbox.address, differs, lambda: self._set_mailbox(row, mailbox))
            yield from self._password(row, mailbox)
        else:
            yield from self._new_mailbox(mailbox, there)
        if has_broken_letters(mailbox.name):
            yield note("mailbox", mailbox.address, "broken-letters", mailbox.name)

    def _new_mailbox(self, mailbox: facts.Mailbox, there: dict[str, Mailbox]) -> Iterator[Item]:
        trouble = _trouble_with_address(mailbox.address, services.deliverable_mailbox) or (
            "the domain is full" if self._room == 0 else ""
        )
        after = self._space.with_mailbox(mailbox.quota_mb) if self._space else None
        if self._space and after:
            trouble = trouble or space.refusal(self._space, after)
        if trouble:
            self._coming.discard(mailbox.address)
            yield left_out("mailbox", mailbox.address, "refused", trouble)
            return
        item = self._make(
            Item(State.NEW, "mailbox", mailbox.address, detail=comparing.mailbox_in_words(mailbox)),
            lambda: there.update({mailbox.address: self._make_mailbox(mailbox)}),
        )
        yield item
        if item.state is State.NEW:
            self._room, self._space = None if self._room is None else self._room - 1, after
            yield from self._password(there.get(mailbox.address), mailbox)

    def _make_mailbox(self, mailbox: facts.Mailbox) -> Mailbox:
        language = mailbox.language if mailbox.language in dict(LANGUAGES) else None
        row = services.add_mailbox(
            mailbox.address,
            name=wanted.name_of(mailbox),
            language=language,
            time_zone=self._options.zone,
            quota_mb=mailbox.quota_mb,
            actor=IMPORT,
        )
        if not mailbox.is_active:
            hosting.suspend(row, now=self._options.now, actor=IMPORT)
        return row

    def _set_mailbox(self, row: Mailbox, mailbox: facts.Mailbox) -> None:
        if wanted.name_of(mailbox):
            services.change_mailbox(row, actor=IMPORT, name=wanted.name_of(mailbox))
        if mailbox.quota_mb is not None:
            hosting.set_quota(row, mailbox.quota_mb, actor=IMPORT)
        _set_activity(row, mailbox.is_active, self._options.now)

    def _password(self, row: Mailbox | None, mailbox: facts.Mailbox) -> Iterator[Item]:
        """Of a new sign-in; whoever has a password here keeps it, unless it is to be overwritten."""
        owner = row.owner if row is not None else None
        has_one = owner is not None and owner.has_usable_password()
        if not mailbox.password or (has_one and not self._options.overwrites):
            if not mailbox.password and not has_one:
                yield left_out("password", mailbox.address, "password-none")
            return
        taken, item = wanted.password_of(mailbox, keeps_weak=self._options.keeps_weak_passwords)
        if item is not None:
            yield item
        if taken is None or row is None or not self._options.applies:
            return
        if not services.take_password(row, taken, overwrite=self._options.overwrites, actor=IMPORT):
            yield note("password", mailbox.address, "password-of-an-account-with-more-rights")

    # --- Autoresponders ---

    def _responder(self, responder: facts.Responder, there: dict[str, Mailbox]) -> Iterator[Item]:
        row = there.get(responder.address)
        if row is None and (self._options.applies or responder.address not in self._coming):
            yield left_out("autoresponder", responder.address, "no-such-mailbox")
            return
        want = wanted.responder_of(responder, self._options.now)
        if want.is_over and self._options.leaves_out_expired:
            yield note("autoresponder", responder.address, "ended-and-left-out", str(responder.to_date))
            return
        rows = list(row.responders.all()) if row is not None else []
        item = self._saved(row or _not_yet(responder.address, self._options.zone), rows, want, responder.address)
        yield item
        if want.is_over and item.state is State.NEW:
            yield note("autoresponder", responder.address, "ended-and-switched-off", str(responder.to_date))
        if has_broken_letters(responder.subject, responder.text_body):
            yield note("autoresponder", responder.address, "broken-letters", responder.subject)
        for address in self._not_own(responder, row):
            yield note("autoresponder", responder.address, "not-an-own-address-here", address)

    def _saved(self, row: Mailbox, rows: list[Responder], want: wanted.WantedResponder, address: str) -> Item:
        differs = [wanted.differing(want, as_input(there)) for there in rows]
        if [] in differs:
            return Item(State.SAME, "autoresponder", address)
        if len(rows) > 1:
            return Item(State.DIFFERS, "autoresponder", address, "has-several-here", str(len(rows)))
        try:
            responders.check(row, want.values, self._options.now, rows[0] if rows else None)
        except ResponderInvalid as error:
            return left_out("autoresponder", address, "refused", comparing.error_in_words(error))
        if rows:
            return self._compared("autoresponder", address, differs[0], lambda: self._save(row, want, rows[0]))
        item = Item(State.NEW, "autoresponder", address, detail=comparing.responder_in_words(want))
        return self._make(item, lambda: self._save(row, want, None))

    def _save(self, row: Mailbox, want: wanted.WantedResponder, there: Responder | None) -> None:
        responders.save_responder(row, want.values, actor=IMPORT, now=self._options.now, responder=there)

    def _not_own(self, responder: facts.Responder, row: Mailbox | None) -> list[str]:
        """Addresses that the source answers for and the panel does not know as the mailbox's own."""
        if not responder.own_addresses:
            return []
        normal = {addresses.normal_form_or_none(one) or one for one in responder.own_addresses}
        known = self._aliases_of[responder.address] | {responder.address}
        known |= set(own_addresses(row)) if row is not None and row.pk else set()
        return sorted(normal - known)

    # --- Aliases ---

    def _aliases(self, name: str, aliases: list[facts.Alias]) -> Iterator[Item]:
        domain = Domain.objects.filter(name=name).first()
        if (self._options.applies and domain is None) or (domain is not None and domain.deleted_at is not None):
            return  # the domain itself was left out, with its reason
        targets = Prefetch("targets", AliasTarget.objects.select_related("mailbox"))
        there = {str(row.address): row for row in Alias.objects.filter(domain__name=name).prefetch_related(targets)}
        mailboxes = set(Mailbox.objects.filter(domain__name=name).values_list("address", flat=True))
        for alias in aliases:
            yield from self._alias(alias, there.get(alias.address), is_mailbox=alias.address in mailboxes)

    def _alias(self, alias: facts.Alias, row: Alias | None, *, is_mailbox: bool) -> Iterator[Item]:
        if is_mailbox:
            yield left_out("alias", alias.address, "is-a-mailbox-here", ", ".join(alias.targets))
            return
        if row is None and (trouble := _trouble_with_address(alias.address)):
            yield left_out("alias", alias.address, "refused", trouble)
            return
        targets = []
        for target in alias.targets:
            trouble = "" if self._is_coming(target) else self._trouble_with(target)
            if trouble:
                yield left_out("alias", alias.address, "target-refused", trouble)
            else:
                targets.append(target)
        if not targets:
            yield left_out("alias", alias.address, "no-target")
        elif row is None:
            item = Item(State.NEW, "alias", alias.address, detail=", ".join(targets)[:300])
            yield self._make(item, lambda: _make_alias(alias, targets))
        else:
            differs = comparing.of_alias(row, alias, targets)
            yield self._compared("alias", alias.address, differs, lambda: _set_alias(row, alias, targets))

    def _trouble_with(self, target: str) -> str:
        try:
            mailbox = services.check_target(target)
        except services.MailboxesError as error:
            return str(error)
        # In a dry run a domain of the source may not be here yet.
        return f"no mailbox has {target}" if mailbox is None and addresses.split(target)[1] in self._domains else ""

    def _is_coming(self, target: str) -> bool:
        """A dry run takes the mailboxes of the source for made."""
        return not self._options.applies and target in self._coming

    def _catch_all(self, catch_all: facts.CatchAll) -> Iterator[Item]:
        domain = Domain.objects.filter(name=catch_all.domain).select_related("catch_all").first()
        if domain is not None and domain.deleted_at is not None:
            return  # the same
        target = Mailbox.objects.filter(address=catch_all.target, deleted_at=None).first()
        if target is None and not self._is_coming(catch_all.target):
            yield left_out("catch-all", catch_all.domain, "catch-all-is-no-mailbox", catch_all.target)
        elif domain is None or domain.catch_all is None:
            item = Item(State.NEW, "catch-all", catch_all.domain, detail=catch_all.target)
            yield self._make(item, lambda: _set_catch_all(catch_all.domain, target))
        else:
            differs = [] if domain.catch_all == target else [f"{domain.catch_all} here"]
            yield self._compared("catch-all", catch_all.domain, differs, lambda: _set_catch_all(domain.name, target))


def _by_domain(things: list[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = defaultdict(list)
    for thing in things:
        found[addresses.split(thing.address)[1]].append(thing)
    return found


def _mailboxes_of(domain: str) -> dict[str, Mailbox]:
    rows = Mailbox.objects.filter(domain__name=domain).select_related("owner", "domain").prefetch_related("responders")
    return {str(row.address): row for row in rows}


def _not_yet(address: str, zone: str) -> Mailbox:
    """A mailbox that a dry run would make, for the checks of its autoresponder."""
    local_part, domain = addresses.split(address)
    return Mailbox(local_part=local_part, domain_id=domain, time_zone=zone)


def _make_customer(customer: Customer) -> None:
    customer.save()
    record(customer, "made", IMPORT)


def _set_domain(row: Domain, domain: facts.Domain, now: datetime) -> None:
    limits = {"quota_mb": domain.quota_mb, "max_mailboxes": domain.max_mailboxes}
    hosting.set_domain(row, actor=IMPORT, **{name: value for name, value in limits.items() if value is not None})
    customer = Customer.objects.filter(number=domain.customer).first() if domain.customer else None
    if customer is not None:
        hosting.set_domain(row, actor=IMPORT, customer=customer)
    _set_activity(row, domain.is_active, now)


def _set_activity(row: Domain | Mailbox, is_active: bool, now: datetime) -> None:
    if not is_active:
        hosting.suspend(row, now=now, actor=IMPORT)
        return
    hosting.resume(row, actor=IMPORT)
    if isinstance(row, Domain):
        hosting.set_domain(row, actor=IMPORT, is_active=True)
    else:
        services.change_mailbox(row, actor=IMPORT, is_active=True)


def _room_in(row: Domain | None) -> int | None:
    """How many more mailboxes the domain may have; None: any number."""
    if row is None or row.max_mailboxes is None:
        return None
    return max(0, row.max_mailboxes - Mailbox.objects.filter(domain=row).count())


def _without_limit(row: Domain | None, mailboxes: list[facts.Mailbox]) -> list[str]:
    """Addresses of mailboxes that have no space of their own, here or in the source."""
    limited = [mailbox.address for mailbox in mailboxes if mailbox.quota_mb is not None]
    here = (
        Mailbox.objects.filter(domain=row, quota_mb=None).exclude(address__in=limited)
        if row
        else Mailbox.objects.none()
    )
    coming = [mailbox.address for mailbox in mailboxes if mailbox.quota_mb is None]
    return sorted([*coming, *here.values_list("address", flat=True)])


def _trouble_with_domain(name: str) -> str:
    try:
        validate_domain_name(name)
    except ValidationError as error:
        return comparing.error_in_words(error)
    return ""


def _trouble_with_address(address: str, check: Callable[[str, Domain], str] = services.deliverable) -> str:
    """Why mail servers would not deliver to it; empty where they do."""
    local_part, domain = addresses.split(address)
    try:
        check(local_part, Domain(name=domain))
    except services.MailboxesError as error:
        return str(error)
    return ""


def _make_alias(alias: facts.Alias, targets: list[str]) -> None:
    row = services.add_alias(alias.address, targets, actor=IMPORT)
    services.change_alias(row, is_active=alias.is_active, actor=IMPORT)


def _set_alias(row: Alias, alias: facts.Alias, targets: list[str]) -> None:
    services.set_targets(row, targets, actor=IMPORT)
    services.change_alias(row, is_active=alias.is_active, actor=IMPORT)


def _set_catch_all(domain: str, target: Mailbox | None) -> None:
    hosting.set_domain(Domain.objects.get(name=domain), actor=IMPORT, catch_all=target)
