"""What may stand in a mail server's configuration: nothing that could add a line to it. Each raises CommandError."""

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.db import connection

from mailboxes import addresses, mail_roles

_SAFE = re.compile(r"[^\s\x00-\x1f\x7f\"'$#;{}\\]+")


def safe(option: str, value: str, *, may_be_empty: bool = False) -> str:
    """The value, which cannot end its line or its word. Raises CommandError."""
    if not (may_be_empty and not value) and not _SAFE.fullmatch(value):
        raise CommandError(
            f"{option} may not be empty nor hold spaces, quotes, backslashes or any of $#;{{}}: {value!r}"
        )
    return value


def folder(option: str, path: str) -> Path:
    """An absolute path of a folder or a file."""
    return Path(safe(option, path)).absolute()


def networks(option: str, networks: str) -> str:
    """As Postfix writes them, with one space between."""
    for network in networks.split():
        if not re.fullmatch(r"[0-9.]+(/[0-9]+)?|\[[0-9a-fA-F:.]+\](/[0-9]+)?", network):
            raise CommandError(f"{option}: {network!r} is not a network like 192.0.2.0/24 or [2001:db8::]/32")
    return " ".join(networks.split())


def domain(option: str, name: str) -> str:
    """In normal form."""
    try:
        return addresses.normalise_domain(name)
    except addresses.AddressError as error:
        raise CommandError(f"{option} {name!r}: {error}") from error


def port(option: str, text: str | int) -> str:
    """A number from 1 to 65535."""
    if not str(text).isdecimal() or not 1 <= int(text) <= 65535:
        raise CommandError(f"{option}: {text!r} is not a port, a number from 1 to 65535")
    return str(int(text))


def host_and_port(option: str, address: str) -> tuple[str, str]:
    """An IPv6 address without its brackets."""
    host, _colon, number = address.rpartition(":")
    if not host:
        raise CommandError(f"{option} {address!r}: it has the form HOST:PORT")
    return safe(option, host.removeprefix("[").removesuffix("]")), port(option, number)


def unix_path(option: str, address: str) -> str:
    """Of unix:PATH; empty for every other address."""
    scheme, _colon, path = address.partition(":")
    return safe(option, path) if scheme == "unix" else ""


def listener(option: str, address: str) -> str:
    """A service's name in master.cf: [host:]port."""
    if address.isdecimal() or address in ("smtp", "submission", "submissions"):
        return address
    host, port = host_and_port(option, address)
    return f"{f'[{host}]' if ':' in host else host}:{port}"


def lmtp_address(option: str, address: str) -> str:
    """As Postfix writes it: inet:host:port or unix:path."""
    if path := unix_path(option, address):
        return f"unix:{path}"
    host, port = host_and_port(option, address)
    return f"inet:{f'[{host}]' if ':' in host else host}:{port}"


def tls_files(options: Mapping[str, Any]) -> tuple[str, str] | None:
    """Certificate and key; None: neither was given."""
    if not options["tls_cert"] and not options["tls_key"]:
        return None
    if not options["tls_cert"] or not options["tls_key"]:
        raise CommandError("--tls-cert and --tls-key belong together")
    return str(folder("--tls-cert", options["tls_cert"])), str(folder("--tls-key", options["tls_key"]))


def password(options: Mapping[str, Any]) -> str:
    """Of the server's role in the database: of last time, from standard input or from the environment."""
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


def conninfo(options: Mapping[str, Any]) -> str:
    """How libpq finds the database (PostgreSQL manual, 34.1.1), without user and password."""
    panel = connection.get_connection_params()
    hosts = options["database_host"] or [panel.get("host") or "localhost"]
    parts = {
        "host": ",".join(safe("--database-host", host) for host in hosts),
        "port": port("--database-port", options["database_port"] or panel.get("port") or "5432"),
        "dbname": safe("--database-name", options["database_name"] or panel["dbname"]),
        "connect_timeout": "3",
    }
    if mode := panel.get("sslmode"):
        parts["sslmode"] = safe("sslmode", mode)
    return " ".join(f"{name}={value}" for name, value in parts.items())
