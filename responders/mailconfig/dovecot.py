"""What the placeholders of Dovecot's templates stand for."""

import pwd
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from mailboxes import hashers
from responders.mailconfig import arguments, checked


def values(options: Mapping[str, Any]) -> dict[str, str]:
    """By the placeholders' names. Raises CommandError."""
    password = checked.password(options)
    user = checked.safe("--database-user", options["database_user"])
    imap_address, imap_port = checked.host_and_port("--imap-listen", options["imap_listen"])
    return {
        "DATABASE": f"{checked.conninfo(options)} user={user} password={password}",
        "CONFIG_DIR": str(checked.folder("--output", options["output"])),
        "RUN_DIR": str(run_dir := checked.folder("--run-dir", options["run_dir"])),
        "STATE_DIR": str(checked.folder("--state-dir", options["state_dir"])),
        "MAIL_DIR": str(checked.folder("--mail-dir", options["mail_dir"])),
        "MAIL_USER": checked.safe("--mail-user", options["mail_user"]),
        "LOG": checked.safe("--log", options["log"] or "syslog"),
        "TLS": _tls(options),
        "IMAP_ADDRESS": "# On every address." if imap_address == "*" else f"address = {imap_address}",
        "IMAP_PORT": imap_port,
        "IMAPS_PORT": checked.port("--imaps-port", options["imaps_port"]) if options["tls_cert"] else "0",
        "LMTP_LISTENER": _listener("--lmtp-listen", options["lmtp_listen"]),
        "AUTH_LISTENER": _listener("--auth-listen", options["auth_listen"]),
        "QUOTA_LISTENER": _listener("--quota-listen", options["quota_listen"]),
        "FLUSH_SOCKET": str(flush_socket := _flush_socket(options)),
        "FLUSH_LISTENER": _as_dovecot_names(flush_socket, run_dir),
        "KICK_SOCKET": str(kick_socket := flush_socket.with_name("kick")),
        "KICK_LISTENER": _as_dovecot_names(kick_socket, run_dir),
        "FLUSH_USER": _flush_user(options["flush_user"]),
        "REHASH_SOCKET": str(checked.folder("--rehash-socket", options["rehash_socket"])),
        "OUR_HASHES": hashers.as_dovecot_sees_ours(),
        "RECIPIENT_DELIMITER": settings.RECIPIENT_DELIMITER,
        "SPAM_TESTS": spam_tests(settings.SPAM_FIELDS),
    }


def _flush_socket(options: Mapping[str, Any]) -> Path:
    """Dovecot 2.3 knows by the end of a socket's name what may be asked there."""
    path = checked.folder("--flush-listen", options["flush_listen"] or f"{options['run_dir']}/flush-master")
    if not path.name.endswith("-master"):
        raise CommandError(f"--flush-listen {path}: the name must end in -master")
    return path


def _as_dovecot_names(listener: Path, run_dir: Path) -> str:
    """It wants to find what is in its own folder by the name alone."""
    return listener.name if listener.parent == run_dir else str(listener)


def _flush_user(wanted: str) -> str:
    """Raises CommandError: Dovecot does not start with a user that is not there, and takes no number for one."""
    known = {entry.pw_name for entry in pwd.getpwall()}
    if wanted and wanted not in known:
        raise CommandError(f"--flush-user {wanted}: there is no such user")
    return wanted or (arguments.PANEL_USER if arguments.PANEL_USER in known else "root")


def spam_tests(fields: list[str]) -> str:
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


def _tls(options: Mapping[str, Any]) -> str:
    files = checked.tls_files(options)
    if files is None:
        return "# No certificate was given: only programs on this host may sign in.\nssl = no"
    certificate, key = files
    return f"ssl = required\nssl_cert = <{certificate}\nssl_key = <{key}"


def _listener(option: str, address: str) -> str:
    if path := checked.unix_path(option, address):
        # Postfix comes as its own user; the folder says who else.
        return f"unix_listener {path} {{\n    mode = 0666\n  }}"
    host, port = checked.host_and_port(option, address)
    return f"inet_listener {{\n    address = {host}\n    port = {port}\n  }}"
