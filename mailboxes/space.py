"""The space that all mailboxes of a domain may have together: how much is allotted, and whether more may be.

What is allotted is the limits of its mailboxes, also of those that were deleted and may be taken back: their mail lies
there still. Dovecot keeps each to its limit, so what is used in the whole domain cannot pass the total either. So no
mailbox of such a domain may be without a limit.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from mailboxes import addresses
from mailboxes.models import Domain, Mailbox


@dataclass(frozen=True)
class Space:
    """Of one domain, in MB. `total` None: there is no such limit. `default`: of a mailbox that has none of its own."""

    name: str
    total: int | None
    default: int | None
    own: int = 0  # of the mailboxes that have a space of their own, together
    without_own: int = 0  # how many have none

    @property
    def allotted(self) -> int:
        return self.own + self.without_own * (self.default or 0)

    @property
    def is_over(self) -> bool:
        """The total was lowered since: what is allotted stays."""
        return self.total is not None and self.allotted > self.total

    @property
    def unlimited(self) -> int:
        """How many mailboxes have no limit at all."""
        return self.without_own if self.default is None else 0

    def with_mailbox(self, megabytes: int | None) -> "Space":
        """And one more; None: with the domain's space."""
        if megabytes is None:
            return replace(self, without_own=self.without_own + 1)
        return replace(self, own=self.own + megabytes)

    def without_mailbox(self, megabytes: int | None) -> "Space":
        """And one less."""
        if megabytes is None:
            return replace(self, without_own=self.without_own - 1)
        return replace(self, own=self.own - megabytes)


def refusal(before: Space, after: Space) -> str:
    """Why it may not become so, in the active language; empty: it may.

    What needs no more than before always may. So a total below what is allotted takes nothing from anybody, and nobody
    is given more until it fits.
    """
    if after.total is None:
        return ""
    if after.unlimited and (before.total is None or after.unlimited > before.unlimited):
        return _without_limit(after)
    if after.allotted <= max(after.total, before.allotted):
        return ""
    words = _(
        "All mailboxes of %(domain)s may have %(total)d MB together; %(left)d MB of that are left, and this takes "
        "%(more)d MB."
    )
    return words % {
        "domain": addresses.display_domain(after.name), "total": after.total,
        "left": max(0, after.total - before.allotted), "more": after.allotted - before.allotted,
    }  # fmt: skip


def _without_limit(space: Space) -> str:
    words = ngettext(
        "All mailboxes of %(domain)s may have %(total)d MB together, and %(count)d mailbox would have no limit: set "
        "the space of each mailbox of the domain, or one of its own.",
        "All mailboxes of %(domain)s may have %(total)d MB together, and %(count)d mailboxes would have no limit: set "
        "the space of each mailbox of the domain, or one of their own.",
        space.unlimited,
    )
    domain = addresses.display_domain(space.name)
    return words % {"domain": domain, "total": space.total, "count": space.unlimited}


def space_of(name: str) -> Space:
    """As it is now. Reads every mailbox of the domain."""
    return _read(Domain.objects.filter(name=name))[name]


def counted(domain: Domain) -> tuple[int, Space]:
    """How many mailboxes are there, without the deleted ones, and the space with them. One query."""
    found = Mailbox.objects.filter(domain=domain).aggregate(
        there=Count("pk", filter=Q(deleted_at=None)), count=Count("pk"), count_own=Count("quota_mb"),
        own=Sum("quota_mb", default=0),
    )  # fmt: skip
    without = found["count"] - found["count_own"]
    return found["there"], Space(domain.name, domain.total_quota_mb, domain.quota_mb, found["own"], without)


def limited_in(names: Iterable[str]) -> dict[str, Space]:
    """The same by the names, of those domains alone that have a total: of others no mailbox is read."""
    return _read(Domain.objects.filter(name__in=set(names)).exclude(total_quota_mb=None))


def _read(domains: QuerySet[Domain]) -> dict[str, Space]:
    """Each sum from an index: a domain may have a hundred thousand mailboxes."""
    all_of_it = Mailbox.objects.filter(domain=OuterRef("name")).order_by().values("domain")
    own = all_of_it.filter(quota_mb__isnull=False)
    rows = domains.order_by().annotate(
        own=Coalesce(Subquery(own.annotate(sum=Sum("quota_mb")).values("sum")), 0),
        count=Coalesce(Subquery(all_of_it.annotate(count=Count("pk")).values("count")), 0),
        count_own=Coalesce(Subquery(own.annotate(count=Count("pk")).values("count")), 0),
    )
    found = rows.values_list("name", "total_quota_mb", "quota_mb", "own", "count", "count_own")
    return {
        name: Space(name, total, default, own, count - count_own)
        for name, total, default, own, count, count_own in found
    }
