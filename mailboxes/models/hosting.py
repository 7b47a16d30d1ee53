"""Who receives mail: customers, their domains, mailboxes and aliases, and who else looks after them."""

import unicodedata
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from mailboxes import addresses, time_zones
from mailboxes.countries import validate_country
from mailboxes.models.people import LANGUAGES, User, default_language, default_time_zone, validate_time_zone

MAX_QUOTA_MB = 10_000_000
MAX_TOTAL_QUOTA_MB = 1_000_000_000
MAX_RECIPIENTS = 10_000_000
MAX_MAILBOXES = 1_000_000
MAX_REPLIES = 10_000_000  # automatic ones, an hour


def validate_domain_name(name: str) -> None:
    """Accept domain names in normal form only (lower-case A-labels)."""
    try:
        is_normal = addresses.normalise_domain(name) == name
    except addresses.AddressError as error:
        raise ValidationError(_("“%(name)s” is not a domain name."), params={"name": name}) from error
    if name == settings.AUTOREPLY_DOMAIN:
        raise ValidationError(_("This domain is the panel's own, for copies of messages."), code="internal")
    if not is_normal:
        raise ValidationError(_("Write the domain in lower case; an international one as xn--…"), code="form")


def validate_local_part(local_part: str) -> None:
    """Accept local parts in normal form only (dot-atom, lower case, NFC)."""
    try:
        is_normal = addresses.normalise_local_part(local_part) == local_part
    except addresses.AddressError as error:
        raise ValidationError(
            _("“%(name)s” cannot stand before the @."), params={"name": local_part}, code="local_part"
        ) from error
    if not is_normal:
        raise ValidationError(_("Write the part before the @ in lower case."), code="form")
    if set(local_part) & set("%!/") or not local_part.isascii():
        # Postfix refuses the percent hack and bang paths from strangers; Dovecot 2.3 has no SMTPUTF8.
        raise ValidationError(
            _("Mail servers do not deliver to “%(name)s”: use letters without accents, digits and . _ + -"),
            params={"name": local_part},
            code="undeliverable",
        )


def validate_no_subaddress(local_part: str) -> None:
    """Of a mailbox: mail servers take what follows the delimiter for a sub-address and deliver to what is before it."""
    sign = settings.RECIPIENT_DELIMITER
    if sign and sign in local_part:
        raise ValidationError(
            _("What follows “%(sign)s” is a sub-address: such mail goes to “%(base)s”. An alias may be called so."),
            params={"sign": sign, "base": local_part.partition(sign)[0]},
            code="subaddress",
        )


def validate_new_mailbox(local_part: str) -> None:
    """What a new mailbox is not called, though an alias may be, and one of old is."""
    validate_no_subaddress(local_part)
    if local_part.startswith("-") or set(local_part) & set("*?"):
        # Postfix delivers to no “-x” (allow_min_user); in a mask for Dovecot * and ? stand for the names of others.
        raise ValidationError(
            _(
                "A mailbox's name neither begins with - nor has * or ? in it: mail servers take these for something "
                "else."
            ),
            code="mask",
        )


class Customer(models.Model):
    """A company or person that domains belong to."""

    name = models.CharField(_("name"), max_length=200)
    number = models.CharField(_("customer number"), max_length=50, unique=True)
    administrators = models.ManyToManyField(
        User, related_name="administers", blank=True, verbose_name=_("administrators"),
        help_text=_("Manage the mailboxes of this customer's domains in the panel."),
    )  # fmt: skip
    max_mailboxes = models.PositiveIntegerField(
        _("mailboxes in all domains together at most"), null=True, blank=True,
        validators=[MaxValueValidator(MAX_MAILBOXES)], help_text=_("Empty: no limit."),
    )  # fmt: skip
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    # With its domains; taken back, or gone for good after MAILBOX_GRACE_DAYS.
    deleted_at = models.DateTimeField(_("deleted"), null=True, blank=True, editable=False)
    # The days are over, or somebody did not wait for them: its domains go, then the customer, and come back no more.
    is_going = models.BooleanField(_("is being removed for good"), default=False, db_default=False, editable=False)

    class Meta:
        verbose_name = _("customer")
        verbose_name_plural = _("customers")
        ordering = ["name", "pk"]
        indexes = [
            models.Index(fields=["name", "id"], name="customer_name"),
            models.Index(fields=["created_at"], name="customer_created"),
            models.Index(fields=["name"], name="customer_deleted", condition=models.Q(deleted_at__isnull=False)),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(deleted_at__isnull=False) | models.Q(is_going=False),
                name="only_a_deleted_customer_goes",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.number})"

    @property
    def gone_from(self) -> datetime | None:
        """When it goes for good (UTC); None: it was not deleted."""
        return _gone_from(self.deleted_at)


def _gone_from(deleted_at: datetime | None) -> datetime | None:
    return deleted_at + timedelta(days=settings.MAILBOX_GRACE_DAYS) if deleted_at else None


def _replies_per_hour() -> Any:
    return models.PositiveIntegerField(
        _("automatic replies an hour at most"), null=True, blank=True, help_text=_("Empty: as usual. 0: no limit.")
    )


def _recipients(words: Any) -> Any:
    return models.PositiveIntegerField(
        words, null=True, blank=True, validators=[MaxValueValidator(MAX_RECIPIENTS)],
        help_text=_("Empty: as usual. 0: no limit."),
    )  # fmt: skip


def _suspended_at() -> Any:
    return models.DateTimeField(_("suspended since"), null=True, blank=True, editable=False)


def _was_active() -> Any:
    # Of a row that is suspended or deleted: how it is when that ends. Of others it says nothing.
    return models.BooleanField(default=True, db_default=True, editable=False)


def _refuses_from() -> Any:
    # Until then senders are asked to come again; afterwards they are told that nobody reads here (view `mail_refused`).
    return models.DateTimeField(_("refuses mail for good from"), null=True, blank=True, editable=False)


def _quota_mb(words: Any) -> Any:
    return models.PositiveIntegerField(
        words, null=True, blank=True, validators=[MaxValueValidator(MAX_QUOTA_MB)], help_text=_("Empty: no limit.")
    )


class Domain(models.Model):
    """A domain whose mail we receive. The name is in normal form: lower-case A-labels."""

    name = models.CharField(_("domain"), max_length=253, unique=True, validators=[validate_domain_name])
    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="domains", null=True, blank=True, verbose_name=_("customer")
    )
    is_active = models.BooleanField(_("receives mail"), default=True)
    replies_per_hour = _replies_per_hour()
    quota_mb = _quota_mb(_("space of each mailbox, MB"))
    total_quota_mb = models.PositiveIntegerField(
        _("space of all mailboxes together, MB"), null=True, blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_TOTAL_QUOTA_MB)],
        help_text=_(
            "As much as may be allotted to them; then each of them needs a space. Empty: no limit."
        ),
    )  # fmt: skip
    max_mailboxes = models.PositiveIntegerField(
        _("mailboxes at most"), null=True, blank=True, help_text=_("Empty: no limit.")
    )
    catch_all = models.ForeignKey(
        "Mailbox", models.SET_NULL, related_name="+", null=True, blank=True, verbose_name=_("catch-all"),
        help_text=_("Gets mail to addresses of the domain that nobody has. Such mail is never answered."),
    )  # fmt: skip
    has_bounce_address = models.BooleanField(
        _("replies have a bounce address"), default=False, db_default=False,
        help_text=_("As their sender in the envelope, instead of none: for relays that refuse mail without one."),
    )  # fmt: skip
    suspended_at = _suspended_at()
    refuses_from = _refuses_from()
    was_active = _was_active()
    # With all that is in it, of which no row is touched: whatever a mailbox was before, it is when the domain is taken
    # back. The name stays its own until everything is gone for good, MAILBOX_GRACE_DAYS later.
    deleted_at = models.DateTimeField(_("deleted"), null=True, blank=True, editable=False)
    # Taken back with its customer, too.
    deleted_with_customer = models.BooleanField(default=False, db_default=False, editable=False)
    # The days are over, or somebody did not wait for them: it goes piece by piece, and comes back no more.
    is_going = models.BooleanField(_("is being removed for good"), default=False, db_default=False, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    # By a record in the DNS (DomainClaim); for what staff and commands make their word counts. Postfix knows no others.
    proven_at = models.DateTimeField(_("ownership proven"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("domain")
        verbose_name_plural = _("domains")
        ordering = ["name"]
        indexes = [
            models.Index(fields=["created_at"], name="domain_created"),
            # Few are; every list of mailboxes leaves theirs out.
            models.Index(fields=["name"], name="domain_deleted", condition=models.Q(deleted_at__isnull=False)),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(name__regex=r"^[a-z0-9_-]+(\.[a-z0-9_-]+)*$"), name="domain_name_is_normal"
            ),
            models.CheckConstraint(
                condition=models.Q(suspended_at=None) | models.Q(is_active=False), name="suspended_domain_is_not_active"
            ),
            # So nothing that mail servers read knows it: not even as suspended.
            models.CheckConstraint(
                condition=models.Q(deleted_at=None) | models.Q(is_active=False, suspended_at=None),
                name="deleted_domain_is_not_active",
            ),
            models.CheckConstraint(
                condition=models.Q(deleted_at__isnull=False) | models.Q(deleted_with_customer=False, is_going=False),
                name="only_a_deleted_domain_goes",
            ),
        ]

    def __str__(self) -> str:
        return addresses.display_domain(self.name)

    @property
    def gone_from(self) -> datetime | None:
        """When it goes for good (UTC); None: it was not deleted."""
        return _gone_from(self.deleted_at)


class _Address(models.Model):
    """A local part at one of our domains. No mailbox and alias share an address (a trigger holds it)."""

    # The unique index on domain and local part begins with it.
    domain = models.ForeignKey(Domain, models.PROTECT, to_field="name", db_index=False, verbose_name=_("domain"))
    local_part = models.CharField(_("part before the @"), max_length=64, validators=[validate_local_part])
    address = models.GeneratedField(
        expression=models.Func(
            models.F("local_part"),
            models.F("domain_id"),
            template="%(expressions)s",
            arg_joiner=" || '@' || ",
        ),
        output_field=models.CharField(max_length=320),
        db_persist=True,
        unique=True,
        verbose_name=_("address"),
    )
    is_active = models.BooleanField(_("receives mail"), default=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        abstract = True
        ordering = ["address"]
        constraints = [
            models.UniqueConstraint(fields=["domain", "local_part"], name="%(class)s_address_is_unique"),
            models.CheckConstraint(
                condition=models.Q(local_part=Lower("local_part")) & ~models.Q(local_part__regex=r"[@\s[:cntrl:]]"),
                name="%(class)s_local_part_is_normal",
            ),
        ]

    def __str__(self) -> str:
        return addresses.display(f"{self.local_part}@{self.domain_id}")

    def clean(self) -> None:
        self.local_part = unicodedata.normalize("NFC", self.local_part).lower()


class Mailbox(_Address):
    """A place where mail is kept, and the person or role that reads it."""

    name = models.CharField(_("name"), max_length=200, blank=True, help_text=_("As replies show it: Anna Nowak"))
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        related_name="mailboxes",
        null=True,
        blank=True,
        verbose_name=_("owner"),
    )
    language = models.CharField(_("language"), max_length=10, choices=LANGUAGES, default=default_language)
    time_zone = models.CharField(
        _("time zone"), max_length=64, default=default_time_zone, validators=[validate_time_zone]
    )
    holiday_country = models.CharField(
        _("public holidays of"), max_length=2, blank=True, db_default="", default="", validators=[validate_country],
        help_text=_("ISO 3166-1 code of a country; empty: as for the whole panel."),
    )  # fmt: skip
    replies_per_hour = _replies_per_hour()
    quota_mb = _quota_mb(_("space, MB"))
    recipients_per_hour = _recipients(_("recipients of its own mail an hour at most"))
    recipients_per_day = _recipients(_("recipients of its own mail a day at most"))
    # Where the mail lies on Dovecot's host, below its folder of all mail; it stays when the address changes.
    # Made by the database (trigger `mailbox_has_a_home`), another one than any mailbox had before.
    home = models.CharField(_("folder"), max_length=400, unique=True, editable=False, db_default="")
    suspended_at = _suspended_at()
    refuses_from = _refuses_from()
    was_active = _was_active()
    # Gone for everybody but whoever may take it back; deleted for good after MAILBOX_GRACE_DAYS.
    deleted_at = models.DateTimeField(_("deleted"), null=True, blank=True, editable=False, db_index=True)
    # Where mail goes instead from a moment on, by the database's clock: the person has left (view `mail_aliases`).
    successor = models.ForeignKey(
        "self", models.SET_NULL, related_name="+", null=True, blank=True, verbose_name=_("successor")
    )
    successor_from = models.DateTimeField(_("mail goes to the successor from"), null=True, blank=True)
    notify_started = models.BooleanField(_("when it starts"), default=True)
    notify_ended = models.BooleanField(_("when it ends, with whom it answered"), default=True)
    notify_ending = models.BooleanField(_("the evening before the end"), default=True)
    notify_still_on = models.BooleanField(_("every two weeks while there is no end"), default=True)

    class Meta(_Address.Meta):
        verbose_name = _("mailbox")
        verbose_name_plural = _("mailboxes")
        constraints = [
            *_Address.Meta.constraints,
            models.CheckConstraint(
                condition=models.Q(suspended_at=None, deleted_at=None) | models.Q(is_active=False),
                name="suspended_or_deleted_mailbox_is_not_active",
            ),
        ]
        # For lists: few of a million receive no mail.
        indexes = [
            models.Index(fields=["created_at"], name="mailbox_created"),
            models.Index(fields=["domain", "id"], name="mailbox_of_domain"),
            # What is allotted in a domain is summed up without a look at the mailboxes themselves.
            models.Index(
                fields=["domain", "quota_mb"], name="mailbox_own_space", condition=models.Q(quota_mb__isnull=False)
            ),
            models.Index(fields=["language"], name="mailbox_language"),
            models.Index(fields=["address"], name="mailbox_closed", condition=models.Q(is_active=False)),
            models.Index(fields=["address"], name="mailbox_suspended", condition=models.Q(suspended_at__isnull=False)),
        ]

    def clean(self) -> None:
        super().clean()
        if self._state.adding:  # one that is there may be changed
            try:
                validate_new_mailbox(self.local_part)
            except ValidationError as error:
                raise ValidationError({"local_part": error}) from error

    @property
    def zone_city(self) -> str:
        """The time zone's city, in the active language."""
        return time_zones.city(self.time_zone)

    @property
    def country(self) -> str:
        """Whose public holidays are days off (ISO 3166-1)."""
        return self.holiday_country or str(settings.HOLIDAY_COUNTRY)


class Alias(_Address):
    """An address that stands for mailboxes or outside addresses."""

    class Meta(_Address.Meta):
        verbose_name = _("alias")
        verbose_name_plural = _("aliases")
        indexes = [models.Index(fields=["created_at"], name="alias_created")]


class AliasTarget(models.Model):
    """One place an alias leads to: a mailbox of ours, or an address elsewhere."""

    alias = models.ForeignKey(Alias, models.CASCADE, related_name="targets", verbose_name=_("alias"))
    mailbox = models.ForeignKey(
        Mailbox,
        models.CASCADE,
        related_name="alias_targets",
        null=True,
        blank=True,
        verbose_name=_("mailbox"),
    )
    outside_address = models.CharField(_("outside address"), max_length=320, blank=True)
    # A group alias is its members' own address only where the member says so.
    is_own_address = models.BooleanField(
        _("counts as the mailbox's own address"),
        default=False,
        help_text=_("For an alias of several mailboxes: mail to it may be answered by this mailbox's responder."),
    )

    class Meta:
        verbose_name = _("alias target")
        verbose_name_plural = _("alias targets")
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(mailbox__isnull=False, outside_address="")
                | models.Q(mailbox__isnull=True) & ~models.Q(outside_address=""),
                name="alias_target_is_mailbox_or_outside_address",
                violation_error_message=_("Choose a mailbox or write an outside address, not both."),
            ),
            models.UniqueConstraint(fields=["alias", "mailbox"], name="alias_leads_to_a_mailbox_once"),
        ]

    def __str__(self) -> str:
        return str(self.mailbox) if self.mailbox_id else self.outside_address


class AppPassword(models.Model):
    """A password for one mail program, where the owner's own does not do: the account has a second factor.

    Made by chance and long, so that a plain SHA-256 is enough; Dovecot compares it. It counts while the mailbox is its
    owner's, and opens nothing of the next one's (view `mail_app_passwords`).
    """

    # The unique index on mailbox and digest begins with it.
    mailbox = models.ForeignKey(
        Mailbox, models.CASCADE, related_name="app_passwords", db_index=False, verbose_name=_("mailbox")
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="app_passwords", verbose_name=_("owner")
    )
    name = models.CharField(_("name"), max_length=100)
    digest = models.CharField(max_length=64, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("password of a mail program")
        verbose_name_plural = _("passwords of mail programs")
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["mailbox", "digest"], name="app_password_is_unique")]
        indexes = [models.Index(fields=["created_at"], name="app_password_created")]

    def __str__(self) -> str:
        return self.name


class Delegation(models.Model):
    """That a colleague looks after a mailbox's autoresponders, until the owner takes it back."""

    mailbox = models.ForeignKey(Mailbox, models.CASCADE, related_name="delegations", verbose_name=_("mailbox"))
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="delegations", verbose_name=_("colleague")
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, related_name="+", null=True, verbose_name=_("by")
    )

    class Meta:
        verbose_name = _("delegation")
        verbose_name_plural = _("delegations")
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["mailbox", "user"], name="delegated_to_a_person_once")]
        indexes = [models.Index(fields=["created_at"], name="delegation_created")]

    def __str__(self) -> str:
        return f"{self.mailbox} → {self.user}"
