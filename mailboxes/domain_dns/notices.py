"""Mail about domains whose DNS broke: to the customer's administrators, or to staff where there are none."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import override

from mailboxes import services
from mailboxes.domain_dns import checking, sentences
from mailboxes.models import Domain, DomainClaim, DomainHealth, DomainRecord
from mailboxes.notice_mail import others_go_on, send

BATCH = 200
ONE_A_DAY = timedelta(hours=20)


def tell_of_broken(now: datetime) -> int:
    """Tell once of everything that broke; return of how many domains. What nobody took is tried again, ever more
    seldom, once a day at last.

    A domain whose DNS comes and goes is told of once a day. Raises OSError, smtplib.SMTPException.
    """
    waiting = DomainRecord.objects.filter(
        Q(health__tell_after=None) | Q(health__tell_after__lte=now),
        broke_at__isnull=False, told_at=None, health__domain__is_active=True,
    )  # fmt: skip
    pks = list(waiting.order_by("health").distinct("health").values_list("health", flat=True)[:BATCH])
    return sum(_tell_of(pk, now) for pk in pks)


@transaction.atomic
def _tell_of(pk: int, now: datetime) -> bool:
    """The mark and the mail together."""
    health = DomainHealth.objects.select_for_update(skip_locked=True, of=("self",)).filter(pk=pk).first()
    if health is None or (health.told_at and now - health.told_at < ONE_A_DAY):
        return False
    rows = list(health.records.filter(broke_at__isnull=False, told_at=None))
    if not rows:
        return False  # another worker was faster
    told = [_tell(health.domain, rows, address, language) for address, language in _whom(health.domain)]
    if told and not any(told):
        _later(health, now)
        return False
    health.told_at, health.tell_after, health.tell_tries = now, None, 0
    health.save(update_fields=["told_at", "tell_after", "tell_tries"])
    health.records.filter(pk__in=[row.pk for row in rows]).update(told_at=now)
    return True


def waits(tries: int) -> timedelta:
    """How long a notice waits that nobody took so many times before: an hour, two, four … a day."""
    return timedelta(hours=min(1 << min(tries, 10), 24))


def _later(row: DomainHealth | DomainClaim, now: datetime) -> None:
    row.tell_after, row.tell_tries = now + waits(row.tell_tries), min(row.tell_tries + 1, 100)
    row.save(update_fields=["tell_after", "tell_tries"])


def _tell(domain: Domain, rows: list[DomainRecord], address: str, language: str) -> bool:
    """Whether the mail server took it: one administrator's full mailbox lets the others hear all the same."""
    with others_go_on(), override(language):
        send(_("The DNS of %(domain)s is broken") % {"domain": domain}, _text(domain, rows), [address])
        return True
    return False


def _whom(domain: Domain) -> list[tuple[str, str]]:
    """Address and language."""
    people = domain.customer.administrators.filter(is_active=True) if domain.customer else []
    found = [(person.email, person.language or settings.DEFAULT_MAILBOX_LANGUAGE) for person in people]
    return found or [(address, "en") for address in settings.STAFF_NOTICES]


def _text(domain: Domain, rows: list[DomainRecord]) -> str:
    parts = [
        _("Something that worked in the DNS of %(domain)s does not work any more. We looked twice.")
        % {"domain": domain}
    ]
    for row in rows:
        finding = checking.shown_finding(row)
        lines = [f"{sentences.title(finding)}: {sentences.STATES[finding.state]}", sentences.sentence(finding)]
        lines += ["", _("Publish:"), *(record.zone_line for record in finding.publish)] if finding.publish else []
        parts.append("\n".join(lines))
    page = f"{settings.PANEL_URL}{reverse('domain_dns', args=[domain.name])}"
    return "\n\n".join([*parts, _("All of it, to copy, and to check again: %(page)s") % {"page": page}]) + "\n"


def tell_of_disputes(now: datetime) -> int:
    """Tell staff once of each proven claim to a domain that is another customer's; return how many."""
    waiting = DomainClaim.objects.filter(
        Q(tell_after=None) | Q(tell_after__lte=now), disputed_at__isnull=False, told_at=None
    )
    return sum(_tell_of_dispute(pk, now) for pk in list(waiting.values_list("pk", flat=True)[:BATCH]))


_HAS_IT = (
    "has it for another customer.\n"
    "Nothing was changed. If the domain changed hands, set its customer in the administration, and see to the "
    "mailboxes in it first.\n"
)
_KEEPS_IT = (
    "keeps it, with what was in it, after it was deleted.\n"
    "Nothing was changed. If the domain changed hands, delete it for good (in the administration, or by the command "
    "domain purge): then the claim is taken by itself. Else bring it back.\n"
)


@transaction.atomic
def _tell_of_dispute(pk: int, now: datetime) -> bool:
    claims = DomainClaim.objects.select_for_update(skip_locked=True, of=("self",)).select_related("customer")
    claim = claims.filter(pk=pk, told_at=None).first()
    if claim is None:
        return False
    begins = f"{claim.customer} proved by the DNS that {claim.name} is theirs, but the panel "
    text = begins + (_KEEPS_IT if services.words_of_deleted(claim.name) else _HAS_IT)
    told = [_send_to(address, f"Two customers want {claim.name}", text) for address in settings.STAFF_NOTICES]
    if told and not any(told):
        _later(claim, now)
        return False
    DomainClaim.objects.filter(pk=pk).update(told_at=claim.disputed_at)
    return True


def _send_to(address: str, subject: str, text: str) -> bool:
    """Whether the mail server took it."""
    with others_go_on():
        send(subject, text, [address])
        return True
    return False
