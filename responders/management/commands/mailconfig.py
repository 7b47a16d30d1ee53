"""`manage.py mailconfig postfix|dovecot|rspamd|nginx --output DIR`: the servers' files, from the templates in deploy/.

In a template @NAME@ is a placeholder. Every value is checked before it is written: what stands in a
mail server's configuration must not be able to add a line to it.
"""

import grp
import os
import pwd
import re
import shlex
import sys
from collections.abc import Mapping
from email.utils import parseaddr
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from mailboxes import addresses, hashers, mail_roles

TEMPLATES = settings.BASE_DIR / "deploy"
MADE_BY = "Made by `manage.py mailconfig {server}`, which writes it anew; templates: deploy/{server}/."
SUFFIXES = {".cf", ".conf", ".ext", ".inc", ".lua", ".sieve"}
MAIN_FILES = {
    "postfix": "main.cf",
    "dovecot": "dovecot.conf",
    "rspamd": "dkim_signing.conf",
    "nginx": "webmail-panel.conf",
}
SECRET_FILES = {"postfix": "pgsql-domains.cf", "dovecot": "sign-in.lua"}
# Of each call alone, not of what is written.
NOT_KEPT = {"server", "output", "force", "again", "password_stdin", "password"}
PANEL_USER = "webmail-panel"
HOOK = "127.0.0.1:8024"
LOCAL_NETWORKS = "127.0.0.0/8 [::1]/128"
_PLACEHOLDER = re.compile(r"@([A-Z_]+)@")
_OPTIONS_LINE = re.compile(r"^# Options: (.*)$", re.MULTILINE)
PASSWORD_LINE = re.compile(r"^(?:[^#\n]* )?password ?= ?(\S+)", re.MULTILINE)
_SAFE = re.compile(r"[^\s\x00-\x1f\x7f\"'$#;{}\\]+")

# Postfix before 3.9 speaks LATIN1 to PostgreSQL, whatever the bytes are; later ones say UTF8. These two turn the
# key into what was written and the result into what Postfix takes for it, under both. Without the collation the
# key has that of type name, and no index on an address would serve.
KEY = "convert_from(convert_to('%s', current_setting('client_encoding')), 'UTF8') COLLATE \"default\""
DOMAIN_OF_KEY = KEY.replace("%s", "%d")
RESULT = "convert_from(convert_to(result, 'UTF8'), current_setting('client_encoding'))"

SMTPD = """{listen} inet n    -       n       -       -       smtpd
    -o smtpd_client_restrictions=
    -o {filter}"""
# In front of smtpd: who talks before being spoken to, or is on a block list, gets no further (postscreen(8)).
POSTSCREEN = """{listen} inet n    -       n       -       1       postscreen
smtpd     pass  -       -       n       -       -       smtpd
    -o smtpd_client_restrictions=
    -o {filter}
dnsblog   unix  -       -       n       -       0       dnsblog
tlsproxy  unix  -       -       n       -       0       tlsproxy"""
# A message that asks for SMTPUTF8 counts as one that never asked; see master.cf.
NO_SMTPUTF8 = "{ smtpd_command_filter = regexp:{ { /^(MAIL FROM:.*) SMTPUTF8( .*)?$$/ $$1$$2 } } }"
POSTSCREEN_MAIN = """# Port 25 is behind postscreen(8).
postscreen_access_list = permit_mynetworks
postscreen_denylist_action = drop
postscreen_greet_action = enforce
postscreen_dnsbl_action = enforce
postscreen_dnsbl_threshold = 3
postscreen_dnsbl_sites = {sites}"""

SUBMISSION = """
# Mail programs of mailbox owners: encrypted ({how}), signed in, under their own addresses. Without
# a database to ask, they are told so before they sign in: see smtpd_client_restrictions in main.cf.
# SMTPUTF8 is not offered (RFC 6531): a letter that came with it and goes to a colleague too would
# be sent back, for Dovecot does not offer it, and so would the report about that.
{listen} inet n - n - - smtpd
    -o syslog_name=postfix/{name}
    -o smtpd_tls_security_level=encrypt{wrapper}
    -o smtpd_sasl_auth_enable=yes
    -o smtpd_discard_ehlo_keywords=smtputf8
    -o strict_smtputf8=yes
    -o smtpd_delay_reject=no
    -o {{ smtpd_relay_restrictions = $refuse_copies, reject_sender_login_mismatch,
        permit_sasl_authenticated, reject }}"""


class Command(BaseCommand):
    help = "Write the configuration of Postfix, Dovecot or rspamd for this panel."

    def add_arguments(self, parser: CommandParser) -> None:
        servers = parser.add_subparsers(dest="server", required=True)
        _add_postfix_options(servers.add_parser("postfix", help="main.cf, master.cf and the maps"))
        _add_dovecot_options(servers.add_parser("dovecot", help="dovecot.conf, its SQL, who signs in"))
        _add_nginx_options(servers.add_parser("nginx", help="what goes into its conf.d: the panel's site"))
        _add_rspamd_options(servers.add_parser("rspamd", help="what goes into its local.d: signing, the milter"))

    def handle(self, *args: Any, **options: Any) -> None:
        server, output = options["server"], Path(options["output"])
        if options["again"]:
            options = options_of_last_time(server, output) | _given_anew(options)
        for path in _write(server, output, values_of(server, options), options):
            self.stdout.write(str(path))


def _given_anew(options: Mapping[str, Any]) -> dict[str, Any]:
    """What counts beside the options of last time: another role comes with its password."""
    names = ["force", "password_stdin", "database_user"] if options.get("password_stdin") else ["force"]
    return {name: options[name] for name in names}


def values_of(server: str, options: Mapping[str, Any]) -> dict[str, str]:
    """What the placeholders of a server's templates stand for. Raises CommandError."""
    values = {"postfix": _postfix_values, "dovecot": _dovecot_values, "rspamd": _rspamd_values, "nginx": _nginx_values}[
        server
    ](options)
    return values | {"MADE_BY": MADE_BY.format(server=server), "OPTIONS": _in_words(_parser(), options)}


def rendered_again(server: str, output: Path) -> dict[str, str]:
    """The files as they would be written now with the options of last time, by name. Raises CommandError."""
    return _texts(server, values_of(server, options_of_last_time(server, output)))


def options_of_last_time(server: str, output: Path) -> dict[str, Any]:
    """The options that the files in a folder were written with, the role's password included. Raises CommandError."""
    try:
        main = (output / MAIN_FILES[server]).read_text(errors="replace")
    except OSError as error:
        raise CommandError(f"{error.filename} cannot be read: {error.strerror}") from error
    words = _OPTIONS_LINE.search(main)
    if words is None or MADE_BY.format(server=server) not in main:
        raise CommandError(f"{output / MAIN_FILES[server]} does not say with what options it was made")
    parsed = vars(_parser().parse_args([server, f"--output={output}", *shlex.split(words[1])]))
    return parsed | {"password": _written_password(server, output)}


def _written_password(server: str, output: Path) -> str:
    """Out of a file of ours: Debian's own beside it have examples of passwords. Raises CommandError."""
    if server not in SECRET_FILES:
        return ""
    path = output / SECRET_FILES[server]
    try:
        text = path.read_text(errors="replace")
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}") from error
    found = PASSWORD_LINE.search(text)
    if found is None or MADE_BY.format(server=server) not in text:
        raise CommandError(f"{path} does not hold the role's password")
    return found[1]


def _parser() -> CommandParser:
    return Command().create_parser("manage.py", "mailconfig")


def _in_words(parser: CommandParser, options: Mapping[str, Any]) -> str:
    """The options as a command line that gives them again; what is as ever (and no secret) is left out."""
    server, output = options["server"], options["output"]
    ever = vars(parser.parse_args([server, f"--output={output}"]))
    not_kept = NOT_KEPT | set(vars(BaseCommand().create_parser("manage.py", "any").parse_args([])))
    chosen = {name: value for name, value in options.items() if name in ever and name not in not_kept}
    words = [
        f"--{name.replace('_', '-')}={one}"
        for name, value in sorted(chosen.items())
        if value != ever[name] or name == "database_user"  # its default may come from the environment of the moment
        for one in (value if isinstance(value, list) else [value])
    ]
    return shlex.join(words)


def _add_output_options(parser: CommandParser) -> None:
    parser.add_argument("--output", required=True, metavar="DIR", help="made if it is not there")
    parser.add_argument("--force", action="store_true", help="overwrite files that this command has not made")
    parser.add_argument(
        "--again", action="store_true",
        help="with the options and the password of last time; with --password-stdin for another role or password",
    )  # fmt: skip
    parser.add_argument("--group", help="that may read the files with the password: a name or a number")


def _add_rspamd_options(parser: CommandParser) -> None:
    _add_output_options(parser)
    parser.add_argument("--listen", default="127.0.0.1:11332", metavar="HOST:PORT", help="(default: %(default)s)")
    parser.add_argument(
        "--networks", default=LOCAL_NETWORKS, metavar="NETWORKS",
        help="whose mail is signed without signing in (default: %(default)s)",
    )  # fmt: skip


def _add_nginx_options(parser: CommandParser) -> None:
    _add_output_options(parser)
    parser.add_argument("--tls-cert", metavar="FILE", help="certificate chain of the panel's name, in PEM")
    parser.add_argument("--tls-key", metavar="FILE", help="its private key")
    parser.add_argument("--panel-host", default="", metavar="NAME", help="(default: the first of ALLOWED_HOSTS)")
    parser.add_argument(
        "--web",
        action="append",
        metavar="HOST:PORT",
        help="a web server of the panel; may be repeated (default: 127.0.0.1:8000)",
    )
    parser.add_argument(
        "--names-tls", default="/etc/nginx/webmail-panel-names", metavar="DIR",
        help="certificates of autoconfig., autodiscover. and mta-sts. names, each in NAME.pem (default: %(default)s)",
    )  # fmt: skip
    for name, port in (("http", "80"), ("https", "443")):
        parser.add_argument(
            f"--{name}-listen",
            action="append",
            metavar="[HOST:]PORT",
            help=f"may be repeated (default: {port} and [::]:{port})",
        )


def _add_common_options(parser: CommandParser, role: mail_roles.MailRole) -> None:
    _add_output_options(parser)
    parser.add_argument(
        "--database-host",
        action="append",
        metavar="HOST",
        help="a name, an address or a socket's folder; given twice, the first is asked first (a local replica)",
    )
    parser.add_argument("--database-port", help="(default: the panel's own)")
    parser.add_argument("--database-name", help="(default: the panel's own)")
    parser.add_argument(
        "--database-user",
        default=os.environ.get(role.user_variable) or role.default_name,
        help=f"the role that `mailrole` made (default: {role.user_variable}, or {role.default_name})",
    )
    parser.add_argument(
        "--password-stdin",
        action="store_true",
        help=f"read the role's password from standard input instead of {role.password_variable}",
    )
    parser.add_argument("--tls-cert", metavar="FILE", help="certificate chain in PEM")
    parser.add_argument("--tls-key", metavar="FILE", help="its private key")
    parser.add_argument("--log", default="", metavar="FILE", help="log there instead of to syslog")


def _add_postfix_options(parser: CommandParser) -> None:
    _add_common_options(parser, mail_roles.POSTFIX)
    parser.add_argument("--hostname", default=settings.MAIL_HOSTNAME, help="(default: MAIL_HOSTNAME)")
    _add_neighbours_of_postfix(parser)
    _add_doors_of_postfix(parser)
    parser.add_argument(
        "--networks", default=LOCAL_NETWORKS, metavar="NETWORKS", help="may send anywhere (default: %(default)s)"
    )
    parser.add_argument("--relayhost", default="", metavar="[HOST]:PORT", help="all mail that leaves goes there")
    parser.add_argument("--postmaster", default="", metavar="ADDRESS", help="gets mail to this host's own addresses")


def _add_neighbours_of_postfix(parser: CommandParser) -> None:
    parser.add_argument(
        "--hook", action="append", metavar="HOST:PORT|unix:PATH",
        help=f"given several times, the next is tried where one does not answer (default: {HOOK})",
    )  # fmt: skip
    parser.add_argument(
        "--dovecot-lmtp",
        default="unix:private/dovecot-lmtp",
        metavar="HOST:PORT|unix:PATH",
        help="(default: %(default)s)",
    )
    parser.add_argument(
        "--dovecot-auth",
        default="unix:private/auth",
        metavar="HOST:PORT|unix:PATH",
        help="for submission (default: %(default)s)",
    )
    parser.add_argument(
        "--dovecot-quota",
        default="unix:private/quota-status",
        metavar="HOST:PORT|unix:PATH",
        help="says who has no space left (default: %(default)s)",
    )
    parser.add_argument(
        "--milter", default="", metavar="HOST:PORT|unix:PATH", help="rspamd, that signs what leaves (default: none)"
    )


def _add_doors_of_postfix(parser: CommandParser) -> None:
    """Where it listens, to whom."""
    parser.add_argument("--smtp-listen", default="smtp", metavar="[HOST:]PORT", help="(default: port 25 everywhere)")
    parser.add_argument(
        "--postscreen", action="store_true", help="put it in front of port 25: bots that talk too early get no further"
    )
    parser.add_argument(
        "--dnsbl", action="append", default=[], metavar="NAME[*WEIGHT]",
        help="a block list in the DNS that --postscreen asks; those with a weight of 3 together are refused",
    )  # fmt: skip
    parser.add_argument(
        "--submissions-listen", default="", metavar="[HOST:]PORT",
        help="mail programs, TLS from the first octet: `submissions` is port 465; needs a certificate",
    )  # fmt: skip
    parser.add_argument(
        "--submission-listen", default="", metavar="[HOST:]PORT",
        help="mail programs that ask for STARTTLS: `submission` is port 587; needs a certificate",
    )  # fmt: skip
    parser.add_argument(
        "--reply-listen", default="127.0.0.1:10026", metavar="HOST:PORT", help="takes replies (default: %(default)s)"
    )
    parser.add_argument("--reply-clients", default=LOCAL_NETWORKS, metavar="NETWORKS", help="(default: %(default)s)")


def _add_dovecot_options(parser: CommandParser) -> None:
    _add_common_options(parser, mail_roles.DOVECOT)
    parser.add_argument(
        "--lmtp-listen",
        default="unix:/var/spool/postfix/private/dovecot-lmtp",
        metavar="HOST:PORT|unix:PATH",
        help="(default: %(default)s)",
    )
    parser.add_argument(
        "--auth-listen",
        default="unix:/var/spool/postfix/private/auth",
        metavar="HOST:PORT|unix:PATH",
        help="where Postfix asks who signs in (default: %(default)s)",
    )
    parser.add_argument(
        "--quota-listen",
        default="unix:/var/spool/postfix/private/quota-status",
        metavar="HOST:PORT|unix:PATH",
        help="where Postfix asks who has no space left (default: %(default)s)",
    )
    parser.add_argument("--imap-listen", default="*:143", metavar="HOST:PORT", help="(default: %(default)s)")
    parser.add_argument("--imaps-port", default="993", help="with a certificate (default: %(default)s)")
    parser.add_argument("--mail-user", default="vmail", help="keeps the mail (default: %(default)s)")
    parser.add_argument("--mail-dir", default="/var/vmail", metavar="DIR", help="(default: %(default)s)")
    parser.add_argument("--run-dir", default="/run/dovecot", metavar="DIR", help="(default: %(default)s)")
    parser.add_argument("--state-dir", default="/var/lib/dovecot", metavar="DIR", help="(default: %(default)s)")
    parser.add_argument(
        "--flush-listen", default="", metavar="PATH",
        help="the socket where it is told whom to forget, …-master (default: flush-master in its --run-dir)",
    )  # fmt: skip
    parser.add_argument(
        "--flush-user", default="", metavar="USER",
        help=f"the name or number of whoever tells it (default: {PANEL_USER} where there is one, else root)",
    )  # fmt: skip
    parser.add_argument(
        "--rehash-socket", default="/run/webmail-panel-rehash/socket", metavar="PATH",
        help="where `rehash` listens, for the hashes of other systems (default: %(default)s)",
    )  # fmt: skip


def _postfix_values(options: Mapping[str, Any]) -> dict[str, str]:
    password = _password(options)
    database = [
        # The same server twice: where the first connection has died, the second is tried at once. With one,
        # Postfix would stay away from it for a minute after every restart of the database. The empty name leaves
        # the choice of the host to dbname, which libpq reads in order.
        "hosts = unix: unix:",
        f"user = {_safe('--database-user', options['database_user'])}",
        f"password = {password}",
        f"dbname = {_conninfo(options)} application_name=postfix",
    ]
    postmaster_domain, postmaster_map = _postmaster(options)
    return {
        "HOSTNAME": _domain("--hostname", options["hostname"]),
        "NETWORKS": _networks("--networks", options["networks"]),
        "REPLY_CLIENTS": _networks("--reply-clients", options["reply_clients"]),
        "RELAYHOST": _safe("--relayhost", options["relayhost"], may_be_empty=True),
        "LOG": _postfix_log(options["log"]),
        "POSTMASTER_DOMAIN": postmaster_domain,
        "POSTMASTER_MAP": postmaster_map,
        "HOOK": _hooks(options["hook"] or [HOOK]),
        "DOVECOT_LMTP": _lmtp_address("--dovecot-lmtp", options["dovecot_lmtp"]),
        "DOVECOT_AUTH": _lmtp_address("--dovecot-auth", options["dovecot_auth"]).removeprefix("unix:"),
        "DOVECOT_QUOTA": _lmtp_address("--dovecot-quota", options["dovecot_quota"]),
        "MILTER": milter_lines(options["milter"]),
        "SMTP_SERVICE": _smtp_service(options),
        "POSTSCREEN": _postscreen(options),
        "SUBMISSION": _submission(options),
        "NOTICES_FROM": _notices_from(settings.DEFAULT_FROM_EMAIL),
        "REPLY_LISTEN": _listener("--reply-listen", options["reply_listen"]),
        "AUTOREPLY_DOMAIN": _domain("AUTOREPLY_DOMAIN", settings.AUTOREPLY_DOMAIN),
        "AUTOREPLY_PATTERN": settings.AUTOREPLY_DOMAIN.replace(".", r"\."),
        "RECIPIENT_DELIMITER": settings.RECIPIENT_DELIMITER,
        "MESSAGE_SIZE_LIMIT": str(settings.MESSAGE_SIZE_LIMIT),
        "TLS": _postfix_tls(options),
        "DATABASE": "\n".join(database),
        # A count that a crash loses is no loss: no commit waits for the disk.
        "WRITING_DATABASE": "\n".join(database)
        + " target_session_attrs=read-write options='-cdefault_transaction_read_only=off -csynchronous_commit=off'",
        "RECIPIENTS_PER_HOUR": str(settings.MAILBOX_RECIPIENTS_PER_HOUR),
        "RECIPIENTS_PER_DAY": str(settings.MAILBOX_RECIPIENTS_PER_DAY),
        "KEY": KEY,
        "DOMAIN_OF_KEY": DOMAIN_OF_KEY,
        "RESULT": RESULT,
    }


def _dovecot_values(options: Mapping[str, Any]) -> dict[str, str]:
    password = _password(options)
    user = _safe("--database-user", options["database_user"])
    imap_address, imap_port = _host_and_port("--imap-listen", options["imap_listen"])
    return {
        "DATABASE": f"{_conninfo(options)} user={user} password={password}",
        "CONFIG_DIR": str(_folder("--output", options["output"])),
        "RUN_DIR": str(run_dir := _folder("--run-dir", options["run_dir"])),
        "STATE_DIR": str(_folder("--state-dir", options["state_dir"])),
        "MAIL_DIR": str(_folder("--mail-dir", options["mail_dir"])),
        "MAIL_USER": _safe("--mail-user", options["mail_user"]),
        "LOG": _safe("--log", options["log"] or "syslog"),
        "TLS": _dovecot_tls(options),
        "IMAP_ADDRESS": imap_address,
        "IMAP_PORT": imap_port,
        "IMAPS_PORT": _port("--imaps-port", options["imaps_port"]) if options["tls_cert"] else "0",
        "LMTP_LISTENER": _dovecot_listener("--lmtp-listen", options["lmtp_listen"]),
        "AUTH_LISTENER": _dovecot_listener("--auth-listen", options["auth_listen"]),
        "QUOTA_LISTENER": _dovecot_listener("--quota-listen", options["quota_listen"]),
        "FLUSH_SOCKET": str(flush_socket := _flush_socket(options)),
        # Dovecot wants to find what is in its own folder by the name alone.
        "FLUSH_LISTENER": flush_socket.name if flush_socket.parent == run_dir else str(flush_socket),
        "FLUSH_USER": _flush_user(options["flush_user"]),
        "REHASH_SOCKET": str(_folder("--rehash-socket", options["rehash_socket"])),
        "OUR_HASHES": hashers.as_dovecot_sees_ours(),
        "RECIPIENT_DELIMITER": settings.RECIPIENT_DELIMITER,
        "SPAM_TESTS": _spam_tests(settings.SPAM_FIELDS),
    }


def _flush_socket(options: Mapping[str, Any]) -> Path:
    """Dovecot 2.3 knows by the end of a socket's name what may be asked there."""
    path = _folder("--flush-listen", options["flush_listen"] or f"{options['run_dir']}/flush-master")
    if not path.name.endswith("-master"):
        raise CommandError(f"--flush-listen {path}: the name must end in -master")
    return path


def _flush_user(wanted: str) -> str:
    """Raises CommandError: Dovecot does not start with a user that is not there."""
    if wanted.isdecimal():
        return wanted
    known = {entry.pw_name for entry in pwd.getpwall()}
    if wanted and wanted not in known:
        raise CommandError(f"--flush-user {wanted}: there is no such user")
    return wanted or (PANEL_USER if PANEL_USER in known else "root")


def _spam_tests(fields: list[str]) -> str:
    """A Sieve test for each field, of the value's beginning, case-insensitively (RFC 5228 §2.7.1, §5.7)."""
    pairs = [tuple(part.strip() for part in field.split(":", 1)) for field in fields if ":" in field]
    return (
        ",\n    ".join(f"header :matches {_sieve_string(name)} {_sieve_glob(value)}" for name, value in pairs)
        or "false"
    )


def _sieve_glob(beginning: str) -> str:
    return _sieve_string(re.sub(r"([\\*?])", r"\\\1", beginning) + "*")


def _sieve_string(text: str) -> str:
    if not text or not text.isprintable():
        raise CommandError(f"SPAM_FIELDS: {text!r} cannot be written into a Sieve script")
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'


def _rspamd_values(options: Mapping[str, Any]) -> dict[str, str]:
    host, port = _host_and_port("--listen", options["listen"])
    networks = _networks("--networks", options["networks"]).replace("[", "").replace("]", "").split()
    return {
        "LISTEN": f"{f'[{host}]' if ':' in host else host}:{port}",
        "NETWORKS": ", ".join(f'"{network}"' for network in networks),
    } | _keys_in_redis(settings.DKIM_REDIS_URL)


def _nginx_values(options: Mapping[str, Any]) -> dict[str, str]:
    host = options["panel_host"] or next((name for name in settings.ALLOWED_HOSTS if name[:1] not in "*."), "")
    web = [_host_and_port("--web", address) for address in options["web"] or ["127.0.0.1:8000"]]
    http = [_listener("--http-listen", address) for address in options["http_listen"] or ["80", "[::]:80"]]
    https = [_listener("--https-listen", address) for address in options["https_listen"] or ["443", "[::]:443"]]

    files = _tls_files(options)
    if files is None:
        raise CommandError("--tls-cert and --tls-key are needed: the panel is shown by HTTPS only")
    return {
        "PANEL_HOST": _domain("--panel-host", host),
        "WEB": "\n".join(
            f"    server {f'[{host}]' if ':' in host else host}:{port} max_fails=0;" for host, port in web
        ),
        "HTTP": _nginx_listeners(http),
        "HTTP_DEFAULT": _nginx_listeners(http, " default_server"),
        "HTTPS": _nginx_listeners(https, " ssl http2"),
        "HTTPS_DEFAULT": _nginx_listeners(https, " ssl http2 default_server"),
        "TLS_CERT": files[0],
        "TLS_KEY": files[1],
        "NAMES_TLS": str(_folder("--names-tls", options["names_tls"])),
        "STATIC_ROOT": str(_folder("STATIC_ROOT", str(settings.STATIC_ROOT))),
        "CONFIG_DIR": str(_folder("--output", options["output"])),
        "AWAY_DIR": str(_folder("the panel's folder", str(TEMPLATES / "nginx"))),
    }


def _nginx_listeners(listeners: list[str], words: str = "") -> str:
    return "\n".join(f"    listen {address}{words};" for address in listeners)


def _keys_in_redis(address: str) -> dict[str, str]:
    """Where rspamd finds the keys, in its words; it signs in by password alone, and speaks no TLS with Redis."""
    url = urlsplit(address)
    is_socket = url.scheme == "unix"
    if url.scheme not in {"redis", "unix"}:
        raise CommandError("DKIM_REDIS_URL: rspamd reads from redis://host:port/number or unix:///path?db=number only")
    if url.username:
        raise CommandError("DKIM_REDIS_URL names a user: rspamd signs in to Redis with a password alone")
    number = dict(parse_qsl(url.query)).get("db", "0") if is_socket else url.path.strip("/") or "0"
    login = [f'db = "{_safe("DKIM_REDIS_URL", number)}";']
    if url.password:
        login.append(f'password = "{_safe("DKIM_REDIS_URL", unquote(url.password))}";')
    server = url.path if is_socket else f"{url.hostname}:{url.port or 6379}"
    return {"REDIS": _safe("DKIM_REDIS_URL", server), "REDIS_LOGIN": "\n".join(login)}


def milter_lines(address: str) -> str:
    """A signer that does not answer keeps nobody's mail back: then it leaves without a signature."""
    if not address:
        return "# No milter was given: what leaves is not signed."
    return (
        f"smtpd_milters = {_lmtp_address('--milter', address)}\n"
        "non_smtpd_milters = $smtpd_milters\nmilter_default_action = accept\nmilter_protocol = 6\n"
        "milter_connect_timeout = 5s\nmilter_command_timeout = 10s\nmilter_content_timeout = 20s"
    )


def _password(options: Mapping[str, Any]) -> str:
    password = options.get("password") or ""
    if options["password_stdin"]:
        password = sys.stdin.readline().rstrip("\n")
    variable = mail_roles.OF_SERVERS[options["server"]].password_variable
    password = password or os.environ.get(variable, "")
    if not password:
        raise CommandError(f"the role's password is needed: {variable} or --password-stdin")
    if not _SAFE.fullmatch(password):
        raise CommandError("the role's password may not hold spaces, quotes, backslashes or any of $#;{}")
    return password


def _conninfo(options: Mapping[str, Any]) -> str:
    """How libpq finds the database (PostgreSQL manual, 34.1.1), without user and password."""
    panel = connection.get_connection_params()
    hosts = options["database_host"] or [panel.get("host") or "localhost"]
    parts = {
        "host": ",".join(_safe("--database-host", host) for host in hosts),
        "port": _port("--database-port", options["database_port"] or panel.get("port") or "5432"),
        "dbname": _safe("--database-name", options["database_name"] or panel["dbname"]),
        "connect_timeout": "3",
    }
    if mode := panel.get("sslmode"):
        parts["sslmode"] = _safe("sslmode", mode)
    return " ".join(f"{name}={value}" for name, value in parts.items())


def _postmaster(options: Mapping[str, Any]) -> tuple[str, str]:
    """This host's own domain and the map that leads it to one person; both empty where nobody was named."""
    if not options["postmaster"]:
        return "", ""
    try:
        person = _safe("--postmaster", addresses.normalise(options["postmaster"]))
    except addresses.AddressError as error:
        raise CommandError(f"--postmaster {options['postmaster']!r}: {error}") from error
    return "$myhostname", f"inline:{{ {{ @$myhostname = {person} }} }} "


def _notices_from(field: str) -> str:
    """The reverse-path of notices, of what stands in their From field. Raises CommandError."""
    address = parseaddr(field)[1]
    if "@" not in address:
        raise CommandError(f"NOTICES_FROM {field!r} holds no address")
    return _safe("NOTICES_FROM", address.lower())


def _postfix_log(path: str) -> str:
    if not path:
        return "# Logs go to syslog."
    if path == "/dev/stdout":
        return "maillog_file = /dev/stdout"
    file = _folder("--log", path)
    return f"maillog_file = {file}\nmaillog_file_prefixes = {file.parent}"


def _smtp_service(options: Mapping[str, Any]) -> str:
    listen = _listener("--smtp-listen", options["smtp_listen"])
    return (POSTSCREEN if options["postscreen"] else SMTPD).format(listen=listen, filter=NO_SMTPUTF8)


def _postscreen(options: Mapping[str, Any]) -> str:
    if not options["postscreen"]:
        if options["dnsbl"]:
            raise CommandError("--dnsbl needs --postscreen, which asks the lists")
        return "# Port 25 is not behind postscreen: --postscreen was not given."
    for site in options["dnsbl"]:
        name, _star, weight = _safe("--dnsbl", site).partition("*")
        _domain("--dnsbl", name)
        if weight and not re.fullmatch(r"-?[0-9]{1,3}", weight):
            raise CommandError(f"--dnsbl: {weight!r} is not a weight, a small whole number")
    return POSTSCREEN_MAIN.format(sites=", ".join(options["dnsbl"]))


def _submission(options: Mapping[str, Any]) -> str:
    """Both ways in for mail programs. TLS from the first octet is the better one (RFC 8314 §3.3)."""
    listeners = [
        _submission_listener(options, "submissions", "TLS from the first octet", "\n    -o smtpd_tls_wrappermode=yes"),
        _submission_listener(options, "submission", "STARTTLS"),
    ]
    return (
        "\n".join(filter(None, listeners)) or "\n# No submission: neither --submissions-listen nor --submission-listen."
    )


def _submission_listener(options: Mapping[str, Any], name: str, how: str, wrapper: str = "") -> str:
    option, address = f"--{name}-listen", options[f"{name}_listen"]
    if not address:
        return ""
    if not options["tls_cert"]:
        raise CommandError(f"{option} needs --tls-cert and --tls-key: passwords are not sent in the clear")
    return SUBMISSION.format(listen=_listener(option, address), name=name, how=how, wrapper=wrapper)


def _tls_files(options: Mapping[str, Any]) -> tuple[str, str] | None:
    if not options["tls_cert"] and not options["tls_key"]:
        return None
    if not options["tls_cert"] or not options["tls_key"]:
        raise CommandError("--tls-cert and --tls-key belong together")
    return str(_folder("--tls-cert", options["tls_cert"])), str(_folder("--tls-key", options["tls_key"]))


def _postfix_tls(options: Mapping[str, Any]) -> str:
    files = _tls_files(options)
    if files is None:
        return "# No certificate was given: what arrives on port 25 is not encrypted."
    certificate, key = files
    return (
        f"smtpd_tls_chain_files = {key}, {certificate}\nsmtpd_tls_security_level = may\nsmtpd_tls_auth_only = yes\n"
        # RFC 8997: for mail programs, which send passwords. On port 25 an old TLS is better than none.
        "smtpd_tls_mandatory_protocols = >=TLSv1.2\nsmtpd_tls_mandatory_ciphers = high"
    )


def _dovecot_tls(options: Mapping[str, Any]) -> str:
    files = _tls_files(options)
    if files is None:
        return "# No certificate was given: only programs on this host may sign in.\nssl = no"
    certificate, key = files
    return f"ssl = required\nssl_cert = <{certificate}\nssl_key = <{key}"


def _dovecot_listener(option: str, address: str) -> str:
    if path := _unix_path(option, address):
        # Postfix comes as its own user; the folder says who else.
        return f"unix_listener {path} {{\n    mode = 0666\n  }}"
    host, port = _host_and_port(option, address)
    return f"inet_listener {{\n    address = {host}\n    port = {port}\n  }}"


def _lmtp_address(option: str, address: str) -> str:
    """As Postfix writes it: inet:host:port or unix:path."""
    if path := _unix_path(option, address):
        return f"unix:{path}"
    host, port = _host_and_port(option, address)
    return f"inet:{f'[{host}]' if ':' in host else host}:{port}"


def _hooks(addresses_of_them: list[str]) -> str:
    """A destination of lmtp(8), or several: Postfix takes them in this order (transport(5), Postfix 3.5)."""
    found = [_lmtp_address("--hook", address) for address in addresses_of_them]
    if len(found) > 1 and any(address.startswith("unix:") for address in found):
        raise CommandError("--hook: a socket stands alone; several hooks are HOST:PORT each")
    first, *others = found
    return ", ".join([first, *(address.removeprefix("inet:") for address in others)])  # lmtp(8) takes it off once


def _listener(option: str, address: str) -> str:
    """A service's name in master.cf: [host:]port."""
    if address.isdecimal() or address in ("smtp", "submission", "submissions"):
        return address
    host, port = _host_and_port(option, address)
    return f"{f'[{host}]' if ':' in host else host}:{port}"


def _unix_path(option: str, address: str) -> str:
    scheme, _colon, path = address.partition(":")
    return _safe(option, path) if scheme == "unix" else ""


def _host_and_port(option: str, address: str) -> tuple[str, str]:
    host, _colon, port = address.rpartition(":")
    if not host:
        raise CommandError(f"{option} {address!r}: it has the form HOST:PORT")
    return _safe(option, host.removeprefix("[").removesuffix("]")), _port(option, port)


def _port(option: str, text: str | int) -> str:
    if not str(text).isdecimal() or not 1 <= int(text) <= 65535:
        raise CommandError(f"{option}: {text!r} is not a port, a number from 1 to 65535")
    return str(int(text))


def _domain(option: str, name: str) -> str:
    try:
        return addresses.normalise_domain(name)
    except addresses.AddressError as error:
        raise CommandError(f"{option} {name!r}: {error}") from error


def _networks(option: str, networks: str) -> str:
    for network in networks.split():
        if not re.fullmatch(r"[0-9.]+(/[0-9]+)?|\[[0-9a-fA-F:.]+\](/[0-9]+)?", network):
            raise CommandError(f"{option}: {network!r} is not a network like 192.0.2.0/24 or [2001:db8::]/32")
    return " ".join(networks.split())


def _folder(option: str, path: str) -> Path:
    return Path(_safe(option, path)).absolute()


def _safe(option: str, value: str, *, may_be_empty: bool = False) -> str:
    """The value, which cannot end its line or its word. Raises CommandError."""
    if not (may_be_empty and not value) and not _SAFE.fullmatch(value):
        raise CommandError(
            f"{option} may not be empty nor hold spaces, quotes, backslashes or any of $#;{{}}: {value!r}"
        )
    return value


def _write(server: str, output: Path, values: Mapping[str, str], options: Mapping[str, Any]) -> list[Path]:
    """Write every file of the server and return their paths. Nothing is written if an option is wrong."""
    texts = _texts(server, values)
    group = _group(server, options["group"])
    try:
        _refuse_foreign_files(output, texts, values["MADE_BY"], force=options["force"])
        output.mkdir(mode=0o755, parents=True, exist_ok=True)
        for name, text in texts.items():
            _write_file(output / name, text, group)
    except OSError as error:
        raise CommandError(f"{output} cannot be written: {error.strerror}: {error.filename}") from error
    return [output / name for name in texts]


def _texts(server: str, values: Mapping[str, str]) -> dict[str, str]:
    """The server's files by their names."""
    templates = sorted(path for path in (TEMPLATES / server).iterdir() if path.suffix in SUFFIXES)
    return {path.name: _fill(path.read_text(), values) for path in templates}


def _fill(template: str, values: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda match: values[match[1]], template)


def _refuse_foreign_files(output: Path, names: Mapping[str, str], made_by: str, *, force: bool) -> None:
    for name in names:
        path = output / name
        if not force and path.exists() and made_by not in path.read_text(errors="replace"):
            raise CommandError(f"{path} was not made by this command; take another folder, or --force")


def _group(server: str, wanted: str | None) -> int | None:
    """Who may read the database's password besides the owner; None: leave it as it is. Raises CommandError."""
    if wanted and wanted.isdecimal():
        return int(wanted)
    known = {entry.gr_name: entry.gr_gid for entry in grp.getgrall()}
    if wanted and wanted not in known:
        raise CommandError(f"--group {wanted}: there is no such group")
    # Debian's user of rspamd has a name of its own.
    own = {"rspamd": "_rspamd"}.get(server, server)
    return known.get(wanted or own) if wanted or os.geteuid() == 0 else None


def _write_file(path: Path, text: str, group: int | None) -> None:
    """Whole or not at all: a mail server may be reading it."""
    is_secret = path.name.startswith(("pgsql-", "dkim_signing.", "sign-in.")) or path.suffix == ".ext"
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    with open(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:  # noqa: PTH123 (the mode)
        file.write(text)
    if is_secret and group is not None:
        os.chown(part, -1, group)
    part.chmod(0o640 if is_secret else 0o644)
    part.replace(path)
