"""A mailbox that shares its owner's sign-in with others gets one of its own: address, password, and nothing else of the
owner's, who goes on opening it by a link.
"""

from datetime import datetime

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from mailboxes import access, passwords
from mailboxes.log import Actor, as_by, record
from mailboxes.models import Mailbox, MailboxLink, User
from mailboxes.services import MailboxesError, change_mailbox, end_secrets


def shares_its_sign_in(mailbox: Mailbox) -> bool:
    """Whether its owner signs in with another address: then its password is another mailbox's, too."""
    return mailbox.owner is not None and mailbox.owner.email != mailbox.address


@transaction.atomic
def part(mailbox: Mailbox, password: str, *, now: datetime, actor: Actor) -> None:
    """Let the mailbox have a sign-in of its own, of its address, with this password; the former owner opens it by a
    link, and is told where somebody else did it. Passwords of its mail programs go on.

    Raises MailboxesError: weak password, the address signs in elsewhere.
    """
    row = Mailbox.objects.select_for_update(no_key=True, of=("self",)).select_related("owner").get(pk=mailbox.pk)
    former = row.owner
    if former is None or not shares_its_sign_in(row):
        raise MailboxesError(_("This mailbox has a sign-in of its own already."))
    owner = _sign_in_of(row)
    _set_password(owner, password, now=now, actor=actor)
    change_mailbox(row, actor=actor, owner=owner)
    row.app_passwords.filter(owner=former).update(owner=owner)
    if not access.has_staff_role(former):
        by = as_by(actor)
        MailboxLink.objects.create(
            user=former, mailbox=row, owner=owner, with_second_factor=access.has_second_factor(former), made_at=now,
            place=by.place, is_of_parting=True, told_at=now if by.user == former else None,
        )  # fmt: skip
    record(row, f"a sign-in of its own, no longer that of {former.email}", actor)
    mailbox.refresh_from_db()


def part_by_chance(mailbox: Mailbox, *, now: datetime, actor: Actor) -> str:
    """The same for who looks after the mailbox: a password by chance, returned. Raises MailboxesError."""
    password = passwords.by_chance()
    part(mailbox, password, now=now, actor=actor)
    return password


def _sign_in_of(mailbox: Mailbox) -> User:
    """A new one, or what an import left of the address: one that opens nothing. Raises MailboxesError."""
    there = User.objects.select_for_update(no_key=True).filter(email=mailbox.address).first()
    if there is not None and not _opens_nothing(there):
        raise MailboxesError(_("Somebody signs in with this address already. Ask our support."))
    return there or User(email=mailbox.address, name=mailbox.name, language=mailbox.language)


def _opens_nothing(user: User) -> bool:
    has_rights = user.is_staff or user.is_superuser or not user.is_active or user.groups.exists()
    opens = user.mailboxes.exists() or user.delegations.exists() or user.administers.exists()
    return not has_rights and not opens and not user.links.filter(ended_at=None).exists()


def _set_password(owner: User, password: str, *, now: datetime, actor: Actor) -> None:
    try:
        validate_password(password, owner)
    except ValidationError as error:
        raise MailboxesError(" ".join(error.messages)) from error
    owner.set_password(password)
    owner.save()
    end_secrets(owner, now=now, actor=actor)
