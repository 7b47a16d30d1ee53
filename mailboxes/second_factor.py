"""The second factor: who has one, and whether this session was opened with it."""

from allauth.account.internal.flows.login import get_authentication_records
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest

from mailboxes import devices
from mailboxes.log import Actor, record
from mailboxes.models import User

MAIN = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
_SET_UP_HERE = "second_factor_set_up"


def main_factors(user: User) -> QuerySet[Authenticator]:
    """Apps and security keys: recovery codes alone are none."""
    factors: QuerySet[Authenticator] = Authenticator.objects.filter(user=user, type__in=MAIN)
    return factors


def kinds_of(user: User) -> dict[str, bool]:
    """What the person can be asked for."""
    types = set(Authenticator.objects.filter(user=user).values_list("type", flat=True))
    return {"has_app": Authenticator.Type.TOTP in types, "has_key": Authenticator.Type.WEBAUTHN in types}


def trouble_with_removing(authenticator: Authenticator) -> str:
    """Why this factor stays, in a sentence; empty if it may go."""
    adapter = get_adapter()
    return (
        ""
        if adapter.can_delete_authenticator(authenticator)
        else str(adapter.error_messages["cannot_delete_authenticator"])
    )


def is_proven(request: HttpRequest) -> bool:
    """Whether this session was opened with a second factor, or one was set up in it. Asks no database."""
    records = get_authentication_records(request, request.user)
    return bool(request.session.get(_SET_UP_HERE)) or any(record["method"] == "mfa" for record in records)


def note_set_up(request: HttpRequest) -> None:
    """A code of it was just shown, or the key was just touched."""
    request.session[_SET_UP_HERE] = True


@transaction.atomic
def remove(user: User, *, actor: Actor) -> int:
    """Take away every factor and end the sessions, for somebody who lost them; return how many factors there were."""
    count = main_factors(user).count()
    Authenticator.objects.filter(user=user).delete()
    devices.end_all(user)
    record(user, "second factor removed; signed out everywhere", actor)
    return count
