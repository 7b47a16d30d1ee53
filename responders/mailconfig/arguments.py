"""What `mailconfig` is told on the command line, for each server."""

import os

from django.conf import settings
from django.core.management.base import CommandParser

from mailboxes import mail_roles

PANEL_USER = "webmail-panel"
HOOK = "127.0.0.1:8024"
LOCAL_NETWORKS = "127.0.0.0/8 [::1]/128"


def _add_output_options(parser: CommandParser) -> None:
    parser.add_argument("--output", required=True, metavar="DIR", help="made if it is not there")
    parser.add_argument("--force", action="store_true", help="overwrite files that this command has not made")
    parser.add_argument(
        "--again", action="store_true",
        help="with the options and the password of last time, and those given now; with --password-stdin for another "
        "role or password. To take an option back, render without --again",
    )  # fmt: skip
    parser.add_argument("--group", help="that may read the files with the password: a name or a number")


def add_rspamd(parser: CommandParser) -> None:
    _add_output_options(parser)
    parser.add_argument("--listen", default="127.0.0.1:11332", metavar="HOST:PORT", help="(default: %(default)s)")
    parser.add_argument(
        "--networks", default=LOCAL_NETWORKS, metavar="NETWORKS",
        help="whose mail is signed without signing in (default: %(default)s)",
    )  # fmt: skip


def add_nginx(parser: CommandParser) -> None:
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


def add_postfix(parser: CommandParser) -> None:
    _add_common_options(parser, mail_roles.POSTFIX)
    parser.add_argument("--hostname", default=settings.MAIL_HOSTNAME, help="(default: MAIL_HOSTNAME)")
    _add_neighbours_of_postfix(parser)
    _add_doors_of_postfix(parser)
    parser.add_argument(
        "--networks", default=LOCAL_NETWORKS, metavar="NETWORKS", help="may send anywhere (default: %(default)s)"
    )
    parser.add_argument("--relayhost", default="", metavar="[HOST]:PORT", help="all mail that leaves goes there")
    parser.add_argument(
        "--postmaster", default="", metavar="ADDRESS",
        help="gets mail to this host's own addresses, and to a hosted domain's postmaster and abuse that nobody has",
    )  # fmt: skip


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


def add_dovecot(parser: CommandParser) -> None:
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
        help=f"the name of whoever tells it (default: {PANEL_USER} where there is one, else root)",
    )  # fmt: skip
    parser.add_argument(
        "--rehash-socket", default="/run/webmail-panel-rehash/socket", metavar="PATH",
        help="where `rehash` listens, for the hashes of other systems (default: %(default)s)",
    )  # fmt: skip
