"""The one place that says who may see and do what. Every queryset that a view uses starts here."""

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet

from mailboxes.models import Mailbox, User

SUPPORT_GROUP = "support"

AnyUser = User | AnonymousUser


def is_support(user: AnyUser) -> bool:
    """Support staff and administrators look after every customer's mailboxes."""
    if not user.is_active or not user.is_authenticated:
        return False
    return bool(user.is_superuser) or SUPPORT_GROUP in user.group_names


def needs_second_factor(user: AnyUser) -> bool:
    """Whoever sees other people's mailboxes or opens the administration proves twice who they are."""
    return bool(settings.REQUIRE_STAFF_MFA) and (bool(user.is_staff) or is_support(user))


def mailboxes_visible_to(user: AnyUser) -> QuerySet[Mailbox]:
    """The mailboxes a person may open: their own; support staff and administrators every one."""
    if not user.is_active or not user.is_authenticated:
        return Mailbox.objects.none()
    if is_support(user):
        return Mailbox.objects.all()
    return Mailbox.objects.filter(owner_id=user.pk)


def may_edit(user: AnyUser, mailbox: Mailbox) -> bool:
    """Whoever may open a mailbox may also change its responders."""
    return mailboxes_visible_to(user).filter(pk=mailbox.pk).exists()
