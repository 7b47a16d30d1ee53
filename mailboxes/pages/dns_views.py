"""What must stand in the DNS of a domain and what does; new domains and the proof of whose they are."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods
from kombu.exceptions import OperationalError

from mailboxes import access, services, tasks
from mailboxes.domain_dns import checking, claims, examine, sentences
from mailboxes.domain_dns.records import Finding, State
from mailboxes.log import by
from mailboxes.models import Customer, Domain, DomainClaim, DomainHealth
from mailboxes.pages.dns_forms import NewDomainForm
from mailboxes.pages.hosting_views import of_domain

HISTORY_SHOWN = 30
# A check takes less; one that is not back by then is not waited for.
WAITED_FOR = timedelta(minutes=2)
ICONS = {State.OK: "check-lg", State.MISSING: "dash-lg", State.WRONG: "exclamation-triangle", State.UNKNOWN: "clock"}
SAID: dict[claims.Outcome, tuple[Callable[[HttpRequest, Any], None], Any]] = {
    claims.Outcome.PROVEN: (messages.success, gettext_lazy("Proven: the domain is yours. Now make its mailboxes.")),
    claims.Outcome.NOT_THERE: (
        messages.warning,
        gettext_lazy("The record is not there yet. A new record may take an hour to be seen; we go on looking."),
    ),
    claims.Outcome.NO_ANSWER: (
        messages.warning, gettext_lazy("The domain's name server did not answer. We go on looking."),
    ),
    claims.Outcome.DISPUTED: (
        messages.warning,
        gettext_lazy("The record is right, but somebody else has the domain here. Our support was told of it."),
    ),
    claims.Outcome.TOO_SOON: (messages.info, gettext_lazy("We looked a moment ago. Wait ten seconds.")),
}  # fmt: skip


@of_domain
def domain_dns(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Findings, records to copy, history. POST asks for another look, by a task: name servers may be slow."""
    now = timezone.now()
    if request.method == "POST":
        _look_again(request, domain, now)
        return redirect("domain_dns", domain.name)
    health = DomainHealth.objects.filter(domain=domain).first()
    context = {
        "domain": domain, "health": health, "is_at_work": health is not None and _is_at_work(health, now),
        "is_support": access.is_support(request.user), **_findings(domain, health),
    }  # fmt: skip
    name = "mailboxes/dns_state.html" if request.headers.get("HX-Request") else "mailboxes/dns.html"
    return render(request, name, context)


def _look_again(request: HttpRequest, domain: Domain, now: datetime) -> None:
    if checking.want(domain, now):
        transaction.on_commit(lambda: _hand_to_worker(domain.pk))
    else:
        messages.info(request, _("We looked a moment ago. Wait half a minute."))


def _hand_to_worker(pk: int) -> None:
    """Where the broker is down, the task that runs every few minutes takes the domain up."""
    try:
        tasks.check_domain.delay(pk)
    except OperationalError:
        tasks.log.warning("the broker is away: the DNS of a domain is looked at later")


def _is_at_work(health: DomainHealth, now: datetime) -> bool:
    wanted = health.wanted_at
    if wanted is None or now - wanted > WAITED_FOR:
        return False
    return health.checked_at is None or health.checked_at < wanted


def _findings(domain: Domain, health: DomainHealth | None) -> dict[str, Any]:
    """What the last check saw; before the first one what must be there."""
    rows = list(health.records.all()) if health else []
    shown = [_shown(checking.shown_finding(row), row.last_state, row.since, row.broke_at) for row in rows]
    shown = shown or [_shown(finding, finding.state, None, None) for finding in checking.unasked(domain)]
    changes = list(health.changes.all()[:HISTORY_SHOWN]) if health else []
    return {
        "needed": [one for one in shown if one["finding"].kind in examine.NEEDED],
        "good_to_have": [one for one in shown if one["finding"].kind not in examine.NEEDED],
        "zone_lines": [record.zone_line for one in shown for record in one["finding"].publish],
        "changes": [_shown(Finding(row.item, State(row.state), row.reason), row.state, row.at, None)
                    for row in changes],
    }  # fmt: skip


def _shown(finding: Finding, last_state: str, since: datetime | None, broke_at: datetime | None) -> dict[str, Any]:
    state = State(last_state)
    is_asked = finding.reason != examine.NOT_ASKED
    is_silent = state is State.UNKNOWN and is_asked
    return {
        "finding": finding, "state": state, "icon": ICONS[state],
        "label": sentences.STATES[state] if is_asked else sentences.NOT_LOOKED_AT,
        "title": sentences.title(finding), "since": since, "broke_at": broke_at,
        "sentence": sentences.NOT_ANSWERED if is_silent else sentences.sentence(finding),
        "before": sentences.sentence(finding) if is_silent and finding.state is not State.UNKNOWN else "",
        "asks_to_publish": bool(finding.publish) and finding.state is not State.OK,
    }  # fmt: skip


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def domain_new(request: HttpRequest) -> HttpResponse:
    """A new domain: staff's is there at once, a customer's waits for its proof."""
    if not access.may_add_domains(request.user):
        raise Http404
    is_support = access.is_support(request.user)
    customers = access.customers_administered_by(request.user)
    form = NewDomainForm(request.POST or None, customers=customers, is_support=is_support)
    if request.method == "POST" and form.is_valid():
        try:
            return _add(request, form.whose(), form.cleaned_data["name"], is_support=is_support)
        except services.MailboxesError as error:
            form.add_error("name", str(error))
    context = {"form": form, "is_support": is_support}
    return render(request, "mailboxes/domain_new.html", context, status=422 if form.errors else 200)


def _add(request: HttpRequest, customer: Customer | None, name: str, *, is_support: bool) -> HttpResponse:
    if is_support:
        domain = claims.add_domain(customer, name, actor=by(request))
        return redirect("domain_dns", domain.name)
    if customer is None:
        raise Http404
    claim = claims.claim(customer, name, now=timezone.now(), actor=by(request))
    return redirect("domain_claim", claim.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def domain_claim(request: HttpRequest, pk: int) -> HttpResponse:
    """What proves that the domain is the customer's. POST looks for it; POST `give_up` ends the claim."""
    claim = get_object_or_404(access.claims_of(request.user).select_related("customer"), pk=pk)
    if "give_up" in request.POST:
        claims.give_up(claim, actor=by(request))
        messages.success(request, _("%(domain)s does not wait for its proof any more.") % {"domain": claim})
        return redirect("domains")
    if request.method == "POST":
        return _look_for_proof(request, claim)
    record = claims.record_of(claim)
    context = {"claim": claim, "record": record, "until": claim.created_at + claims.LASTS}
    return render(request, "mailboxes/claim.html", context)


def _look_for_proof(request: HttpRequest, claim: DomainClaim) -> HttpResponse:
    pk, name = claim.pk, claim.name
    outcome = claims.look_again(claim, now=timezone.now())
    say, words = SAID[outcome]
    say(request, words)
    return redirect("domain_dns", name) if outcome is claims.Outcome.PROVEN else redirect("domain_claim", pk)
