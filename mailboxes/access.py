"""The one place that says who may see and do what. Every queryset that a view uses starts here."""

from dataclasses import dataclass
from typing import Any

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from mailboxes.models import (
    Alias,
    Customer,
    Delegation,
    DeletedAlias,
    Domain,
    DomainClaim,
    Mailbox,
    MailboxLink,
    User,
    Ways,
)

# Roles are groups. Each of them looks after every customer's mailboxes; what more they may do in the administration
# is in the groups' permissions (responders/migrations/0013_roles.py).
SUPPORT_GROUP, LEAD_GROUP, ADMINISTRATOR_GROUP = "support", "support lead", "administrator"
STAFF_GROUPS = frozenset({SUPPORT_GROUP, LEAD_GROUP, ADMINISTRATOR_GROUP})

NAMED = 1_000  # domains; more are a query of their own

AnyUser = User | AnonymousUser
Keys = QuerySet[Any, Any]


def is_support(user: AnyUser) -> bool:
    """Support staff, their leads and administrators look after every customer's mailboxes."""
    if not user.is_active or not user.is_authenticated:
        return False
    return bool(user.is_superuser) or not STAFF_GROUPS.isdisjoint(user.group_names)


_WAYS = """
SELECT ARRAY(SELECT g.name::text FROM auth_group g JOIN mailboxes_user_groups m ON m.group_id = g.id
        WHERE m.user_id = %(user)s),
    EXISTS (SELECT FROM mailboxes_mailboxlink WHERE user_id = %(user)s AND ended_at IS NULL),
    EXISTS (SELECT FROM mailboxes_delegation WHERE user_id = %(user)s),
    EXISTS (SELECT FROM mailboxes_customer_administrators WHERE user_id = %(user)s)
"""


def know(user: User) -> None:
    """Ask once what most rules ask again and again, for as long as a request takes.

    Nearly nobody has a way to mailboxes of others: what leads nowhere is left out of every question. Nothing is opened
    by it, for where there is a way the rules look at it as ever.
    """
    with connection.cursor() as cursor:
        cursor.execute(_WAYS, {"user": user.pk})
        groups, *ways = cursor.fetchone()
    user.group_names, user.ways = frozenset(groups), Ways(*ways)


def _may_have(user: AnyUser, way: str) -> bool:
    """False only where it was asked and there is none."""
    ways = getattr(user, "ways", None)
    return ways is None or bool(getattr(ways, way))


def needs_second_factor(user: AnyUser) -> bool:
    """Whoever sees other people's mailboxes or opens the administration proves twice who they are."""
    return bool(settings.REQUIRE_STAFF_MFA) and (bool(user.is_staff) or is_support(user))


def domains_managed_by(user: AnyUser) -> QuerySet[Domain]:
    """Those of the customers that the person administers; staff every one. None that was deleted."""
    return _domains_of(user).filter(deleted_at=None)


def deleted_domains(user: AnyUser) -> QuerySet[Domain]:
    """Those that the person knows of, and may take back who `may_delete_domains`."""
    return _domains_of(user).filter(deleted_at__isnull=False)


def _domains_of(user: AnyUser) -> QuerySet[Domain]:
    if not user.is_active or not user.is_authenticated:
        return Domain.objects.none()
    if is_support(user):
        return Domain.objects.all()
    if not _may_have(user, "customers"):
        return Domain.objects.none()
    return Domain.objects.filter(customer__in=user.administers.filter(deleted_at=None).values("pk"))


def may_delete_domains(user: AnyUser) -> bool:
    """Whether the person deletes domains with all in them, and takes them back: who may in the administration."""
    return is_support(user) and bool(user.has_perm("mailboxes.delete_domain"))


def may_delete_customers(user: AnyUser) -> bool:
    """The same of customers, with all their domains."""
    return is_support(user) and bool(user.has_perms(["mailboxes.delete_customer", "mailboxes.delete_domain"]))


def customers_administered_by(user: AnyUser) -> QuerySet[Customer]:
    """Those for whom the person adds domains; staff for every one. None that was deleted."""
    if not user.is_active or not user.is_authenticated:
        return Customer.objects.none()
    there = Customer.objects.filter(deleted_at=None)
    if is_support(user):
        return there
    return there.filter(administrators=user.pk) if _may_have(user, "customers") else Customer.objects.none()


def claims_of(user: AnyUser) -> QuerySet[DomainClaim]:
    """Domains that wait for the proof that they are the customer's."""
    return DomainClaim.objects.filter(customer__in=customers_administered_by(user).values("pk"))


def may_add_domains(user: AnyUser) -> bool:
    """Administrators of a customer claim domains for it; staff's word is enough."""
    return is_support(user) or customers_administered_by(user).exists()


def may_import_customers(user: AnyUser) -> bool:
    """Whether the person makes customers, and says whose domains are, many at once: who may in the administration."""
    return is_support(user) and bool(user.has_perms(["mailboxes.add_customer", "mailboxes.add_domain"]))


def mailboxes_there() -> QuerySet[Mailbox]:
    """All that are there for anybody: neither deleted nor in a domain that is.

    Those few domains are found once and looked up for each row: with a join a list in order would be sorted first.
    """
    gone = Domain.objects.filter(deleted_at__isnull=False).values("name")
    return Mailbox.objects.filter(deleted_at=None).exclude(domain__in=gone)


def mailboxes_managed_by(user: AnyUser) -> QuerySet[Mailbox]:
    """The mailboxes whose name, owner's password and receiving of mail a person looks after."""
    if is_support(user):
        return mailboxes_there()
    domains = domains_managed_by(user)
    if domains.query.is_empty():
        return Mailbox.objects.none()
    return Mailbox.objects.filter(domain__in=domains.values("name"), deleted_at=None)


def deleted_mailboxes(user: AnyUser) -> QuerySet[Mailbox]:
    """Those that the person may take back."""
    return Mailbox.objects.filter(domain__in=domains_managed_by(user).values("name"), deleted_at__isnull=False)


def aliases_managed_by(user: AnyUser) -> QuerySet[Alias]:
    """The aliases of the domains that the person manages."""
    return Alias.objects.filter(domain__in=domains_managed_by(user).values("name"))


def deleted_aliases(user: AnyUser) -> QuerySet[DeletedAlias]:
    """Those that the person may take back."""
    return DeletedAlias.objects.filter(domain__in=domains_managed_by(user).values("name"))


def own_mailboxes(user: AnyUser) -> QuerySet[Mailbox]:
    """The mailboxes that are the person's very own: nobody else makes passwords for their mail."""
    if not user.is_active or not user.is_authenticated:
        return Mailbox.objects.none()
    return Mailbox.objects.filter(owner_id=user.pk, deleted_at=None, domain__deleted_at=None)


def mailboxes_to_set_up(user: AnyUser) -> QuerySet[Mailbox]:
    """Those for which a person sets up mail programs: their own, those they added to their sign-in, whose password they
    know, and those they look after.

    Not a delegate: looking after somebody's autoresponders is no way into the mail.
    """
    if is_support(user):
        return mailboxes_there()
    return _among(user, _owned_there(user), _linked_to(user), _keys(mailboxes_managed_by(user)))


def colleagues_of(mailbox: Mailbox) -> QuerySet[Mailbox]:
    """The other mailboxes of the same company: of its domain, or of the domains of its customer."""
    same, customer = Q(domain=mailbox.domain_id), mailbox.domain.customer_id
    same = same if customer is None else same | Q(domain__customer=customer)
    return Mailbox.objects.filter(same, deleted_at=None, domain__deleted_at=None).exclude(pk=mailbox.pk)


def has_second_factor(user: AnyUser) -> bool:
    """Whether a password alone does not do for this account."""
    return bool(_factors().filter(user_id=user.pk).exists())


def _factors() -> QuerySet[Authenticator]:
    found: QuerySet[Authenticator] = Authenticator.objects.filter(
        type__in=(Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
    )
    return found


def links_that_count() -> QuerySet[MailboxLink]:
    """Mailboxes that people added to their sign-in, as long as what that rests on still holds.

    The mailbox is the one's who proved it, who may sign in; and where that account has a second factor by now, it was
    shown, and whoever has the link signs in with one, too: a link is no way around it. Staff have none: they open
    mailboxes by their role, and leave a trace there; and none leads to theirs.
    """
    of_owner, of_user = (Exists(_factors().filter(user_id=OuterRef(name))) for name in ("owner_id", "user_id"))
    rests = MailboxLink.objects.filter(
        ended_at=None, mailbox__owner_id=F("owner_id"), owner__is_active=True, mailbox__domain__deleted_at=None
    )
    no_staff = rests.filter(
        user__is_staff=False, user__is_superuser=False, owner__is_staff=False, owner__is_superuser=False
    ).exclude(owner__groups__name__in=STAFF_GROUPS)
    return no_staff.filter(~of_owner | (Q(with_second_factor=True) & of_user))


def links_of(user: AnyUser) -> QuerySet[MailboxLink]:
    """What the person added to their sign-in and did not end, whether it counts or not."""
    there = MailboxLink.objects.filter(mailbox__deleted_at=None, mailbox__domain__deleted_at=None)
    return there.filter(user_id=user.pk or 0, ended_at=None)


def links_to_mailboxes_of(user: AnyUser) -> QuerySet[MailboxLink]:
    """By whom else the person's own mailboxes are opened."""
    return MailboxLink.objects.filter(ended_at=None, mailbox__in=own_mailboxes(user).order_by().values("pk"))


def links_to_end(user: AnyUser) -> QuerySet[MailboxLink]:
    """Those that the person may end: what they added, what leads to their own mailboxes or to those they manage."""
    if not user.is_active or not user.is_authenticated:
        return MailboxLink.objects.none()
    managed = mailboxes_managed_by(user).order_by().values("pk")
    theirs = Q(user_id=user.pk) | Q(mailbox__owner_id=user.pk) | Q(mailbox__in=managed)
    return MailboxLink.objects.filter(theirs, ended_at=None)


def may_link(user: AnyUser) -> bool:
    """Whether the person may add mailboxes to their sign-in: not staff, whose roles open what they look after."""
    return bool(user.is_authenticated and user.is_active) and not (user.is_staff or is_support(user))


def is_linked(user: AnyUser, mailbox: Mailbox) -> bool:
    """Whether the person added the mailbox of another sign-in, and sets its autoresponders as its owner does."""
    return _may_link_and_did(user) and links_that_count().filter(user_id=user.pk or 0, mailbox=mailbox).exists()


def mailboxes_of(user: AnyUser) -> QuerySet[Mailbox]:
    """A person's own mailboxes, those they added to their sign-in and those delegated to them, whatever else they may
    open.
    """
    return _among(user, _owned_there(user), _linked_to(user), _delegated_there(user))


def mailboxes_visible_to(user: AnyUser) -> QuerySet[Mailbox]:
    """The mailboxes a person may open: their own, those they added to their sign-in, those delegated to them or of
    their company; staff every one.
    """
    if is_support(user):
        return mailboxes_there()
    return _among(user, _owned_there(user), _linked_to(user), _delegated_there(user), _keys(mailboxes_managed_by(user)))


@dataclass(frozen=True)
class InLists:
    """The mailboxes of a person's list. In one domain, to go by address is to go by domain."""

    rows: QuerySet[Mailbox]
    manages: bool
    is_one_domain: bool


def mailboxes_in_lists(user: AnyUser) -> InLists:
    """As `mailboxes_visible_to`, for lists in order.

    A company's are asked for by their domains, whose indexes hold them in order. By all ways to a mailbox at once, each
    of a company's hundred thousand would be read before the first one is shown.
    """
    names = [] if is_support(user) else list(domains_managed_by(user).values_list("name", flat=True)[: NAMED + 1])
    if not names:
        return InLists(mailboxes_visible_to(user), manages=False, is_one_domain=False)
    theirs: Any = names if len(names) <= NAMED else domains_managed_by(user).values("name")
    elsewhere = list(mailboxes_of(user).exclude(domain__in=theirs).order_by().values_list("pk", flat=True))
    wanted = Q(domain__in=theirs) | Q(pk__in=elsewhere) if elsewhere else Q(domain__in=theirs)
    rows = Mailbox.objects.filter(wanted, deleted_at=None)
    return InLists(rows, manages=True, is_one_domain=len(names) == 1 and not elsewhere)


def mailboxes_to_delegate(user: AnyUser) -> QuerySet[Mailbox]:
    """Those whose care a person may hand on and take back. Neither a delegate does, nor who added the mailbox to their
    sign-in: what they handed on would outlive the link.
    """
    if is_support(user):
        return mailboxes_there()
    return _among(user, _owned_there(user), _keys(mailboxes_managed_by(user)))


def _among(user: AnyUser, first: Keys, *others: Keys) -> QuerySet[Mailbox]:
    """The mailboxes with these keys, none of them in a deleted domain. Each way to a mailbox is a query with an
    index of its own; put together with OR they would read every mailbox there is.
    """
    if not user.is_active or not user.is_authenticated:
        return Mailbox.objects.none()
    ways = [way for way in others if not way.query.is_empty()]
    return Mailbox.objects.filter(pk__in=first.union(*ways) if ways else first, deleted_at=None)


def _owned_by(user: AnyUser) -> Keys:
    return _keys(Mailbox.objects.filter(owner_id=user.pk))


def _linked_to(user: AnyUser) -> Keys:
    """Nobody's, for staff."""
    if not _may_link_and_did(user):
        return MailboxLink.objects.none()
    return links_that_count().filter(user_id=user.pk or 0).order_by().values("mailbox")


def _may_link_and_did(user: AnyUser) -> bool:
    return may_link(user) and _may_have(user, "links")


def _delegated_to(user: AnyUser) -> Keys:
    return Delegation.objects.filter(user_id=user.pk or 0).order_by().values("mailbox")


def _owned_there(user: AnyUser) -> Keys:
    return _keys(Mailbox.objects.filter(owner_id=user.pk, domain__deleted_at=None))


def _delegated_there(user: AnyUser) -> Keys:
    """Not while every mailbox that the person has at the company is in a domain that was deleted."""
    if not _may_have(user, "delegations"):
        return Delegation.objects.none()
    own = Mailbox.objects.filter(owner=user.pk, deleted_at=None, domain__customer=OuterRef("mailbox__domain__customer"))
    gone, left = own.filter(domain__deleted_at__isnull=False), own.filter(domain__deleted_at=None)
    rows = Delegation.objects.filter(user_id=user.pk or 0, mailbox__domain__deleted_at=None)
    return rows.exclude(Exists(gone), ~Exists(left)).order_by().values("mailbox")


def _keys(rows: QuerySet[Mailbox]) -> Keys:
    return rows.order_by().values("pk")


def may_delegate(user: AnyUser, mailbox: Mailbox) -> bool:
    """The same for one mailbox that the person may open."""
    return mailbox.owner_id == user.pk or may_manage(user, mailbox)


def may_send_copies(user: AnyUser, mailbox: Mailbox) -> bool:
    """Whether the person says who gets copies of the mail. Not a delegate, who would get them that way, and nobody by a
    link, which opens no mail.
    """
    return may_delegate(user, mailbox)


def may_manage(user: AnyUser, mailbox: Mailbox) -> bool:
    """Whether the person looks after the mailbox itself, not only its responders."""
    return is_support(user) or mailboxes_managed_by(user).filter(pk=mailbox.pk).exists()


def may_add_mailboxes(user: AnyUser) -> bool:
    """Administrators of a customer make mailboxes in the panel; staff make them in the administration."""
    return not is_support(user) and domains_managed_by(user).exists()


def may_change_many(user: AnyUser) -> bool:
    """Whether the person may change the responders of many mailboxes at once: of those they manage."""
    return is_support(user) or may_add_mailboxes(user)


def has_staff_role(user: User) -> bool:
    """Whether the sign-in is one of the staff's, blocked or not: what is blocked comes back."""
    return user.is_staff or user.is_superuser or not STAFF_GROUPS.isdisjoint(user.group_names)


def may_give_password(user: AnyUser, owner: User) -> bool:
    """Whether the person may set the sign-in of an owner: only where it opens nothing that is not theirs already.

    What is blocked or deleted counts, too: it comes back, and the password with it. What the owner added to the sign-in
    does not: it ends with the old password (services.end_secrets).
    """
    if owner.pk == user.pk or has_staff_role(owner):
        return False
    if is_support(user):
        return True
    opened = Mailbox.objects.filter(pk__in=_owned_by(owner).union(_delegated_to(owner)))
    administered = Customer.objects.filter(administrators=owner.pk)
    return not (
        opened.exclude(domain__in=_domains_of(user).values("name")).exists()
        or administered.exclude(administrators=user.pk).exists()
    )


def may_let_in(user: AnyUser, owner: User) -> bool:
    """Whether the person may unblock a sign-in: what staff blocked stays blocked for a company's administrator."""
    return may_give_password(user, owner) and (not owner.is_blocked_by_staff or is_support(user))


def may_make_sign_in(user: AnyUser, mailbox: Mailbox) -> bool:
    """Whether the person may give a password to whoever signs in for the mailbox: its owner; where it has none, the
    person of its address, whom that makes the owner; where there is nobody, a new one.
    """
    owner = mailbox.owner or User.objects.filter(email=mailbox.address).first()
    return owner is None or may_give_password(user, owner)


def may_part(user: AnyUser, mailbox: Mailbox) -> bool:
    """Whether the person, who manages the mailbox, may give it a sign-in of its own where it shares its owner's: the
    new one opens this mailbox alone, with a password that is not the owner's. So only staff may where more than the
    owner's password guards it: a second factor, a sign-in that is blocked, a role of the staff's own.
    """
    owner = mailbox.owner
    if owner is None or owner.email == mailbox.address:
        return False
    return is_support(user) or (owner.is_active and not has_staff_role(owner) and not has_second_factor(owner))


def may_rename(user: AnyUser, mailbox: Mailbox) -> bool:
    """Whether the person, who manages the mailbox, may give it another address: an owner who signs in with this one
    signs in with the new one from then on.
    """
    owner = mailbox.owner
    if owner is None or owner.pk == user.pk or owner.email != mailbox.address or is_support(user):
        return True
    return may_give_password(user, owner)


def acts_for_owner(user: AnyUser, mailbox: Mailbox) -> bool:
    """Whether a change by this person is staff's, in the owner's place: with a reason, and the owner is told."""
    if not is_support(user) or mailbox.owner_id == user.pk:
        return False
    return user.pk not in mailbox.delegations.values_list("user_id", flat=True)


def may_edit(user: AnyUser, mailbox: Mailbox) -> bool:
    """Whoever may open a mailbox may also change its responders."""
    return mailboxes_visible_to(user).filter(pk=mailbox.pk).exists()
