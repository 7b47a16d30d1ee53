"""What stands in the DNS of a domain, and the proof of whose it is."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from mailboxes import addresses
from mailboxes.models.hosting import Customer, Domain, validate_domain_name


class DomainClaim(models.Model):
    """That a customer says a domain is theirs. It is nobody's domain until the token stands in its DNS.

    Any number of customers may say so of one name: who proves it first has it. Before that there is no row in Domain,
    so that nothing of the domain receives, sends or stands in another's way.
    """

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="claims", verbose_name=_("customer"))
    name = models.CharField(_("domain"), max_length=253, validators=[validate_domain_name])
    token = models.CharField(max_length=64, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, related_name="+", null=True, verbose_name=_("by")
    )
    created_at = models.DateTimeField(_("created"))
    asked_at = models.DateTimeField(_("last looked for in the DNS"), null=True, blank=True)
    next_check_at = models.DateTimeField(_("next check"), db_index=True)
    # The proof was found, but the domain is another customer's here: staff settle it.
    disputed_at = models.DateTimeField(_("proven, but another customer's"), null=True, blank=True)
    told_at = models.DateTimeField(null=True, blank=True, editable=False)
    # A notice that nobody took is not tried again before; each time it waits longer.
    tell_after = models.DateTimeField(null=True, blank=True, editable=False)
    tell_tries = models.PositiveSmallIntegerField(default=0, db_default=0, editable=False)

    class Meta:
        verbose_name = _("claim to a domain")
        verbose_name_plural = _("claims to domains")
        ordering = ["name", "pk"]
        constraints = [models.UniqueConstraint(fields=["customer", "name"], name="a_customer_claims_a_domain_once")]

    def __str__(self) -> str:
        return addresses.display_domain(self.name)


class DomainHealth(models.Model):
    """When the DNS of a domain was looked at, and when it is next."""

    domain = models.OneToOneField(Domain, models.CASCADE, related_name="health", verbose_name=_("domain"))
    checked_at = models.DateTimeField(_("last checked"), null=True, blank=True)
    # Answers came at the last check; None: they did.
    silent_since = models.DateTimeField(_("does not answer since"), null=True, blank=True)
    wanted_at = models.DateTimeField(_("asked for"), null=True, blank=True)
    next_check_at = models.DateTimeField(_("next check"), db_index=True)
    # A worker looks at the domain, and no other one does until then (domain_dns/turns.py).
    taken_until = models.DateTimeField(null=True, blank=True, editable=False)
    # Since when something that worked is broken; None: nothing is.
    broken_since = models.DateTimeField(_("broken since"), null=True, blank=True, db_index=True)
    told_at = models.DateTimeField(null=True, blank=True, editable=False)
    # A notice that nobody took is not tried again before; each time it waits longer.
    tell_after = models.DateTimeField(null=True, blank=True, editable=False)
    tell_tries = models.PositiveSmallIntegerField(default=0, db_default=0, editable=False)

    class Meta:
        verbose_name = _("DNS of a domain")
        verbose_name_plural = _("DNS of domains")
        ordering = ["domain"]

    def __str__(self) -> str:
        return str(self.domain)


class DomainRecord(models.Model):
    """What is known of one thing that must stand in the DNS of a domain (domain_dns/changes.py)."""

    # The unique index on health and item begins with it.
    health = models.ForeignKey(
        DomainHealth, models.CASCADE, related_name="records", db_index=False, verbose_name=_("DNS of a domain")
    )
    item = models.CharField(_("what"), max_length=100)
    place = models.PositiveSmallIntegerField(_("position"))
    # As the last check saw it; "unknown": it could not be asked, and the fields below are of an earlier check.
    last_state = models.CharField(_("at the last check"), max_length=10)
    state = models.CharField(_("state"), max_length=10)
    reason = models.CharField(_("reason"), max_length=20)
    found = models.JSONField(_("found in the DNS"), default=list)
    publish = models.JSONField(_("to publish"), default=list)  # name, type, value
    since = models.DateTimeField(_("since"), null=True)
    wanted = models.TextField(_("what must stand there"))
    worked = models.BooleanField(_("worked before"), default=False)
    times_bad = models.PositiveIntegerField(_("times it was wrong"), default=0)
    bad_at = models.DateTimeField(_("last wrong"), null=True)
    broke_at = models.DateTimeField(_("broken since"), null=True)
    told_at = models.DateTimeField(_("told"), null=True)

    class Meta:
        verbose_name = _("record in the DNS")
        verbose_name_plural = _("records in the DNS")
        ordering = ["place"]
        constraints = [models.UniqueConstraint(fields=["health", "item"], name="one_row_for_each_thing_in_the_dns")]
        indexes = [models.Index(fields=["since"], name="domain_record_since")]

    def __str__(self) -> str:
        return self.item


class DomainRecordChange(models.Model):
    """A line of the history: from then on it was so. Days without a change leave none."""

    # The index on health and time begins with it.
    health = models.ForeignKey(
        DomainHealth, models.CASCADE, related_name="changes", db_index=False, verbose_name=_("DNS of a domain")
    )
    item = models.CharField(_("what"), max_length=100)
    state = models.CharField(_("state"), max_length=10)
    reason = models.CharField(_("reason"), max_length=20)
    found = models.JSONField(_("found in the DNS"), default=list)
    at = models.DateTimeField(_("time"))

    class Meta:
        verbose_name = _("change in the DNS")
        verbose_name_plural = _("changes in the DNS")
        ordering = ["-at", "-pk"]
        indexes = [
            models.Index(fields=["health", "-at"], name="domain_record_changes_by_time"),
            models.Index(fields=["-at", "-id"], name="domain_record_change_time"),
        ]

    def __str__(self) -> str:
        return f"{self.item}: {self.state}"
