"""A person adds another sign-in's mailbox to their own, and how that ends.

Each mailbox keeps its owner and with it its password: Dovecot and the sign-in know nothing of links, and whoever signs
in as the mailbox's own owner sees nothing of the linker's. A link is a row beside, and opens what the owner sees in the
panel; never the mail itself (passwords of mail programs) and never the owner's password, second factor or other
mailboxes. It rests on the password that was shown: whoever changes that ends it.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.core import signing
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.urls import reverse
from django.utils.translation import gettext as _

from mailboxes import access
from mailboxes.log import Actor, as_by, record
from mailboxes.models import Mailbox, MailboxLink, User

End = MailboxLink.End
MAX_OF_PERSON, MAX_OF_MAILBOX = 50, 10
END_SALT, END_LINK_LASTS = "mailboxes.links.end", timedelta(days=60)
KEPT = timedelta(days=60)  # after the end


class LinkError(ValueError):
    """It cannot be linked; the text says why in one line. Said only to who has shown the mailbox's password."""


def prove(address: str, password: str) -> Mailbox | None:
    """The mailbox with this address (in normal form), if that is its password, as Dovecot would let it in.

    None says nothing else: no such mailbox, another password, blocked, suspended. Each takes as long as a hash.
    """
    mailbox = Mailbox.objects.filter(address=address, deleted_at=None).select_related("owner", "domain").first()
    owner = mailbox.owner if mailbox is not None else None
    if mailbox is None or owner is None:
        make_password(password)
        return None
    return mailbox if owner.check_password(password) and _lets_in(mailbox, owner) else None


def sign_in_of(address: str) -> str:
    """Whose password is tried with this address (in normal form): several mailboxes of an owner have one. The address
    itself where there is no such mailbox.
    """
    found = Mailbox.objects.filter(address=address, deleted_at=None).values_list("owner__email", flat=True).first()
    return found or address


def _lets_in(mailbox: Mailbox, owner: User) -> bool:
    domain = mailbox.domain
    is_open = mailbox.suspended_at is None and domain.suspended_at is None and domain.deleted_at is None
    return owner.is_active and is_open


def check(user: User, owner: User, mailbox: Mailbox) -> None:
    """Whether the mailbox, whose owner's password was shown, may be added. Raises LinkError."""
    if owner.pk == user.pk:
        raise LinkError(_("This mailbox is yours already."))
    if access.has_staff_role(owner):
        raise LinkError(_("Whoever signs in with this mailbox works here: it is not linked to another sign-in."))
    if access.has_second_factor(owner) and not access.has_second_factor(user):
        raise LinkError(
            _("This mailbox has a second factor. Set up one for your own sign-in first, so that it stays as safe.")
        )
    if access.links_of(user).exclude(mailbox=mailbox).count() >= MAX_OF_PERSON:
        raise LinkError(_("So many mailboxes cannot be linked to one sign-in."))
    if mailbox.links.filter(ended_at=None).exclude(user=user).count() >= MAX_OF_MAILBOX:
        raise LinkError(_("This mailbox is linked to many sign-ins already: end one of these first."))


@transaction.atomic
def link(
    user: User, mailbox: Mailbox, *, shown: str, with_second_factor: bool, now: datetime, actor: Actor
) -> MailboxLink:
    """Add the mailbox to the person's sign-in. Raises LinkError.

    `shown`: the owner's `get_session_auth_hash()` when the password was checked. A password that was changed since was
    not the one that was shown; whoever changes it now waits for the lock, then sees the link and ends it. So does
    whoever sets the person's own, or makes them one of the staff.
    """
    both = User.objects.select_for_update(no_key=True).filter(pk__in=[user.pk, mailbox.owner_id or 0])
    locked = {one.pk: one for one in both.order_by("pk")}  # in order: of two at once none waits for the other for ever
    owner, person = locked.get(mailbox.owner_id or 0), locked.get(user.pk)
    fresh = Mailbox.objects.select_related("domain").filter(pk=mailbox.pk, deleted_at=None, owner=owner).first()
    if owner is None or fresh is None or not _lets_in(fresh, owner) or owner.get_session_auth_hash() != shown:
        raise LinkError(_("The mailbox or its password was changed meanwhile: begin again."))
    if person is None or not access.may_link(person) or person.password_given_at != user.password_given_at:
        raise LinkError(_("Your sign-in was changed meanwhile: sign in again."))
    if access.has_second_factor(owner) and not with_second_factor:
        raise LinkError(_("The mailbox or its password was changed meanwhile: begin again."))
    check(person, owner, fresh)
    _end(MailboxLink.objects.filter(user=user, mailbox=fresh), End.ANEW, told=True)
    made = MailboxLink.objects.create(
        user=user, mailbox=fresh, owner=owner, with_second_factor=with_second_factor, made_at=now,
        place=as_by(actor).place,
    )  # fmt: skip
    record(fresh, f"opened by another sign-in, too: {user.email}", actor)
    return made


@transaction.atomic
def end(row: MailboxLink, why: MailboxLink.End, *, actor: Actor) -> bool:
    """The sign-in opens the mailbox no more; False if that had ended already."""
    return _end_and_record(MailboxLink.objects.filter(pk=row.pk), why, actor) == 1


@transaction.atomic
def end_of_owner(owner: User, *, actor: Actor) -> int:
    """The password that was shown for these mailboxes is another one now; how many ended."""
    return _end_and_record(MailboxLink.objects.filter(owner=owner), End.PASSWORD, actor)


@transaction.atomic
def end_of_person(person: User, *, actor: Actor) -> int:
    """Somebody else set the person's password, and shall not get what they added to their sign-in with it: theirs end,
    and so do those to their own mailboxes.
    """
    return end_of_owner(person, actor=actor) + _end_and_record(
        MailboxLink.objects.filter(user=person), End.LINKERS_PASSWORD, actor
    )


@transaction.atomic
def end_of_mailbox(mailbox: Mailbox, *, actor: Actor) -> int:
    """It has another owner, who has shown nothing."""
    rows = MailboxLink.objects.filter(mailbox=mailbox)
    return _end_and_record(rows.exclude(owner_id=mailbox.owner_id or 0), End.MOVED, actor)


def _end_and_record(rows: QuerySet[MailboxLink], why: MailboxLink.End, actor: Actor) -> int:
    ended = 0
    for row in rows.filter(ended_at=None).select_related("mailbox", "user"):
        if _end(MailboxLink.objects.filter(pk=row.pk), why):
            record(row.mailbox, f"opened by another sign-in no more: {row.user.email}", actor)
            ended += 1
    return ended


def _end(rows: QuerySet[MailboxLink], why: MailboxLink.End, *, told: bool = False) -> int:
    """Of two at once one ends it. `told`: nobody gets a notice."""
    changes = {"ended_at": Now(), "end": why} | ({"end_told_at": Now(), "told_at": Now()} if told else {})
    return rows.filter(ended_at=None).update(**changes)


def who_ends(row: MailboxLink, user: User) -> MailboxLink.End:
    """In whose place the person ends it: access.links_to_end has said that they may."""
    if row.user_id == user.pk:
        return End.LINKER
    return End.OWNER if row.mailbox.owner_id == user.pk else End.MANAGER


def end_link(row: MailboxLink) -> str:
    """For the notice: offers to end it without signing in."""
    token = signing.dumps([row.pk, row.owner_id], salt=END_SALT)
    return f"{settings.PANEL_URL}{reverse('link_end_by_mail', args=[token])}"


def link_of(token: str) -> MailboxLink | None:
    """What a notice's link may end; None where it is void: too old, or the mailbox is another's by now."""
    try:
        pk, owner = signing.loads(token, salt=END_SALT, max_age=END_LINK_LASTS)
    except (signing.BadSignature, TypeError, ValueError):
        return None
    found = MailboxLink.objects.select_related("mailbox", "user").filter(pk=pk, owner=owner).first()
    return found if found is not None and found.mailbox.owner_id == owner else None


def forget_ended(now: datetime) -> int:
    """Delete those that ended a while ago; return how many."""
    return int(MailboxLink.objects.filter(ended_at__lt=now - KEPT).delete()[0])
