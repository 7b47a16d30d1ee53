"""Settings. Everything that differs between installations comes from the environment.

`make run` writes what it started (database, Redis, relay) into VAR_DIR/panel.env, so that a command
typed in another terminal talks to the same panel; a variable already in the environment wins.
"""

from pathlib import Path

import environ
from django.utils.translation import gettext_lazy as _

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
VAR_DIR = Path(env.str("VAR_DIR", default=str(BASE_DIR / "var"))).resolve()
if (VAR_DIR / "panel.env").is_file():
    env.read_env(VAR_DIR / "panel.env")

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="")  # refused when empty, see webmail_panel/checks.py
# Earlier keys: sessions and second factors made under them go on.
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1"] if DEBUG else [])
# Where the panel is, for links in mail.
PANEL_URL = env.str("PANEL_URL", default="http://localhost:8000" if DEBUG else f"https://{(ALLOWED_HOSTS or [''])[0]}")
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
# True behind a TLS proxy (the only way to run it for real); the demo speaks plain HTTP on localhost.
HTTPS = env.bool("HTTPS", default=not DEBUG)

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",  # without a site of its own
    "webmail_panel.admin_site.PanelAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.forms",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "crispy_forms",
    "crispy_bootstrap5",
    "django_htmx",
    "mailboxes",
    "responders",
    "importing",
    "webmail_panel",
]

MIDDLEWARE = [
    "webmail_panel.middleware.ShortPatienceMiddleware",
    "webmail_panel.hosted_names.HostedNamesMiddleware",
    "webmail_panel.mta_sts.MtaStsMiddleware",  # under names of the customers' domains, which ALLOWED_HOSTS has not
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.gzip.GZipMiddleware",  # with padding of its own, so that the size tells no secret (BREACH)
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "webmail_panel.middleware.PersonMiddleware",
    "webmail_panel.middleware.OwnLanguageMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "webmail_panel.middleware.LastSeenMiddleware",
    "webmail_panel.middleware.SecondFactorMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "webmail_panel.middleware.SecurityHeadersMiddleware",
    "webmail_panel.once_more.OnceMoreMiddleware",
]

ROOT_URLCONF = "webmail_panel.urls"
WSGI_APPLICATION = "webmail_panel.wsgi.application"
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "webmail_panel.context.demo",
                "webmail_panel.context.roles",
            ],
        },
    },
]
CRISPY_ALLOWED_TEMPLATE_PACKS = "bootstrap5"
CRISPY_TEMPLATE_PACK = "bootstrap5"

# A host that vanished is given up within seconds, not when the kernel despairs of it a quarter of an hour later.
# libpq's names, seconds and milliseconds; what DATABASE_URL says otherwise holds.
DATABASE_PATIENCE = {
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
}
DATABASE = env.db_url("DATABASE_URL", default="postgresql:///webmail_panel")
# Django's own backend, with less patience while a page is made: webmail_panel/database.
BACKENDS = {"django.db.backends.postgresql": "webmail_panel.database"}
DATABASES = {
    "default": DATABASE
    | {
        "ENGINE": BACKENDS.get(DATABASE["ENGINE"], DATABASE["ENGINE"]),
        "OPTIONS": DATABASE_PATIENCE | DATABASE.get("OPTIONS", {}),
        "ATOMIC_REQUESTS": True,
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.str("REDIS_URL", default="redis://127.0.0.1:6379/0")
CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}

# Where rspamd reads the keys that sign outgoing mail, in clear.
DKIM_REDIS_URL = env.str("DKIM_REDIS_URL", default=REDIS_URL)
# A new domain gets a key without being asked; it signs once its record is in the DNS.
DKIM_FOR_NEW_DOMAINS = env.bool("DKIM_FOR_NEW_DOMAINS", default=True)

CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default=REDIS_URL)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_TIME_LIMIT = 300
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "celerybeat-schedule")
CELERY_BEAT_SCHEDULE = {
    "count-decisions": {
        "task": "responders.tasks.count_decisions",
        "schedule": 300.0,
        "options": {"expires": 250},
    },
    "go-on-with-batches": {
        "task": "responders.tasks.go_on_with_batches",
        "schedule": 30.0,
        "options": {"expires": 25},
    },
    "send-notices": {
        "task": "responders.tasks.send_notices",
        "schedule": 60.0,
        "options": {"expires": 50},
    },
    "tell-of-drawn-brakes": {
        "task": "responders.tasks.tell_of_drawn_brakes",
        "schedule": 60.0,
        "options": {"expires": 50},
    },
    "delete-old-reply-counts": {
        "task": "responders.tasks.delete_old_reply_counts",
        "schedule": 3600.0,
        "options": {"expires": 1800},
    },
    "tell-of-stopped-senders": {
        "task": "responders.tasks.tell_of_stopped_senders",
        "schedule": 60.0,
        "options": {"expires": 50},
    },
    "tell-of-links": {
        "task": "mailboxes.tasks.tell_of_links",
        "schedule": 60.0,
        "options": {"expires": 50},
    },
    "delete-old-sending-counts": {
        "task": "mailboxes.tasks.delete_old_sending_counts",
        "schedule": 3600.0,
        "options": {"expires": 1800},
    },
    "delete-old-drafts": {
        "task": "responders.tasks.delete_old_drafts",
        "schedule": 3600.0,
        "options": {"expires": 1800},
    },
    "delete-old-refusals": {
        "task": "responders.tasks.delete_old_refusals",
        "schedule": 3600.0,
        "options": {"expires": 1800},
    },
    "apply-due-transitions": {
        "task": "responders.tasks.apply_due_transitions",
        "schedule": 5.0,
        "options": {"expires": 30},
    },
    "forget-ended-sessions": {
        "task": "mailboxes.tasks.forget_ended_sessions",
        "schedule": 3600.0,
        "options": {"expires": 1800},
    },
    "write-dkim-keys": {
        "task": "mailboxes.tasks.write_dkim_keys",
        "schedule": 60.0,
        "options": {"expires": 50},
    },
    "make-first-dkim-keys": {
        "task": "mailboxes.tasks.make_first_dkim_keys",
        "schedule": 60.0,
        "options": {"expires": 50},
    },
    "start-published-dkim-keys": {
        "task": "mailboxes.tasks.start_published_dkim_keys",
        "schedule": 600.0,
        "options": {"expires": 550},
    },
    "check-domains": {
        "task": "mailboxes.tasks.check_domains",
        "schedule": 300.0,
        "options": {"expires": 250},
    },
    "look-at-claims": {
        "task": "mailboxes.tasks.look_at_claims",
        "schedule": 300.0,
        "options": {"expires": 250},
    },
    "purge-deleted-mailboxes": {
        "task": "mailboxes.tasks.purge_deleted_mailboxes",
        "schedule": 3600.0,
        "options": {"expires": 1800},
    },
    "delete-old-decisions": {
        "task": "responders.tasks.delete_old_decisions",
        "schedule": 3600.0,
        "options": {"expires": 1800},
    },
}

AUTH_USER_MODEL = "mailboxes.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "mailboxes.hashers.DovecotArgon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
    "mailboxes.hashers.ForeignPasswordHasher",  # what `import` took from another system
]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("email", "name")},
    },
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "mailboxes.passwords.CommonWordValidator"},
]
ACCOUNT_ADAPTER = "mailboxes.adapters.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_FORMS = {
    "login": "mailboxes.pages.forms.SignInForm",
    "change_password": "mailboxes.pages.forms.PasswordForm",
    "reauthenticate": "mailboxes.pages.forms.PasswordAgainForm",
}
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
# Counted in Redis: for all processes, across restarts.
ACCOUNT_RATE_LIMITS = {
    "login": "120/m/ip",  # what hashing passwords may cost; a whole office may come from one address on Monday at 8:00
    "login_failed": "10/m/ip",  # keys at the second step; passwords and codes have mailboxes/brake.py
    "reauthenticate": "10/m/user,50/h/user",
    "change_password": "5/m/user,20/h/user",
}
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "mailbox_list"
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
# Support staff and administrators set up a second factor before anything else. The demo's logins have none.
REQUIRE_STAFF_MFA = env.bool("REQUIRE_STAFF_MFA", default=not DEBUG)
MFA_ADAPTER = "mailboxes.adapters.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_ALLOW_UNVERIFIED_EMAIL = True  # addresses are given by staff, none is ever to be verified
MFA_TOTP_ISSUER = "Webmail Panel"
MFA_TOTP_TOLERANCE = 1  # steps of 30 s before and after: clocks differ (RFC 6238 §5.2); a code counts once, see forms
MFA_FORMS = {
    "authenticate": "mailboxes.pages.forms.SecondFactorForm",
    "reauthenticate": "mailboxes.pages.forms.SecondFactorAgainForm",
    "activate_totp": "mailboxes.pages.forms.AppForm",
    "authenticate_webauthn": "mailboxes.pages.forms.KeyStepForm",
    "reauthenticate_webauthn": "mailboxes.pages.forms.KeyAgainForm",
    "add_webauthn": "mailboxes.pages.forms.KeyForm",
    "edit_webauthn": "mailboxes.pages.forms.KeyNameForm",
}

UNFOLD = {
    "SITE_TITLE": "Webmail Panel",
    "SITE_HEADER": "Webmail Panel",
    "SITE_SUBHEADER": _("Times are in UTC"),
    "SITE_URL": "/",
    "SITE_ICON": lambda _request: STATIC_URL + "panel/favicon.svg",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda _request: STATIC_URL + "panel/favicon.svg"},
    ],
    "STYLES": [lambda _request: STATIC_URL + "panel/admin.css"],
    "COLORS": {
        "primary": {
            "50": "#eef7f6", "100": "#d5ebe9", "200": "#aed8d4", "300": "#7dbeb9", "400": "#479d98", "500": "#23807c",
            "600": "#0f5c5c", "700": "#0c4d4d", "800": "#0a3f3f", "900": "#083434", "950": "#042020",
        },
    },
}  # fmt: skip

LANGUAGE_CODE = "en"
LANGUAGES = [("pl", _("Polish")), ("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
# Zone and language of a new mailbox; each mailbox has its own.
DEFAULT_MAILBOX_TIME_ZONE = env.str("DEFAULT_MAILBOX_TIME_ZONE", default="Europe/Warsaw")
DEFAULT_MAILBOX_LANGUAGE = env.str("DEFAULT_MAILBOX_LANGUAGE", default="pl")
HOLIDAY_COUNTRY = env.str("HOLIDAY_COUNTRY", default="PL")  # ISO 3166-1: whose public holidays are days off

STATIC_URL = "/static/"
STATIC_ROOT = Path(env.str("STATIC_ROOT", default=str(VAR_DIR / "static")))
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

BEHIND_PROXY = env.bool("BEHIND_PROXY", default=False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None
# Wrong passwords are counted by the IP address, the client's and not the proxy's: else one guesser stops everybody.
ALLAUTH_TRUSTED_PROXY_COUNT = int(BEHIND_PROXY)
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]  # asked from the same host, past the proxy
SECURE_HSTS_SECONDS = 31536000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = HTTPS
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SECURE = HTTPS
CSRF_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SECURE = HTTPS
LANGUAGE_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"

# --- The delivery hook -------------------------------------------------------------------------------
# Domain of the copies that Postfix makes: local=domain@AUTOREPLY_DOMAIN. Never a real domain.
AUTOREPLY_DOMAIN = env.str("AUTOREPLY_DOMAIN", default="autoreply.invalid")
# Where replies go: smtp://host:port (Postfix; in the demo a relay that keeps them as files).
RELAY_URL = env.str("RELAY_URL", default="smtp://127.0.0.1:10026")
# The name in Message-ID, EHLO and the LMTP greeting, and the authserv-id of our own filter (RFC 8601 §2.5).
MAIL_HOSTNAME = env.str("MAIL_HOSTNAME", default="localhost")
# Where mail programs connect; 0 is a port that is not offered. As deploy/ listens.
IMAP_HOST = env.str("IMAP_HOST", default=MAIL_HOSTNAME)
IMAPS_PORT = env.int("IMAPS_PORT", default=993)
SUBMISSION_HOST = env.str("SUBMISSION_HOST", default=MAIL_HOSTNAME)
SUBMISSIONS_PORT = env.int("SUBMISSIONS_PORT", default=465)
SUBMISSION_PORT = env.int("SUBMISSION_PORT", default=587)
# Files in PEM, a certificate with its chain and its key: Apple's profiles are signed with them.
PROFILE_CERT = env.str("PROFILE_CERT", default="")
PROFILE_KEY = env.str("PROFILE_KEY", default="")
AUTHSERV_ID = env.str("AUTHSERV_ID", default=MAIL_HOSTNAME)
# A copy's Received field counts as ours when its "by" host is one of these; empty: whatever stands on top.
RECEIVED_BY_HOSTS = env.list("RECEIVED_BY_HOSTS", default=[])
RECIPIENT_DELIMITER = env.str("RECIPIENT_DELIMITER", default="+")
# Local parts of automatic senders beyond the built-in list; a leading or trailing * stands for anything.
SYSTEM_SENDERS = env.list("SYSTEM_SENDERS", default=[])
# The brake: so many replies an hour at most; 0 is no brake. A mailbox or a domain may have a limit of its own.
MAILBOX_REPLIES_PER_HOUR = env.int("MAILBOX_REPLIES_PER_HOUR", default=300)
DOMAIN_REPLIES_PER_HOUR = env.int("DOMAIN_REPLIES_PER_HOUR", default=3000)
# To so many recipients a mailbox's mail programs may send; 0 is no limit. A mailbox may have limits of its own.
MAILBOX_RECIPIENTS_PER_HOUR = env.int("MAILBOX_RECIPIENTS_PER_HOUR", default=300)
MAILBOX_RECIPIENTS_PER_DAY = env.int("MAILBOX_RECIPIENTS_PER_DAY", default=2000)
# Whether the DNS is asked if a sender's domain can take mail at all; the demo's domains are in no DNS.
CHECK_SENDER_DOMAINS = env.bool("CHECK_SENDER_DOMAINS", default=not DEBUG)
# ADDRESS:PORT of the name server to ask; empty: those of this machine.
DNS_SERVER = env.str("DNS_SERVER", default="")
if DEBUG and not DNS_SERVER:
    # The demo's domains are nobody's: the name servers of this machine are asked about them by a click alone.
    for _task in ("check-domains", "look-at-claims", "start-published-dkim-keys"):
        del CELERY_BEAT_SCHEDULE[_task]
# What must stand in the DNS of hosted domains: the hosts that take their mail, the hosts that send it (or the name of
# an SPF record that lists those), and where reports about DMARC and TLS go (empty: to the postmaster of the domain).
MX_HOSTS = env.list("MX_HOSTS", default=[MAIL_HOSTNAME])
SENDING_HOSTS = env.list("SENDING_HOSTS", default=[MAIL_HOSTNAME])
SPF_INCLUDE = env.str("SPF_INCLUDE", default="")
DNS_REPORTS_TO = env.str("DNS_REPORTS_TO", default="")
# What the policy at https://mta-sts.DOMAIN says (RFC 8461): testing, enforce; empty: there is none.
MTA_STS_MODE = env.str("MTA_STS_MODE", default="testing")
# An address that refused a reply for good gets none for so many days.
REFUSAL_DAYS = env.int("REFUSAL_DAYS", default=60)
# Where notices to people go out, and from whom. In the demo they end up beside the replies.
EMAIL_CONFIG = env.email_url("EMAIL_URL", default=RELAY_URL if DEBUG else "smtp://127.0.0.1:25")
vars().update(EMAIL_CONFIG)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.str("NOTICES_FROM", default=f"panel@{MAIL_HOSTNAME}")
# Opens /metrics to those who bring it; empty, there is no such page.
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")
# Who of the staff is told when a brake draws.
STAFF_NOTICES = env.list("STAFF_NOTICES", default=[])
# Header fields of the spam filter, "Name: value"; a value is compared from its beginning, case-insensitively.
SPAM_FIELDS = env.list("SPAM_FIELDS", default=["X-Spam-Flag: YES", "X-Spam: Yes", "X-Spam-Status: Yes"])
# Postfix's own log, where the panel may read it: support sees in it what became of a message.
MAIL_LOG = env.str("MAIL_LOG", default="")
MESSAGE_SIZE_LIMIT = env.int("MESSAGE_SIZE_LIMIT", default=100 * 1024 * 1024)
# Decisions older than this are deleted.
DECISION_RETENTION_DAYS = env.int("DECISION_RETENTION_DAYS", default=90)
# A deleted mailbox may be taken back for so many days; a suspended one takes mail again within so many, or refuses it.
MAILBOX_GRACE_DAYS = env.int("MAILBOX_GRACE_DAYS", default=30)
SUSPENSION_GRACE_DAYS = env.int("SUSPENSION_GRACE_DAYS", default=7)
# True: addresses stand in the log as they are. Otherwise as keyed hashes.
LOG_PLAIN_ADDRESSES = env.bool("LOG_PLAIN_ADDRESSES", default=DEBUG)
# The demo relay's folder; the panel shows it while DEBUG is on.
OUTBOX_DIR = VAR_DIR / "outbox"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "responders.hook.lines.LineFormatter"}},
    "handlers": {"console": {"class": "responders.hook.lines.LineHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        "django": {"handlers": []},  # its own handlers would say everything twice
        # A task that runs every five seconds would say so every five seconds; the demo relay tells every command.
        **{
            name: {"level": "WARNING"}
            for name in ("celery.app.trace", "celery.beat", "celery.worker.strategy", "mail.log")
        },
    },
}
