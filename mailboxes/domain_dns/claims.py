"""Whose a domain is: a customer says so, and proves it by a record that only the domain's holder can publish.

The token is the claim's own: one that another customer published, or that an earlier claim had, proves nothing.
"""

import hmac
import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import Enum

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Min, Q
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from mailboxes import addresses
from mailboxes.domain_dns.asker import asker
from mailboxes.domain_dns.records import Answer, Ask, Record
from mailboxes.domain_dns.side_by_side import LEASE, Clock, busy_customers, work_off
from mailboxes.log import Actor, By, as_by, record
from mailboxes.models import Customer, Domain, DomainClaim, DomainHealth, validate_domain_name
from mailboxes.services import MailboxesError, hold_customer, words_of_deleted

LABEL, PREFIX = "_webmail-panel", "panel-verify="
Limits = Mapping[str, int | None]
NO_LIMITS: Limits = {"quota_mb": None, "total_quota_mb": None, "max_mailboxes": None}
MAX_CLAIMS = 20  # of one customer at a time
LASTS = timedelta(days=30)
EAGER, EAGER_AGAIN, LATER = timedelta(days=2), timedelta(hours=1), timedelta(hours=12)
RUN_LASTS = timedelta(minutes=1)
ASKED_LATELY = timedelta(seconds=10)


class Outcome(Enum):
    """What a look at the DNS came to."""

    PROVEN = "proven"
    NOT_THERE = "not there"
    NO_ANSWER = "no answer"
    DISPUTED = "disputed"
    TOO_SOON = "too soon"


def record_of(claim: DomainClaim) -> Record:
    """What the domain's holder publishes."""
    return Record(f"{LABEL}.{claim.name}", "TXT", f"{PREFIX}{claim.token}")


def name_typed(typed: str) -> str:
    """A domain name in normal form. Raises MailboxesError: it is none, or it is not for a customer's mail."""
    try:
        name = addresses.normalise_domain(typed.strip().rstrip("."))
        validate_domain_name(name)
    except (addresses.AddressError, ValidationError) as error:
        raise MailboxesError(_("“%(name)s” is not a domain name.") % {"name": typed.strip()[:100]}) from error
    if "." not in name or name.rpartition(".")[2].isdigit():
        raise MailboxesError(_("Write the whole domain, for example firma.pl."))
    own = {host.strip().rstrip(".").lower() for host in (settings.MAIL_HOSTNAME, *settings.MX_HOSTS)}
    if name in own:
        raise MailboxesError(_("This name is the mail server's own."))
    return name


@transaction.atomic
def claim(customer: Customer, typed: str, *, now: datetime, actor: Actor) -> DomainClaim:
    """Say that a domain is the customer's. Raises MailboxesError.

    Whether another customer has the domain, or claims it too, is told to nobody before the proof.
    """
    name = name_typed(typed)
    hold_customer(customer)
    own = Domain.objects.filter(name=name, customer=customer).first()
    if own is not None and own.deleted_at is not None:
        words = _("This domain of yours was deleted, and is kept until %(day)s. Ask our support to bring it back.")
        raise MailboxesError(words % {"day": date_format(timezone.localtime(own.gone_from), "j E Y")})
    if own is not None:
        raise MailboxesError(_("This domain is yours already."))
    present = DomainClaim.objects.filter(customer=customer, name=name).first()
    if present is not None:
        return present
    if customer.claims.count() >= MAX_CLAIMS:
        raise MailboxesError(_("Many domains wait for their proof already: prove or give up one of them first."))
    made = DomainClaim.objects.create(
        customer=customer, name=name, token=secrets.token_hex(16), created_by=as_by(actor).user, created_at=now,
        next_check_at=now + EAGER_AGAIN,
    )  # fmt: skip
    record(customer, f"domain claimed: {name}", actor)
    return made


def usual_limits(customer: Customer | None) -> Limits:
    """What a further domain of the customer begins with: the least of its other domains' limits, each None where none
    of them has one. Without them a customer would leave the limits behind by a subdomain.
    """
    return usual_limits_of([customer.pk]).get(customer.pk, NO_LIMITS) if customer is not None else NO_LIMITS


def usual_limits_of(customers: Iterable[int]) -> dict[int, Limits]:
    """The same of several, by their keys; who has no domains is not among them."""
    rows = Domain.objects.filter(customer__in=list(customers)).order_by().values("customer")
    found = rows.annotate(space=Min("quota_mb"), total=Min("total_quota_mb"), most=Min("max_mailboxes"))
    return {
        pk or 0: {"quota_mb": space, "total_quota_mb": total, "max_mailboxes": most}
        for pk, space, total, most in found.values_list("customer", "space", "total", "most")
    }


@transaction.atomic
def add_domain(customer: Customer | None, typed: str, *, actor: Actor, **limits: int | None) -> Domain:
    """Staff's word counts as proof. Limits that are not named are the customer's usual ones.

    Raises MailboxesError: the panel has the domain, or keeps it for its days after it was deleted.
    """
    if words := words_of_deleted(name_typed(typed)):
        raise MailboxesError(words)
    if customer is not None:
        hold_customer(customer)
    domain = Domain(name=name_typed(typed), customer=customer, **{**usual_limits(customer), **limits})
    try:
        domain.full_clean()
        with transaction.atomic():
            domain.save()
    except (ValidationError, IntegrityError) as error:  # the second: somebody was faster
        raise MailboxesError(_("The panel has this domain already.")) from error
    record(domain, "made", actor)
    return domain


def look_again(row: DomainClaim, *, now: datetime) -> Outcome:
    """Somebody says that the record is there: look, but not more often than every ten seconds."""
    asked_long_ago = Q(asked_at=None) | Q(asked_at__lt=now - ASKED_LATELY)
    if not DomainClaim.objects.filter(asked_long_ago, pk=row.pk).update(asked_at=now):
        return Outcome.TOO_SOON
    return look(row, now=now)


def look(row: DomainClaim, *, now: datetime, ask: Ask | None = None) -> Outcome:
    """Look for the proof in the DNS, and do what follows from it."""
    return _settle(row, _ask_about(row, ask), now)


def _ask_about(row: DomainClaim, ask: Ask | None = None) -> Answer:
    wanted = record_of(row)
    return (ask or asker(settings.DNS_SERVER))(wanted.name, wanted.type)


def _settle(row: DomainClaim, answer: Answer, now: datetime) -> Outcome:
    wanted = record_of(row)
    young = now - row.created_at < EAGER
    DomainClaim.objects.filter(pk=row.pk).update(asked_at=now, next_check_at=now + (EAGER_AGAIN if young else LATER))
    if answer.trouble:
        return Outcome.NO_ANSWER
    if not any(hmac.compare_digest(value.strip().encode(), wanted.value.encode()) for value in answer.values):
        return Outcome.NOT_THERE
    return _prove(row, now)


def _prove(row: DomainClaim, now: datetime) -> Outcome:
    """The first one to get here has the domain: its name is unique, and the database settles the race."""
    try:
        with transaction.atomic():
            there = DomainClaim.objects.select_for_update().filter(pk=row.pk, customer__deleted_at=None)
            if not there.exists():
                return Outcome.NOT_THERE  # given up, or proven by another worker, or its customer deleted, meanwhile
            limits = usual_limits(row.customer)
            domain = Domain.objects.create(name=row.name, customer_id=row.customer_id, proven_at=now, **limits)
            DomainHealth.objects.create(domain=domain, next_check_at=now)
            record(domain, "proven by the DNS", By(row.created_by, way=""))
            row.delete()
    except IntegrityError:
        return _dispute(row, now)
    return Outcome.PROVEN


def _dispute(row: DomainClaim, now: datetime) -> Outcome:
    """The domain is in the panel already, or is kept for its days after it was deleted. It may have been sold; the mail
    in it is somebody's: people decide.
    """
    if Domain.objects.filter(name=row.name, customer_id=row.customer_id, deleted_at=None).exists():
        DomainClaim.objects.filter(pk=row.pk).delete()
        return Outcome.PROVEN
    DomainClaim.objects.filter(pk=row.pk, disputed_at=None).update(disputed_at=now)
    return Outcome.DISPUTED


def give_up(row: DomainClaim, *, actor: Actor) -> None:
    """The customer does not want it any more."""
    record(row.customer, f"claim given up: {row.name}", actor)
    row.delete()


def look_at_due(clock: Clock) -> int:
    """Delete claims that nobody proved in 30 days, look at those whose time has come; return how many were proven."""
    begun = clock()
    DomainClaim.objects.filter(created_at__lt=begun - LASTS, disputed_at=None).delete()
    proven: list[DomainClaim] = []

    def take(underway: Sequence[DomainClaim]) -> DomainClaim | None:
        now = clock()
        return _take_due(now, underway) if now - begun < RUN_LASTS else None

    def keep(row: DomainClaim, answer: Answer) -> None:
        if _settle(row, answer, clock()) is Outcome.PROVEN:
            proven.append(row)

    work_off(take, _ask_about, keep)
    return len(proven)


@transaction.atomic
def _take_due(now: datetime, underway: Sequence[DomainClaim]) -> DomainClaim | None:
    """A claim for this worker alone, until the lease ends."""
    due = DomainClaim.objects.select_for_update(skip_locked=True, of=("self",))
    due = due.filter(next_check_at__lte=now, customer__deleted_at=None)
    due = due.exclude(customer__in=busy_customers([claim.customer_id for claim in underway]))
    row = due.order_by("next_check_at", "pk").first()
    if row is not None:
        DomainClaim.objects.filter(pk=row.pk).update(next_check_at=now + LEASE)
    return row
