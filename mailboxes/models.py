"""Who receives mail, and who may touch it."""

import functools
import unicodedata
from typing import Any, ClassVar
from zoneinfo import available_timezones

from django.apps import apps
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from mailboxes import addresses, log_words, time_zones
from mailboxes.countries import validate_country

MAX_QUOTA_MB = 10_000_000
MAX_RECIPIENTS = 10_000_000
LANGUAGES = [("pl", _("Polish")), ("en", _("English"))]


@functools.cache
def _time_zones() -> frozenset[str]:
    """Read once: it takes ten milliseconds."""
    return frozenset(available_timezones())


def validate_time_zone(name: str) -> None:
    """Accept the names of the IANA time zone database only."""
    if name not in _time_zones():
        raise ValidationError(_("“%(name)s” is not a time zone."), params={"name": name}, code="time_zone")


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


def default_time_zone() -> str:
    return str(settings.DEFAULT_MAILBOX_TIME_ZONE)


def default_language() -> str:
    return str(settings.DEFAULT_MAILBOX_LANGUAGE)


class UserManager(BaseUserManager["User"]):
    """Makes users by address; the address is normalised, the password hashed."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=addresses.normalise(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=addresses.normal_form_or_none(username or "") or "")


class User(AbstractBaseUser, PermissionsMixin):
    """A person who signs in, by address and password."""

    email = models.EmailField(_("address"), unique=True)
    # Longer than Django's own: hashes that were imported name their scheme, and some are long.
    password = models.CharField(_("password"), max_length=255)
    name = models.CharField(_("name"), max_length=200, blank=True)
    # Of the pages; empty: as the browser asks.
    language = models.CharField(_("language"), max_length=10, choices=LANGUAGES, blank=True)
    is_staff = models.BooleanField(_("may open the administration"), default=False)
    is_active = models.BooleanField(_("may sign in"), default=True)
    # In the administration: then only staff let the person in again, not the company's administrator.
    is_blocked_by_staff = models.BooleanField(default=False, db_default=False, editable=False)
    date_joined = models.DateTimeField(_("created"), auto_now_add=True)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        ordering = ["email"]
        constraints = [
            models.CheckConstraint(condition=models.Q(email=Lower("email")), name="user_email_is_lower_case"),
        ]
        # For lists: few of a million may not sign in, and few are staff.
        indexes = [
            models.Index(fields=["date_joined"], name="user_joined"),
            models.Index(fields=["email"], name="user_blocked", condition=models.Q(is_active=False)),
            models.Index(fields=["email"], name="user_staff", condition=models.Q(is_staff=True)),
            models.Index(fields=["email"], name="user_superuser", condition=models.Q(is_superuser=True)),
        ]

    def __str__(self) -> str:
        return self.email

    @cached_property
    def group_names(self) -> frozenset[str]:
        """Asked once for each request: several places want to know."""
        return frozenset(self.groups.values_list("name", flat=True))

    @cached_property
    def time_zone(self) -> str:
        """In which the person thinks: that of their first mailbox, else the panel's. Asked once for each request."""
        zones = Mailbox.objects.filter(owner=self).order_by("address").values_list("time_zone", flat=True)
        return zones.first() or default_time_zone()

    def get_full_name(self) -> str:
        return self.name or self.email

    def get_short_name(self) -> str:
        return self.get_full_name()


class Customer(models.Model):
    """A company or person that domains belong to."""

    name = models.CharField(_("name"), max_length=200)
    number = models.CharField(_("customer number"), max_length=50, unique=True)
    administrators = models.ManyToManyField(
        User, related_name="administers", blank=True, verbose_name=_("administrators"),
        help_text=_("Manage the mailboxes of this customer's domains in the panel."),
    )  # fmt: skip
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("customer")
        verbose_name_plural = _("customers")
        ordering = ["name", "pk"]
        indexes = [
            models.Index(fields=["name", "id"], name="customer_name"),
            models.Index(fields=["created_at"], name="customer_created"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.number})"


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
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    # By a record in the DNS (DomainClaim); for what staff and commands make their word counts. Postfix knows no others.
    proven_at = models.DateTimeField(_("ownership proven"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("domain")
        verbose_name_plural = _("domains")
        ordering = ["name"]
        indexes = [models.Index(fields=["created_at"], name="domain_created")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(name__regex=r"^[a-z0-9_-]+(\.[a-z0-9_-]+)*$"), name="domain_name_is_normal"
            ),
            models.CheckConstraint(
                condition=models.Q(suspended_at=None) | models.Q(is_active=False), name="suspended_domain_is_not_active"
            ),
        ]

    def __str__(self) -> str:
        return addresses.display_domain(self.name)


class DkimKey(models.Model):
    """A key that signs what leaves a domain (RFC 6376). First it waits for its record in the DNS, then it signs, then
    its record stays there a while. One of each algorithm signs at a time."""

    class Algorithm(models.TextChoices):
        """RSA every receiver knows; Ed25519 (RFC 8463) is short, and not every receiver knows it yet."""

        RSA = "rsa", "RSA"
        ED25519 = "ed25519", "Ed25519"

    domain = models.ForeignKey(
        Domain, models.CASCADE, to_field="name", related_name="dkim_keys", verbose_name=_("domain")
    )
    selector = models.CharField(_("selector"), max_length=63)
    algorithm = models.CharField(_("algorithm"), max_length=10, choices=Algorithm.choices)
    # As rspamd wants it (PEM for RSA, the seed in base64 for Ed25519), sealed: mailboxes/sealing.py.
    sealed_key = models.TextField(editable=False)
    public_key = models.TextField(_("public key"), editable=False, help_text=_("In base64, as the record has it."))
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    checked_at = models.DateTimeField(_("record last looked for"), null=True, blank=True, editable=False)
    seen_at = models.DateTimeField(_("record last seen"), null=True, blank=True, editable=False)
    signs_since = models.DateTimeField(_("signs since"), null=True, blank=True, editable=False)
    retired_at = models.DateTimeField(_("signed until"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("DKIM key")
        verbose_name_plural = _("DKIM keys")
        ordering = ["domain", "-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["domain", "selector"], name="dkim_selector_is_unique"),
            models.UniqueConstraint(
                fields=["domain", "algorithm"], name="one_dkim_key_signs",
                condition=models.Q(signs_since__isnull=False, retired_at=None),
            ),
            models.UniqueConstraint(
                fields=["domain", "algorithm"], name="one_dkim_key_waits", condition=models.Q(signs_since=None),
            ),
            models.CheckConstraint(
                condition=models.Q(retired_at=None) | models.Q(signs_since__isnull=False),
                name="dkim_key_that_retired_has_signed",
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.selector}._domainkey.{self.domain_id}"

    @property
    def signs(self) -> bool:
        """Whether what leaves now is signed with it."""
        return self.signs_since is not None and self.retired_at is None

    @property
    def waits(self) -> bool:
        """Whether it has not signed yet."""
        return self.signs_since is None


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
            models.Index(fields=["language"], name="mailbox_language"),
            models.Index(fields=["address"], name="mailbox_closed", condition=models.Q(is_active=False)),
            models.Index(fields=["address"], name="mailbox_suspended", condition=models.Q(suspended_at__isnull=False)),
        ]

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


class SendingCount(models.Model):
    """To how many recipients a mailbox's mail programs sent within ten minutes. Written by Postfix (`mail_sending`)."""

    pk = models.CompositePrimaryKey("mailbox_id", "bucket")
    mailbox = models.ForeignKey(Mailbox, models.CASCADE, related_name="+", db_index=False)
    bucket = models.DateTimeField()
    recipients = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.mailbox_id}, {self.bucket:%d.%m. %H:%M}: {self.recipients}"


class SendingStop(models.Model):
    """That a mailbox sent to as many recipients as it may. One row each, of the latest time.

    It lasts while recipients are refused, and is over when none was for an hour. Written by Postfix
    (`mail_sending`); `told_at` by the task that tells owner and staff.
    """

    mailbox = models.OneToOneField(
        Mailbox, models.CASCADE, related_name="sending_stop", primary_key=True, verbose_name=_("mailbox")
    )
    recipients = models.PositiveIntegerField(_("recipients at most"))
    hours = models.PositiveSmallIntegerField(_("within hours"))
    stopped_at = models.DateTimeField(_("stopped"))
    last_at = models.DateTimeField(_("last recipient refused"))
    told_at = models.DateTimeField(_("told"), null=True)

    class Meta:
        verbose_name = _("stopped sender")
        verbose_name_plural = _("stopped senders")
        ordering = ["-last_at"]

    def __str__(self) -> str:
        return str(self.mailbox)


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
    place = models.PositiveSmallIntegerField()
    # As the last check saw it; "unknown": it could not be asked, and the fields below are of an earlier check.
    last_state = models.CharField(_("at the last check"), max_length=10)
    state = models.CharField(_("state"), max_length=10)
    reason = models.CharField(_("reason"), max_length=20)
    found = models.JSONField(default=list)
    publish = models.JSONField(default=list)  # name, type, value
    since = models.DateTimeField(_("since"), null=True)
    wanted = models.TextField()
    worked = models.BooleanField(default=False)
    times_bad = models.PositiveIntegerField(default=0)
    bad_at = models.DateTimeField(null=True)
    broke_at = models.DateTimeField(_("broken since"), null=True)
    told_at = models.DateTimeField(null=True)

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
    found = models.JSONField(default=list)
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


class Way(models.TextChoices):
    """By which door a change came. Empty: by the clock, or from before it was kept."""

    PANEL = "panel", _("panel")
    ADMINISTRATION = "administration", _("administration")
    COMMAND = "command", _("command")
    IMPORT = "import", _("import")
    LINK = "link", _("link in a notice")


class LogLine(models.Model):
    """What was changed of a customer, domain, mailbox, alias or person: by whom, from where, by which door.

    Only ever added to: the database refuses everything else, but to forget a person on purpose.
    """

    at = models.DateTimeField(_("time"), default=timezone.now, editable=False)
    # No foreign key: the log outlives what it tells of.
    model = models.CharField(_("kind"), max_length=100)
    key = models.CharField(max_length=64, blank=True)
    name = models.CharField(_("what"), max_length=320, blank=True)
    words = models.TextField(_("change"))
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", null=True, verbose_name=_("by")
    )
    place = models.GenericIPAddressField(_("from"), null=True)
    way = models.CharField(_("way"), max_length=20, choices=Way.choices, blank=True, db_default="", default="")

    class Meta:
        verbose_name = _("line of the log")
        verbose_name_plural = _("log")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["model", "key", "-id"], name="log_of_row"),
            models.Index(fields=["name"], name="log_name"),
            models.Index(fields=["at"], name="log_time"),
            models.Index(fields=["way", "-id"], name="log_way"),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.name}: {self.sentence[:60]}"

    @property
    def sentence(self) -> str:
        """What happened, in the language of whoever reads it."""
        return log_words.sentence(self.words, self._label)

    @property
    def kind(self) -> str:
        """Of what it tells, as the administration calls it."""
        about = self._about()
        return str(about._meta.verbose_name) if about else self.model  # noqa: SLF001 (Django's documented way)

    def _about(self) -> type[models.Model] | None:
        try:
            return apps.get_model(self.model)
        except (LookupError, ValueError):  # from before a model was renamed or went
            return None

    def _label(self, field: str) -> str | None:
        about = self._about()
        try:
            return str(about._meta.get_field(field).verbose_name) if about else None  # type: ignore[union-attr]  # noqa: SLF001 (as above)
        except (FieldDoesNotExist, AttributeError):
            return None
