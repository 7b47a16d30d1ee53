"""This host as others see it: its name in the DNS, its certificate, its disks."""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import dns.exception
import dns.resolver
import dns.reversename
from cryptography import x509
from django.conf import settings

from mailboxes.domain_dns import spf_result
from mailboxes.domain_dns.asker import asker
from mailboxes.domain_dns.records import NotAnsweredError, known
from responders.resolver import dns_server
from webmail_panel.doctor.finding import Finding, fail, ok, unknown, warn
from webmail_panel.doctor.panel import PATIENCE

DAYS_TO_RENEW = 14  # the usual clients renew at 30 days: by then several attempts have failed
GIB = 1024**3
ROOM_TO_RUN = GIB // 4  # octets; below that a database or a queue stops
SHARE_TO_WARN, ROOM_TO_WARN = 0.10, 20 * GIB


def check_dns(name: str, helo: str) -> Finding:
    """MAIL_HOSTNAME forward and reverse (RFC 5321 §4.1.4; what receivers look at first)."""
    try:
        resolver = _resolver()
        addresses = [text for kind in ("A", "AAAA") for text in _ask(resolver, name, kind)]
        pointers = {address: _ask(resolver, str(dns.reversename.from_address(address)), "PTR") for address in addresses}
    except (dns.exception.DNSException, OSError) as error:
        return unknown(
            "dns",
            f"no name server answers: {str(error).partition(':')[0]}",
            "Mend /etc/resolv.conf, or set DNS_SERVER.",
        )
    return judge_dns(name, helo, pointers)


def judge_dns(name: str, helo: str, pointers: Mapping[str, Sequence[str]]) -> Finding:
    """`pointers` has for each address of the name the names that the address leads back to."""
    if not pointers:
        return fail("dns", f"{name} has no address", "Publish an A record (AAAA too) for MAIL_HOSTNAME.")
    if helo and helo != name:
        return warn(
            "dns", f"Postfix says HELO {helo}, not {name}", "Render Postfix's files anew; no smtp_helo_name of its own."
        )
    astray = [address for address, names in pointers.items() if name not in names]
    if astray:
        seen = f"{', '.join(astray)} does not lead back to {name}"
        return warn("dns", seen, "Ask whoever gave you the address for a PTR record: many refuse mail without it.")
    return ok("dns", f"{name} is {', '.join(pointers)}, and back")


def check_spf(name: str) -> Finding:
    """The name that Postfix says in EHLO: replies have no sender, so receivers go by it (RFC 7208 §2.4)."""
    ask = asker(settings.DNS_SERVER)
    try:
        addresses = [*known(ask(name, "A")), *known(ask(name, "AAAA"))]
    except NotAnsweredError as error:
        return unknown("spf", f"no name server answers: {error}")
    return judge_spf(name, {address: spf_result.result(address, "", name, ask) for address in addresses})


def judge_spf(name: str, results: Mapping[str, str]) -> Finding:
    """`results` has for each address of the name what a receiver makes of it."""
    if not results or "temperror" in results.values():
        return unknown("spf", f"{name} has no address" if not results else "a name server does not answer")
    astray = [f"{address}: {result}" for address, result in results.items() if result != "pass"]
    if astray:
        remedy = f'Publish: {name}. TXT "v=spf1 a -all" (docs/postfix.md, “Who the server says it is”).'
        return warn("spf", f"replies, which have no sender, do not pass by {name} ({', '.join(astray)})", remedy)
    return ok("spf", f"replies pass by {name} from {', '.join(results)}")


def check_certificate(path: Path, name: str, now: datetime) -> Finding:
    """The one that the mail servers show."""
    try:
        (certificate, *_chain) = x509.load_pem_x509_certificates(path.read_bytes())
    except PermissionError:
        return unknown("certificate", f"{path} cannot be read", "Run it as root.")
    except (OSError, ValueError) as error:
        return fail("certificate", f"{path}: {error}", "Mail programs cannot sign in: put the chain in PEM there.")
    return judge_certificate(names_of(certificate), certificate.not_valid_after_utc, name, now)


def names_of(certificate: x509.Certificate) -> list[str]:
    """The host names it is for (RFC 6125 §6.4: those of subjectAltName)."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return [name.lower() for name in extension.value.get_values_for_type(x509.DNSName)]


def judge_certificate(names: Sequence[str], until: datetime, name: str, now: datetime) -> Finding:
    """Expired, soon to expire, or for another name."""
    remedy = "Renew it, then reload Postfix and Dovecot (docs/operate/trouble.md, “Certificate”)."
    if until <= now:
        return fail("certificate", f"expired on {until:%Y-%m-%d}", remedy)
    if until - now < timedelta(days=DAYS_TO_RENEW):
        return warn("certificate", f"expires in {(until - now).days} days, on {until:%Y-%m-%d}", remedy)
    if name not in names and f"*.{name.partition('.')[2]}" not in names:
        return warn(
            "certificate", f"is for {', '.join(names) or 'no name'}, not for {name}", "Ask for one with that name."
        )
    return ok("certificate", f"for {name} until {until:%Y-%m-%d}")


def check_disks(folders: Mapping[str, str]) -> Iterator[Finding]:
    """`folders`: what each is → its path; a path is empty where it is not known."""
    for what, path in folders.items():
        check = f"disk {what}"
        if not path:
            yield unknown(check, "where that is, its server's files do not say from here")
            continue
        try:
            usage, nodes = shutil.disk_usage(path), os.statvfs(path)
        except OSError as error:
            yield unknown(check, f"{path}: {error.strerror}")
            continue
        yield judge_disk(check, path, usage.free, usage.total, nodes.f_favail / nodes.f_files if nodes.f_files else 1.0)


def judge_disk(check: str, path: str, free: int, total: int, free_inodes: float) -> Finding:
    """Octets free and in all; `free_inodes` is a share. Maildir keeps a file a message."""
    seen = f"{free / GIB:.1f} GiB of {total / GIB:.1f} free for {path}"
    if free < max(ROOM_TO_RUN, 2 * settings.MESSAGE_SIZE_LIMIT):
        return fail(check, seen, "Make room now: mail is being refused (452) or will be.")
    if free_inodes < 0.02:
        return fail(
            check,
            f"{free_inodes:.1%} of the files that {path} can hold are left",
            "Make room: one message is one file.",
        )
    if free < total * SHARE_TO_WARN and free < ROOM_TO_WARN:
        return warn(check, seen, "Make room, or a larger disk.")
    return ok(check, seen)


def _resolver() -> dns.resolver.Resolver:
    resolver = dns.resolver.Resolver(configure=not settings.DNS_SERVER)
    if settings.DNS_SERVER:
        resolver.nameservers = [dns_server(settings.DNS_SERVER)]
    resolver.lifetime = PATIENCE
    return resolver


def _ask(resolver: dns.resolver.Resolver, name: str, kind: str) -> list[str]:
    """The records as text, names without their final dot; none where there are none."""
    try:
        return [record.to_text().rstrip(".").lower() for record in resolver.resolve(name, kind, search=False)]
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []
