"""The mails that tell the one side of a link what the other did."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import override

from mailboxes import access, time_zones
from mailboxes.linking import links
from mailboxes.models import MailboxLink
from mailboxes.notice_mail import others_go_on, send

BATCH = 200
NEWS_LASTS = timedelta(days=7)  # older news is none: the worker was away
ENDED_BY_OWNERS_SIDE = {
    links.End.OWNER, links.End.MANAGER, links.End.NOTICE, links.End.PASSWORD, links.End.MOVED,
}  # fmt: skip


def tell(now: datetime) -> int:
    """Send what was not told yet, each in a transaction of its own; return how many. Raises OSError."""
    recent = now - NEWS_LASTS
    made = MailboxLink.objects.filter(told_at=None, ended_at=None, made_at__gt=recent)
    ended = MailboxLink.objects.filter(end_told_at=None, ended_at__gt=recent)
    told = sum(_tell_of_start(pk, now) for pk in list(made.order_by("pk").values_list("pk", flat=True)[:BATCH]))
    return told + sum(_tell_of_end(pk, now) for pk in list(ended.order_by("pk").values_list("pk", flat=True)[:BATCH]))


def _locked(pk: int, **still: None) -> MailboxLink | None:
    """Another worker may have it, or the person may be ending it at this moment."""
    rows = MailboxLink.objects.select_for_update(skip_locked=True, of=("self",))
    return rows.select_related("mailbox__domain__customer", "user", "owner").filter(pk=pk, **still).first()


def _tell_of_start(pk: int, now: datetime) -> int:
    """To the mailbox, in its language: who has it, since when, and how to end that. Of a mailbox that got a sign-in of
    its own: to whose it was.
    """
    row = None
    with others_go_on(), transaction.atomic():
        row = _locked(pk, told_at=None, ended_at=None)
        if row is None:
            return 0
        MailboxLink.objects.filter(pk=pk).update(told_at=now)
        if row.is_of_parting:
            with override(row.user.language or settings.LANGUAGE_CODE):
                send(_("A mailbox of yours has a password of its own"), parting_text(row), [row.user.email])
            return 1
        with override(row.mailbox.language):
            send(_("Another sign-in opens your mailbox"), start_text(row), [row.mailbox.address])
        _tell_company(row)
        return 1
    return _give_up(pk, now, "told_at")


def parting_text(row: MailboxLink) -> str:
    """In the active language; times in the mailbox's zone."""
    words = {
        "who": row.user.email, "mailbox": row.mailbox, "when": _moment(row, row.made_at),
        "zone": time_zones.city(row.mailbox.time_zone),
    }  # fmt: skip
    happened = _(
        "On %(when)s (%(zone)s) somebody who looks after the mailbox %(mailbox)s gave it a password of its own. Until "
        "then it had the password of your sign-in, %(who)s, which is as it was."
    )
    means = _(
        "You go on seeing it in the panel beside your own mailboxes, and set its autoresponders. Mail programs that "
        "sign in to it with your password stop: they need the new one. Whoever looks after your mailboxes knows it."
    )
    unknown = _("If you do not know why, ask them. Linked mailboxes in the panel: %(page)s")
    page = f"{settings.PANEL_URL}{reverse('account_links')}"
    return "\n\n".join([happened % words, means, unknown % {"page": page}]) + "\n"


def _tell_company(row: MailboxLink) -> None:
    """To its administrators, each in their language, where who linked the mailbox has none of the company."""
    company = row.mailbox.domain.customer
    if company is None or access.colleagues_of(row.mailbox).filter(owner=row.user).exists():
        return
    for person in company.administrators.filter(is_active=True).exclude(pk__in=[row.user_id, row.owner_id]):
        with others_go_on(), override(person.language or settings.LANGUAGE_CODE):
            send(_("A sign-in from outside opens a mailbox of your company"), company_text(row), [person.email])


def company_text(row: MailboxLink) -> str:
    """In the active language; times in the mailbox's zone."""
    happened = _(
        "On %(when)s (%(zone)s) somebody who signs in as %(who)s and has no mailbox of your company added %(mailbox)s: "
        "they showed its password."
    ) % {
        "who": row.user.email, "mailbox": row.mailbox, "when": _moment(row, row.made_at),
        "zone": time_zones.city(row.mailbox.time_zone),
    }  # fmt: skip
    means = _(
        "A person may open several mailboxes with one sign-in. If this should not be, end it on the page “Settings of "
        "the mailbox”; a new password, which is given there, ends it, too."
    )
    page = f"{settings.PANEL_URL}{reverse('mailbox_settings', args=[row.mailbox_id])}"
    return f"{happened}\n\n{means}\n\n{page}\n"


def _tell_of_end(pk: int, now: datetime) -> int:
    """To the side that did not end it."""
    with others_go_on(), transaction.atomic():
        row = _locked(pk, end_told_at=None)
        if row is None:
            return 0
        MailboxLink.objects.filter(pk=pk).update(end_told_at=now)
        to_linker = row.end in ENDED_BY_OWNERS_SIDE
        language = (row.user.language or settings.LANGUAGE_CODE) if to_linker else row.mailbox.language
        with override(language):
            send(
                _("A mailbox is linked no more"), end_text(row), [row.user.email if to_linker else row.mailbox.address]
            )
        return 1
    return _give_up(pk, now, "end_told_at")


def _give_up(pk: int, now: datetime, column: str) -> int:
    """The address takes no mail; the pages tell of it all the same."""
    MailboxLink.objects.filter(pk=pk).update(**{column: now})
    return 0


def start_text(row: MailboxLink) -> str:
    """In the active language; times in the mailbox's zone."""
    words = {
        "who": row.user.email, "mailbox": row.mailbox, "when": _moment(row, row.made_at),
        "zone": time_zones.city(row.mailbox.time_zone), "place": row.place or "–",
    }  # fmt: skip
    happened = _(
        "On %(when)s (%(zone)s), from %(place)s, somebody who signs in as %(who)s added your mailbox %(mailbox)s."
    )
    means = _(
        "They showed its password, and now see it in the panel beside their own mailboxes and set its autoresponders "
        "as you do. It opens neither the mail itself nor anything else of yours."
    )
    known = _("If that was you, there is nothing to do.")
    unknown = _(
        "If not, somebody knows your password. End it here, without signing in, within 60 days:\n%(link)s\nand change "
        "your password at once, under Account in the panel: that ends it, too.\n%(account)s"
    ) % {"link": links.end_link(row), "account": f"{settings.PANEL_URL}{reverse('account')}"}
    return "\n\n".join([happened % words, means, known, unknown]) + "\n"


def end_text(row: MailboxLink) -> str:
    """In the active language; times in the mailbox's zone."""
    words = {
        "who": row.user.email, "mailbox": row.mailbox, "zone": time_zones.city(row.mailbox.time_zone),
        "when": _moment(row, row.ended_at or row.made_at), "why": row.get_end_display(),
    }  # fmt: skip
    ended = _("Since %(when)s (%(zone)s) the sign-in %(who)s opens the mailbox %(mailbox)s no more.") % words
    why = _("Why it ended: %(why)s.") % words
    page = f"{settings.PANEL_URL}{reverse('account_links')}"
    return "\n\n".join([ended, why, _("Linked mailboxes in the panel: %(page)s") % {"page": page}]) + "\n"


def _moment(row: MailboxLink, at: datetime) -> str:
    return date_format(at.astimezone(ZoneInfo(row.mailbox.time_zone)), "j E Y, H:i")
