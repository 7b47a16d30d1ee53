"""Mail from the panel to people: to owners in their language, to the operator's staff in English."""

from collections.abc import Iterator
from datetime import datetime, time, timedelta

from django.conf import settings
from django.core import signing
from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, override

from mailboxes.models import Mailbox, SendingStop
from mailboxes.notice_mail import others_go_on, send
from responders import history, sentences, undo
from responders.core import schedule
from responders.core.facts import Reason
from responders.models import ChangeNotice, Decision, DrawnBrake, Notice, Responder, ResponderEvent
from responders.reasons import SENTENCES
from responders.services import database_now

NEWS_LASTS = timedelta(days=1)
EVENING = time(18)
EVENING_BEFORE = timedelta(hours=31)  # from 18:00 to midnight of the next day, with an hour for a change of the clock
TWO_WEEKS = timedelta(days=14)
END_SALT = "responders.end"
UNDO_SALT = "responders.undo"
END_LINK_LASTS = timedelta(days=60)
BATCH = 1_000
SENDERS_SHOWN = 100
# Nobody reads in a mailbox that was deleted, alone or with its domain.
THERE = {"mailbox__deleted_at": None, "mailbox__domain__deleted_at": None}


def tell_of_drawn_brakes() -> int:
    """Tell owner and staff of each drawing once; return how many. What could not be sent is tried at the next call."""
    told = 0
    for pk in DrawnBrake.objects.filter(told_at=None).values_list("pk", flat=True):
        with transaction.atomic():
            waiting = DrawnBrake.objects.select_for_update(skip_locked=True).select_related("mailbox")
            row = waiting.filter(pk=pk, told_at=None).first()
            if row is None:  # another worker's
                continue
            _tell_of(row)
            row.told_at = database_now()
            row.save(update_fields=["told_at"])
        told += 1
    return told


def _tell_of(row: DrawnBrake) -> None:
    if not row.is_of_domain:
        with others_go_on(), override(row.mailbox.language):
            send(_("The brake on your autoresponder"), _brake_text(row), [row.mailbox.address])
    with override("en"):
        send(f"Brake drawn: {row}", _brake_text(row), settings.STAFF_NOTICES)


def _brake_text(row: DrawnBrake) -> str:
    values = {"name": row, "count": row.replies_per_hour}
    happened = _(
        "%(name)s sent %(count)d automatic replies within an hour. That is as many as are allowed, so further messages "
        "get none until there is room again; mail itself is not touched."
    )
    meaning = _(
        "It happens when another machine answers the replies, or when a great many people write at once. The mailbox's "
        "page shows who wrote."
    )
    return f"{happened % values}\n\n{meaning}\n"


def tell_of_stopped_senders() -> int:
    """Tell owner and staff of each stop once; return how many. What could not be sent is tried at the next call."""
    told = 0
    for pk in SendingStop.objects.filter(told_at=None).values_list("pk", flat=True):
        with transaction.atomic():
            waiting = SendingStop.objects.select_for_update(of=("self",), skip_locked=True).select_related("mailbox")
            row = waiting.filter(pk=pk, told_at=None).first()
            if row is None:  # another worker's
                continue
            with others_go_on(), override(row.mailbox.language):
                send(_("Your mailbox sends no more for now"), _stop_text(row), [row.mailbox.address])
            with override("en"):
                send(f"Sending stopped: {row}", _stop_text(row), settings.STAFF_NOTICES)
            SendingStop.objects.filter(pk=pk).update(told_at=database_now())
        told += 1
    return told


def _stop_text(row: SendingStop) -> str:
    hour, day = _("within an hour"), _("within a day")
    happened = _("%(name)s wrote to %(count)d recipients %(span)s, as many as are allowed. More are refused for now.")
    values = {"name": row, "count": row.recipients, "span": hour if row.hours == 1 else day}
    meaning = _(
        "If that was you, wait, or ask your mail provider for another limit. If not, somebody else has the password: "
        "change it now, in the panel, and end the passwords of mail programs that you do not know."
    )
    return f"{happened % values}\n\n{meaning}\n\n{settings.PANEL_URL}{reverse('account')}\n"


def send_due(now: datetime) -> int:
    """Send every notice that is due and wanted and was not sent yet; return how many."""
    sent = sum(_send_once(row, kind, about, now) for row, kind, about in _due(now))
    return sent + sum(_tell_of_change(pk, now) for pk in _untold_changes(now))


def end_link(row: Responder) -> str:
    """A link that offers to end the responder without signing in; void once another activation began, or the mailbox
    has another owner.
    """
    token = signing.dumps([row.pk, row.activation, row.mailbox.owner_id], salt=END_SALT)
    return f"{settings.PANEL_URL}{reverse('responder_end', args=[token])}"


def responder_of(token: str) -> Responder | None:
    """The responder that a link from a notice may end; None where the link is void."""
    try:
        pk, activation, *owner = signing.loads(token, salt=END_SALT, max_age=END_LINK_LASTS)
    except signing.BadSignature:
        return None
    row = Responder.objects.select_related("mailbox").filter(pk=pk, activation=activation).first()
    return row if row is not None and _is_still(row.mailbox, owner) else None


def _is_still(mailbox: Mailbox, owner: list[int | None]) -> bool:
    """Whether the mailbox is theirs to whom the link was sent; links of earlier versions do not say to whom."""
    return not owner or owner == [mailbox.owner_id]


def undo_link(event: ResponderEvent) -> str:
    """A link that offers to take a change of staff's back without signing in; void once the mailbox is another's."""
    token = signing.dumps([event.pk, event.standing_mailbox().owner_id], salt=UNDO_SALT)
    return f"{settings.PANEL_URL}{reverse('change_undo', args=[token])}"


def event_of(token: str) -> ResponderEvent | None:
    """The change that a link from a notice may take back; None where the link is void."""
    try:
        said = signing.loads(token, salt=UNDO_SALT, max_age=undo.UNDO_LASTS)
    except signing.BadSignature:
        return None
    pk, *owner = said if isinstance(said, list) else [said]
    rows = ResponderEvent.objects.select_related("mailbox__owner", "responder", "undone_by")
    found = rows.filter(pk=pk).exclude(reason="").filter(mailbox__isnull=False).first()
    return found if found is not None and _is_still(found.standing_mailbox(), owner) else None


def _untold_changes(now: datetime) -> list[int]:
    """What staff changed for owners who do not know it yet."""
    recent = ResponderEvent.objects.exclude(reason="").filter(
        at__gt=now - undo.UNDO_LASTS, notice=None, mailbox__isnull=False
    )
    return list(recent.order_by("at").values_list("pk", flat=True)[:BATCH])


def _tell_of_change(pk: int, now: datetime) -> int:
    with others_go_on(), transaction.atomic():
        event = ResponderEvent.objects.select_related("mailbox", "responder", "actor").get(pk=pk)
        _notice, is_new = ChangeNotice.objects.get_or_create(event=event, defaults={"sent_at": now})
        if is_new:
            mailbox = event.standing_mailbox()
            with override(mailbox.language):
                subject = _subject_of_change(event)
                send(subject, _change_text(event, mailbox, now), [mailbox.address])
        return int(is_new)
    return 0


def _subject_of_change(event: ResponderEvent) -> str:
    if event.kind == ResponderEvent.Kind.MAILBOX:
        return _("Your mailbox was changed for you")
    return _("Your autoresponder was changed for you")


def _what_was_changed(event: ResponderEvent) -> str:
    if event.kind == ResponderEvent.Kind.MAILBOX:
        return _("%(who)s changed the settings of %(mailbox)s for you on %(when)s (%(zone)s).")
    return _("%(who)s changed the autoresponder “%(subject)s” of %(mailbox)s for you on %(when)s (%(zone)s): %(what)s.")


def _line_of_change(event: ResponderEvent, change: history.Change) -> str:
    is_gone = event.kind == ResponderEvent.Kind.DELETED
    return f"{change.field}: {change.before}" + ("" if is_gone else f" → {change.after}")


def _change_text(event: ResponderEvent, mailbox: Mailbox, now: datetime) -> str:
    words = {
        "who": event.actor.get_full_name() if event.actor else _("Support staff"),
        "subject": history.subject(event), "mailbox": mailbox, "what": event.get_kind_display(),
        "when": sentences.long_time(schedule.to_local(event.at, mailbox.time_zone)),
        "zone": sentences.zone_name(mailbox.time_zone), "reason": event.reason,
    }  # fmt: skip
    parts = [
        _what_was_changed(event) % words,
        _("The reason given: %(reason)s") % words,
        "\n".join(_line_of_change(event, change) for change in history.changes(event)),
    ]
    if undo.may_be_undone(event, now):
        parts += [_("Take it back, within 14 days: %(link)s") % {"link": undo_link(event)}]
    page = f"{settings.PANEL_URL}{reverse('mailbox', args=[mailbox.pk])}"
    return "\n\n".join([*filter(None, parts), _("Your mailbox in the panel: %(page)s") % {"page": page}]) + "\n"


def _due(now: datetime) -> Iterator[tuple[Responder, Notice.Kind, datetime]]:
    yield from _moved_by_the_clock(now)
    yield from _ending(now)
    yield from _without_an_end(now)


def _moved_by_the_clock(now: datetime) -> Iterator[tuple[Responder, Notice.Kind, datetime]]:
    """What started or ended within a day. Older news is none: the worker was away."""
    told = Notice.objects.filter(responder=OuterRef("responder"), kind=OuterRef("kind"), about=OuterRef("at"))
    wanted = Q(kind="started", mailbox__notify_started=True) | Q(kind="ended", mailbox__notify_ended=True)
    events = ResponderEvent.objects.filter(wanted, at__gt=now - NEWS_LASTS, responder__isnull=False, **THERE)
    events = events.exclude(Exists(told)).select_related("responder__mailbox").order_by("at")
    for event in events[:BATCH]:
        if event.responder is not None:
            yield event.responder, Notice.Kind(event.kind), event.at


def _ending(now: datetime) -> Iterator[tuple[Responder, Notice.Kind, datetime]]:
    told = Notice.objects.filter(responder=OuterRef("pk"), kind=Notice.Kind.ENDING, about=OuterRef("to_utc"))
    rows = Responder.objects.filter(
        is_enabled=True, state="active", next_transition_at__range=(now, now + EVENING_BEFORE),
        mailbox__notify_ending=True, **THERE,
    )  # fmt: skip
    for row in rows.exclude(Exists(told)).select_related("mailbox")[:BATCH]:
        if row.to_date is None or row.to_utc is None:
            continue
        evening = schedule.to_utc(datetime.combine(row.to_date - timedelta(days=1), EVENING), row.time_zone)
        if evening <= now and (row.from_utc is None or row.from_utc < evening):
            yield row, Notice.Kind.ENDING, row.to_utc


def _without_an_end(now: datetime) -> Iterator[tuple[Responder, Notice.Kind, datetime]]:
    rows = Responder.objects.filter(
        type="absence", is_enabled=True, state="active", to_utc=None, state_changed_at__lte=now - TWO_WEEKS,
        mailbox__notify_still_on=True, **THERE,
    )  # fmt: skip
    for row in rows.select_related("mailbox").iterator():
        since = row.state_changed_at or row.created_at
        about = since + (now - since) // TWO_WEEKS * TWO_WEEKS
        if not row.notices.filter(kind=Notice.Kind.STILL_ON, about=about).exists():
            yield row, Notice.Kind.STILL_ON, about


def _send_once(row: Responder, kind: Notice.Kind, about: datetime, now: datetime) -> int:
    """The row and the mail together: what could not be sent is tried again, what was sent is not sent twice."""
    with others_go_on(), transaction.atomic():
        _notice, is_new = Notice.objects.get_or_create(responder=row, kind=kind, about=about, defaults={"sent_at": now})
        if not is_new:  # another worker's
            return 0
        with override(row.mailbox.language):
            subject, text = _WORDS[kind](row)
            send(subject, f"{text}\n\n{_footer(row)}\n", [row.mailbox.address])
        return 1
    return 0


def _started(row: Responder) -> tuple[str, str]:
    text = _("From now on “%(subject)s” answers for %(mailbox)s, %(window)s (%(zone)s).\n\nEnd it: %(link)s")
    return _("Your autoresponder is on"), text % _values(row)


def _ended(row: Responder) -> tuple[str, str]:
    text = _("“%(subject)s” does not answer for %(mailbox)s any more.") % _values(row)
    return _("Your autoresponder has ended"), f"{text}\n\n{_digest(row)}"


def _ending_tomorrow(row: Responder) -> tuple[str, str]:
    text = _(
        "“%(subject)s” answers for %(mailbox)s until %(end)s (%(zone)s).\n\nIs that still right? Change it: %(page)s\n"
        "End it now: %(link)s"
    )
    return _("Your autoresponder ends tomorrow"), text % _values(row)


def _still_on(row: Responder) -> tuple[str, str]:
    text = _(
        "“%(subject)s” still answers for %(mailbox)s, and it has no end.\n\nEnd it now: %(link)s\n"
        "Give it an end: %(page)s"
    )
    return _("Is your autoresponder still needed?"), text % _values(row)


_WORDS = {
    Notice.Kind.STARTED: _started,
    Notice.Kind.ENDED: _ended,
    Notice.Kind.ENDING: _ending_tomorrow,
    Notice.Kind.STILL_ON: _still_on,
}


def _values(row: Responder) -> dict[str, str]:
    return {
        "subject": row.title,
        "mailbox": str(row.mailbox),
        "window": sentences.window_sentence(row),
        "end": sentences.long_time(row.to_date) if row.to_date else "",
        "zone": sentences.zone_name(row.time_zone),
        "link": end_link(row),
        "page": f"{settings.PANEL_URL}{reverse('responder_edit', args=[row.pk])}",
    }


def _digest(row: Responder) -> str:
    """Whom it answered, how often, and why others got nothing."""
    decisions = Decision.objects.filter(mailbox=row.mailbox_id, decided_at__gte=row.from_utc or row.created_at)
    if row.to_utc:
        decisions = decisions.filter(decided_at__lt=row.to_utc)
    answered = decisions.filter(reason=Reason.REPLIED.value)
    senders = list(answered.values_list("reverse_path").annotate(n=Count("pk")).order_by("-n", "reverse_path"))
    count = len(senders)
    lines = [ngettext("It answered %(count)d person:", "It answered %(count)d people:", count) % {"count": count}]
    lines = lines if senders else [_("It answered nobody.")]
    lines += [f"  {sender}" + (f" ({times}×)" if times > 1 else "") for sender, times in senders[:SENDERS_SHOWN]]
    lines += ["  …"] if count > SENDERS_SHOWN else []
    silent = decisions.exclude(reason=Reason.REPLIED.value).values_list("reason").annotate(n=Count("pk"))
    reasons = [f"  {times}× {_sentence(reason)}" for reason, times in silent.order_by("-n")]
    return "\n".join([*lines, "", _("Without an answer:"), *reasons] if reasons else lines)


def _sentence(reason: str) -> str:
    return str(SENTENCES[Reason(reason)]) if reason in set(Reason) else reason


def _footer(row: Responder) -> str:
    page = f"{settings.PANEL_URL}{reverse('notices', args=[row.mailbox_id])}"
    return _("Which notices you get: %(page)s") % {"page": page}
