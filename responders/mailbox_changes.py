"""What an owner sets about the mailbox beside its responders, with the same history, and the same way back."""

from collections.abc import Callable, Iterable
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from mailboxes.models import AliasTarget, Delegation, Mailbox, User
from mailboxes.services import group_targets
from responders.models import ResponderEvent
from responders.services import By, database_now

PLAIN = ("notify_started", "notify_ending", "notify_ended", "notify_still_on", "time_zone", "holiday_country")
GROUPS, DELEGATES = "answered_groups", "delegates"


class ChangedSince(ValueError):
    """Somebody set it otherwise meanwhile; the text is for people."""


@transaction.atomic
def change(mailbox: Mailbox, wanted: dict[str, Any], by: By) -> dict[str, list[Any]]:
    """Set what is named and differs; the history tells of it. Returns name → [before, after]."""
    row = Mailbox.objects.select_for_update(no_key=True).get(pk=mailbox.pk)
    before = {name: current(row, name) for name in wanted}
    changes = {name: [before[name], value] for name, value in wanted.items() if value != before[name]}
    for name, (_was, value) in changes.items():
        if name in PLAIN:
            setattr(row, name, value)
        else:
            _LISTS[name](row, value, by)
    if plain := [name for name in changes if name in PLAIN]:
        row.save(update_fields=plain)
    if "holiday_country" in changes:
        row.responders.update(country=row.country)
    if changes:
        ResponderEvent.objects.create(
            mailbox=row, kind=ResponderEvent.Kind.MAILBOX, at=database_now(), changes=changes, actor=by.user,
            reason=by.reason, place=by.place, way=by.way, undoes=by.undoes,
        )  # fmt: skip
    return changes


@transaction.atomic
def take_back(event: ResponderEvent, by: By) -> None:
    """As it was before the event. Raises ChangedSince."""
    mailbox = Mailbox.objects.select_for_update(no_key=True).get(pk=event.standing_mailbox().pk)
    if any(current(mailbox, name) != after for name, (_before, after) in event.changes.items()):
        raise ChangedSince(_("It was changed again since: look at it and change it by hand."))
    change(mailbox, {name: before for name, (before, _after) in event.changes.items()}, by)


def current(mailbox: Mailbox, name: str) -> Any:
    """What is set now, as the history keeps it."""
    if name == GROUPS:
        return sorted(target.alias.address for target in group_targets(mailbox) if target.is_own_address)
    if name == DELEGATES:
        return sorted(mailbox.delegations.values_list("user__email", flat=True))
    return getattr(mailbox, name)


def _set_groups(mailbox: Mailbox, wanted: Iterable[str], _by: By) -> None:
    addresses = set(wanted)
    for target in group_targets(mailbox):
        is_own = target.alias.address in addresses
        if target.is_own_address != is_own:
            AliasTarget.objects.filter(pk=target.pk).update(is_own_address=is_own)


def _set_delegates(mailbox: Mailbox, wanted: Iterable[str], by: By) -> None:
    addresses = set(wanted)
    mailbox.delegations.exclude(user__email__in=addresses).delete()
    for user in User.objects.filter(email__in=addresses):
        Delegation.objects.get_or_create(mailbox=mailbox, user=user, defaults={"created_by": by.user})


_LISTS: dict[str, Callable[[Mailbox, Iterable[str], By], None]] = {GROUPS: _set_groups, DELEGATES: _set_delegates}
