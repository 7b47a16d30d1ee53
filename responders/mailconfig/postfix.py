"""What the placeholders of Postfix's templates stand for."""

import re
from collections.abc import Mapping
from email.utils import parseaddr
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from mailboxes import addresses
from responders.mailconfig import arguments, checked

# Postfix before 3.9 speaks LATIN1 to PostgreSQL, whatever the bytes are; later ones say UTF8. These two turn the
# key into what was written and the result into what Postfix takes for it, under both. Without the collation the
# key has that of type name, and no index on an address would serve.
KEY = "convert_from(convert_to('%s', current_setting('client_encoding')), 'UTF8') COLLATE \"default\""
# Only the names that it is about reach the database.
POSTMASTER_OF_DOMAINS = (
    " pipemap:{regexp:$config_directory/postmaster.cf,proxy:pgsql:$config_directory/pgsql-postmaster.cf}"
)
RESULT = "convert_from(convert_to(result, 'UTF8'), current_setting('client_encoding'))"
SMTPD = """{listen} inet n    -       n       -       -       smtpd
    -o smtpd_client_restrictions=
    -o count_sending=
    -o max_idle=5s
    -o {filter}"""
# In front of smtpd: who talks before being spoken to, or is on a block list, gets no further (postscreen(8)).
POSTSCREEN = """{listen} inet n    -       n       -       1       postscreen
smtpd     pass  -       -       n       -       -       smtpd
    -o smtpd_client_restrictions=
    -o count_sending=
    -o max_idle=5s
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
# A letter without Date, From or Message-ID gets them (RFC 6409 §8).
{listen} inet n - n - - smtpd
    -o syslog_name=postfix/{name}
    -o smtpd_tls_security_level=encrypt{wrapper}
    -o smtpd_sasl_auth_enable=yes
    -o smtpd_discard_ehlo_keywords=smtputf8
    -o strict_smtputf8=yes
    -o smtpd_delay_reject=no
    -o local_header_rewrite_clients=static:all
    -o {{ smtpd_relay_restrictions = $refuse_copies, reject_sender_login_mismatch,
        permit_sasl_authenticated, reject }}"""


def values(options: Mapping[str, Any]) -> dict[str, str]:
    """By the placeholders' names. Raises CommandError."""
    database, postmaster = _database(options), _postmaster(options)
    return {
        "HOSTNAME": checked.domain("--hostname", options["hostname"]),
        "NETWORKS": checked.networks("--networks", options["networks"]),
        "REPLY_CLIENTS": checked.networks("--reply-clients", options["reply_clients"]),
        "RELAYHOST": checked.safe("--relayhost", options["relayhost"], may_be_empty=True),
        "LOG": _log(options["log"]),
        "POSTMASTER_DOMAIN": "$myhostname" if postmaster else "",
        "POSTMASTER_MAP": f"inline:{{ {{ @$myhostname = {postmaster} }} }} " if postmaster else "",
        "POSTMASTER_OF_DOMAINS": POSTMASTER_OF_DOMAINS if postmaster else "",
        "POSTMASTER_QUOTED": postmaster.replace("%", "%%"),  # pgsql_table(5) fills in what follows a single one
        "HOOK": _hooks(options["hook"] or [arguments.HOOK]),
        "DOVECOT_LMTP": checked.lmtp_address("--dovecot-lmtp", options["dovecot_lmtp"]),
        "DOVECOT_AUTH": checked.lmtp_address("--dovecot-auth", options["dovecot_auth"]).removeprefix("unix:"),
        "DOVECOT_QUOTA": checked.lmtp_address("--dovecot-quota", options["dovecot_quota"]),
        "MILTER": milter_lines(options["milter"]),
        "SMTP_SERVICE": _smtp_service(options),
        "POSTSCREEN": _postscreen(options),
        "SUBMISSION": _submission(options),
        "NOTICES_FROM": _notices_from(settings.DEFAULT_FROM_EMAIL),
        "REPLY_LISTEN": checked.listener("--reply-listen", options["reply_listen"]),
        "AUTOREPLY_DOMAIN": checked.domain("AUTOREPLY_DOMAIN", settings.AUTOREPLY_DOMAIN),
        "AUTOREPLY_PATTERN": settings.AUTOREPLY_DOMAIN.replace(".", r"\."),
        "RECIPIENT_DELIMITER": settings.RECIPIENT_DELIMITER,
        "DELIMITER_QUOTED": settings.RECIPIENT_DELIMITER.replace("%", "%%").replace("'", "''"),
        "SUBADDRESS": _subaddress(settings.RECIPIENT_DELIMITER),
        "MESSAGE_SIZE_LIMIT": str(settings.MESSAGE_SIZE_LIMIT),
        "TLS": _tls(options),
        "DATABASE": database,
        # A count that a crash loses is no loss: no commit waits for the disk.
        "WRITING_DATABASE": database
        + " target_session_attrs=read-write options='-cdefault_transaction_read_only=off -csynchronous_commit=off'",
        "RECIPIENTS_PER_HOUR": str(settings.MAILBOX_RECIPIENTS_PER_HOUR),
        "RECIPIENTS_PER_DAY": str(settings.MAILBOX_RECIPIENTS_PER_DAY),
        "KEY": KEY,
        "RESULT": RESULT,
    }


def _subaddress(delimiter: str) -> str:
    """What may follow the part before the @, for regexp_table(5)."""
    return f"({re.escape(delimiter)}[^@]*)?".replace("/", "\\/") if delimiter else ""


def _database(options: Mapping[str, Any]) -> str:
    """The lines of pgsql_table(5) that every map has."""
    lines = [
        # The same server twice: where the first connection has died, the second is tried at once. With one,
        # Postfix would stay away from it for a minute after every restart of the database. The empty name leaves
        # the choice of the host to dbname, which libpq reads in order.
        "hosts = unix: unix:",
        f"user = {checked.safe('--database-user', options['database_user'])}",
        f"password = {checked.password(options)}",
        f"dbname = {checked.conninfo(options)} application_name=postfix",
    ]
    return "\n".join(lines)


def _hooks(addresses_of_them: list[str]) -> str:
    """A destination of lmtp(8), or several: Postfix takes them in this order (transport(5), Postfix 3.5)."""
    found = [checked.lmtp_address("--hook", address) for address in addresses_of_them]
    if len(found) > 1 and any(address.startswith("unix:") for address in found):
        raise CommandError("--hook: a socket stands alone; several hooks are HOST:PORT each")
    first, *others = found
    return ", ".join([first, *(address.removeprefix("inet:") for address in others)])  # lmtp(8) takes it off once


def milter_lines(address: str) -> str:
    """A signer that does not answer keeps nobody's mail back: then it leaves without a signature."""
    if not address:
        return "# No milter was given: what leaves is not signed."
    return (
        f"smtpd_milters = {checked.lmtp_address('--milter', address)}\n"
        "non_smtpd_milters = $smtpd_milters\nmilter_default_action = accept\nmilter_protocol = 6\n"
        "milter_connect_timeout = 5s\nmilter_command_timeout = 10s\nmilter_content_timeout = 20s"
    )


def _postmaster(options: Mapping[str, Any]) -> str:
    """The person who gets this host's own mail, and that of the postmasters that nobody is; empty: nobody was named."""
    if not options["postmaster"]:
        return ""
    try:
        return checked.safe("--postmaster", addresses.normalise(options["postmaster"]))
    except addresses.AddressError as error:
        raise CommandError(f"--postmaster {options['postmaster']!r}: {error}") from error


def _notices_from(field: str) -> str:
    """The reverse-path of notices, of what stands in their From field. Raises CommandError."""
    address = parseaddr(field)[1]
    if "@" not in address:
        raise CommandError(f"NOTICES_FROM {field!r} holds no address")
    return checked.safe("NOTICES_FROM", address.lower())


def _log(path: str) -> str:
    if not path:
        return "# Logs go to syslog."
    if path == "/dev/stdout":
        return "maillog_file = /dev/stdout"
    file = checked.folder("--log", path)
    return f"maillog_file = {file}\nmaillog_file_prefixes = {file.parent}"


def _smtp_service(options: Mapping[str, Any]) -> str:
    listen = checked.listener("--smtp-listen", options["smtp_listen"])
    return (POSTSCREEN if options["postscreen"] else SMTPD).format(listen=listen, filter=NO_SMTPUTF8)


def _postscreen(options: Mapping[str, Any]) -> str:
    if not options["postscreen"]:
        if options["dnsbl"]:
            raise CommandError("--dnsbl needs --postscreen, which asks the lists")
        return "# Port 25 is not behind postscreen: --postscreen was not given."
    for site in options["dnsbl"]:
        name, _star, weight = checked.safe("--dnsbl", site).partition("*")
        checked.domain("--dnsbl", name)
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
    return SUBMISSION.format(listen=checked.listener(option, address), name=name, how=how, wrapper=wrapper)


def _tls(options: Mapping[str, Any]) -> str:
    files = checked.tls_files(options)
    if files is None:
        return "# No certificate was given: what arrives on port 25 is not encrypted."
    certificate, key = files
    return (
        f"smtpd_tls_chain_files = {key}, {certificate}\nsmtpd_tls_security_level = may\nsmtpd_tls_auth_only = yes\n"
        # RFC 8997: for mail programs, which send passwords. On port 25 an old TLS is better than none.
        "smtpd_tls_mandatory_protocols = >=TLSv1.2\nsmtpd_tls_mandatory_ciphers = high"
    )
