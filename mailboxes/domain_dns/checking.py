"""Look at the DNS of a hosted domain and keep what was seen; turns.py says when."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from mailboxes.domain_dns import changes, examine, sentences
from mailboxes.domain_dns.asker import asker
from mailboxes.domain_dns.changes import Known
from mailboxes.domain_dns.expected import DkimKey, Installation, Service
from mailboxes.domain_dns.fetcher import fetch
from mailboxes.domain_dns.records import Answer, Finding, Record, State
from mailboxes.log import BY_ITSELF
from mailboxes.models import Domain, DomainHealth, DomainRecord, DomainRecordChange
from mailboxes.signing import dkim

ASKED_LATELY = timedelta(seconds=30)
HISTORY_KEPT = timedelta(days=400)


def installation() -> Installation:
    """What the settings say."""
    return Installation(
        mx_hosts=_hosts(settings.MX_HOSTS),
        sending_hosts=_hosts(settings.SENDING_HOSTS),
        spf_include=_host(settings.SPF_INCLUDE),
        services=tuple(_services()),
        web_host=_host(urlsplit(settings.PANEL_URL).hostname or ""),
        reports_to=settings.DNS_REPORTS_TO,
        mta_sts_mode=settings.MTA_STS_MODE,
    )


def _services() -> Iterator[Service]:
    """Those that are offered, TLS from the first octet before the other way (RFC 8314 §3)."""
    submission = _host(settings.SUBMISSION_HOST)
    offered = [
        Service("_submissions._tcp", submission, settings.SUBMISSIONS_PORT),
        Service("_imaps._tcp", _host(settings.IMAP_HOST), settings.IMAPS_PORT),
        Service("_submission._tcp", submission, settings.SUBMISSION_PORT),
    ]
    yield from (service for service in offered if service.port)


def _hosts(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(_host(name) for name in names)


def _host(name: str) -> str:
    return name.strip().rstrip(".").lower()


def keys_of(domain: Domain) -> tuple[DkimKey, ...]:
    """The keys whose records have to be in the DNS now."""
    return tuple(DkimKey(selector, value) for selector, value in dkim.published(domain))


def look(name: str, keys: tuple[DkimKey, ...]) -> list[Finding]:
    """Ask the DNS about a domain. Seconds may pass; nothing is kept."""
    ask = examine.remembering(asker(settings.DNS_SERVER))
    return examine.examine(examine.Question(name, installation(), keys, ask, fetch))


def unasked(domain: Domain) -> list[Finding]:
    """What must be there, nobody having looked: the state of what would be asked for is UNKNOWN."""
    question = examine.Question(
        domain.name, installation(), keys_of(domain), lambda _name, _kind: Answer(trouble=examine.NOT_ASKED), fetch
    )
    return [
        replace(one, reason=examine.NOT_ASKED, found=()) if one.state is State.UNKNOWN else one
        for one in examine.examine(question)
    ]


def check(domain: Domain, *, now: datetime) -> list[Finding]:
    """Look at a domain and keep what was seen."""
    seen = look(domain.name, keys_of(domain))
    record(domain, seen, now)
    return seen


@transaction.atomic
def record(domain: Domain, seen: list[Finding], now: datetime) -> DomainHealth | None:
    """Keep what a check saw that began at `now`. Two at once wait for each other; None: the domain is gone."""
    if not Domain.objects.filter(pk=domain.pk).exists():
        return None
    DomainHealth.objects.get_or_create(domain=domain, defaults={"next_check_at": now})
    health = DomainHealth.objects.select_for_update().get(domain=domain)
    before = {row.item: row for row in health.records.all()}
    rows = [_learnt(health, before.get(one.item), place, one, now) for place, one in enumerate(seen)]
    health.records.exclude(item__in=[one.item for one in seen]).delete()
    asked = [one for one in seen if one.publish]  # a key that was never made is missing without being asked for
    all_silent = bool(asked) and all(one.state is State.UNKNOWN for one in asked)
    health.checked_at = now
    health.silent_since = (health.silent_since or now) if all_silent else None
    health.next_check_at = _next_check(health, rows, now)
    health.broken_since = min((row.broke_at for row in rows if row.broke_at), default=None)
    health.save(update_fields=["checked_at", "silent_since", "next_check_at", "broken_since"])
    _let_sign(domain, seen, now)
    return health


def _let_sign(domain: Domain, seen: list[Finding], now: datetime) -> None:
    """Keys that wait and whose record was seen here: also after nobody looks for theirs alone any more."""
    there = [one.item.partition(":")[2] for one in seen if one.kind == "dkim" and one.state is State.OK]
    for key in domain.dkim_keys.filter(selector__in=there, signs_since=None).order_by("created_at"):
        dkim.let_sign(key, now=now, actor=BY_ITSELF)


def _next_check(health: DomainHealth, rows: list[DomainRecord], now: datetime) -> datetime:
    """At once where somebody asked for it after this check had begun: they changed something, and wait."""
    if health.wanted_at is not None and health.wanted_at > now:
        return health.wanted_at
    return changes.next_check([known_of(row) for row in rows], now)


def _learnt(health: DomainHealth, row: DomainRecord | None, place: int, seen: Finding, now: datetime) -> DomainRecord:
    row = row or DomainRecord(health=health, item=seen.item)
    before = known_of(row) if row.pk else Known()
    after = changes.learn(before, seen, now)
    for name in _KNOWN:
        setattr(row, name, getattr(after, name))
    row.found, row.place, row.last_state = list(after.found), place, seen.state
    row.publish = [[record.name, record.type, record.value] for record in seen.publish]
    if after.broke_at is None:
        row.told_at = None
    row.save()
    if changes.is_news(before, after):
        DomainRecordChange.objects.create(
            health=health, item=seen.item, state=after.state, reason=after.reason, found=row.found, at=now
        )
    return row


_KNOWN = [field.name for field in fields(Known)]


def known_of(row: DomainRecord) -> Known:
    """The row as a value."""
    values = {name: getattr(row, name) for name in _KNOWN}
    return Known(**values | {"state": State(row.state), "found": tuple(row.found)})


def shown_finding(row: DomainRecord) -> Finding:
    """What the last check saw, as it is kept; where it could not be asked, what was known before."""
    publish = tuple(Record(*values) for values in row.publish)
    return Finding(row.item, State(row.state), row.reason, tuple(row.found), publish)


def want(domain: Domain, now: datetime) -> bool:
    """That somebody wants the domain looked at again; False: somebody did half a minute ago."""
    health, _is_new = DomainHealth.objects.get_or_create(domain=domain, defaults={"next_check_at": now})
    asked_long_ago = Q(wanted_at=None) | Q(wanted_at__lt=now - ASKED_LATELY)
    return bool(DomainHealth.objects.filter(asked_long_ago, pk=health.pk).update(wanted_at=now, next_check_at=now))


def forget_old_history(now: datetime) -> int:
    """Delete lines of the history that are over a year old; what is known of each thing stays."""
    return DomainRecordChange.objects.filter(at__lt=now - HISTORY_KEPT).delete()[0]


@dataclass(frozen=True)
class Summary:
    """A domain's DNS in a few lines: title, state and sentence of what is needed and not right, or broke."""

    checked_at: datetime | None
    is_silent: bool
    bad: list[tuple[str, str, str]]


def summary(domain: Domain) -> Summary:
    """As the last check left it."""
    health = DomainHealth.objects.filter(domain=domain).first()
    if health is None:
        return Summary(None, is_silent=False, bad=[])
    rows = [(row, shown_finding(row)) for row in health.records.all()]
    bad = [finding for row, finding in rows if row.broke_at or _harms(finding)]
    words = [(sentences.title(one), str(sentences.STATES[one.state]), sentences.sentence(one)) for one in bad]
    return Summary(health.checked_at, health.silent_since is not None, words)


def _harms(finding: Finding) -> bool:
    return finding.kind in examine.NEEDED and finding.state in {State.MISSING, State.WRONG}
