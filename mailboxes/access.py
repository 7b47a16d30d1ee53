"""The one place that says who may see and do what. Every queryset that a view uses starts here."""

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db.models import Q, QuerySet

from mailboxes.models import Delegation, Mailbox, User

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
    """The mailboxes a person may open: their own and those delegated to them; staff every one."""
    if not user.is_active or not user.is_authenticated:
        return Mailbox.objects.none()
    if is_support(user):
        return Mailbox.objects.all()
    delegated = Delegation.objects.filter(user_id=user.pk).values("mailbox")
    return Mailbox.objects.filter(Q(owner_id=user.pk) | Q(pk__in=delegated))


def mailboxes_to_delegate(user: AnyUser) -> QuerySet[Mailbox]:
    """Those whose care a person may hand on and take back: a delegate hands nothing on."""
    if is_support(user):
        return Mailbox.objects.all()
    return mailboxes_visible_to(user).filter(owner_id=user.pk)


def may_delegate(user: AnyUser, mailbox: Mailbox) -> bool:
    """The same for one mailbox that the person may open."""
    return is_support(user) or mailbox.owner_id == user.pk


def acts_for_owner(user: AnyUser, mailbox: Mailbox) -> bool:
    """Whether a change by this person is staff's, in the owner's place: with a reason, and the owner is told."""
    if not is_support(user) or mailbox.owner_id == user.pk:
        return False
    return user.pk not in mailbox.delegations.values_list("user_id", flat=True)


def may_edit(user: AnyUser, mailbox: Mailbox) -> bool:
    """Whoever may open a mailbox may also change its responders."""
    return mailboxes_visible_to(user).filter(pk=mailbox.pk).exists()
