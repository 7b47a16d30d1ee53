"""What must stand in the DNS for a hosted domain, to copy into its zone. Pure."""

import hashlib
import re
from dataclasses import dataclass

from mailboxes.domain_dns import spf
from mailboxes.domain_dns.records import Record

MTA_STS_PATH = "/.well-known/mta-sts.txt"
# Seconds that senders keep the policy (RFC 8461 §3.2): a day while it is tried out, then weeks.
_MAILTO = re.compile(r"mailto:[^@,]+@([a-z0-9_-]+(?:\.[a-z0-9_-]+)+)\.?(?:![0-9]+[kmgt]?)?", re.IGNORECASE | re.ASCII)
MOST_PLACES, LONGEST_PLACE = 5, 80  # that are looked at; no honest record has more
MAX_AGE = {"testing": 86_400, "enforce": 1_209_600}


@dataclass(frozen=True)
class Service:
    """What mail programs connect to: its name by RFC 6186 §3 or RFC 8314 §5.1, where it is."""

    name: str
    host: str
    port: int


@dataclass(frozen=True)
class Installation:
    """What is the same for every domain. Host names without a final dot; empty: not offered here."""

    mx_hosts: tuple[str, ...]
    sending_hosts: tuple[str, ...]
    spf_include: str
    services: tuple[Service, ...]
    web_host: str
    reports_to: str
    mta_sts_mode: str

    def reports_of(self, domain: str) -> str:
        """Where reports about the domain go; its postmaster gets mail always (pgsql-postmaster.cf)."""
        return self.reports_to or f"postmaster@{domain}"

    @property
    def spf_terms(self) -> list[str]:
        """What lets our hosts send."""
        return [f"include:{self.spf_include}"] if self.spf_include else [f"a:{host}" for host in self.sending_hosts]


@dataclass(frozen=True)
class DkimKey:
    """A key whose record has to be in the DNS."""

    selector: str
    value: str


def mx(domain: str, installation: Installation) -> tuple[Record, ...]:
    """The records of the hosts that take the domain's mail, the first first."""
    hosts = enumerate(installation.mx_hosts, 1)
    return tuple(Record(domain, "MX", f"{number * 10} {host}.") for number, host in hosts)


def spf_record(domain: str, installation: Installation, present: list[str]) -> Record:
    """The one SPF record; what the domain's present ones allow stays allowed."""
    return Record(domain, "TXT", spf.with_terms(present, installation.spf_terms))


def dkim(domain: str, key: DkimKey) -> Record:
    """RFC 6376 §3.6.2.1."""
    return Record(f"{key.selector}._domainkey.{domain}", "TXT", key.value)


def dmarc(domain: str, installation: Installation) -> Record:
    """A policy that harms nobody: reports come, and nothing is refused (RFC 7489 §6.3)."""
    return Record(f"_dmarc.{domain}", "TXT", f"v=DMARC1; p=none; rua=mailto:{installation.reports_of(domain)}")


def dmarc_consent(domain: str, place: str) -> Record:
    """In the zone of `place`: it takes reports about the domain (RFC 7489 §7.1)."""
    return Record(f"{domain}._report._dmarc.{place}", "TXT", "v=DMARC1")


def reports_elsewhere(policy: dict[str, str], domain: str) -> list[str]:
    """The domains, neither above nor below this one, where a DMARC record (its tags) wants reports (RFC 7489 §6.2)."""
    uris = ",".join([policy.get("rua", ""), policy.get("ruf", "")]).split(",")
    found = [match[1].lower() for uri in uris if (match := _MAILTO.fullmatch(uri.strip()))]
    places = [one for one in dict.fromkeys(found) if len(one) <= LONGEST_PLACE and not _is_kin(one, domain)]
    return places[:MOST_PLACES]


def _is_kin(one: str, other: str) -> bool:
    return one == other or one.endswith(f".{other}") or other.endswith(f".{one}")


def mta_sts_policy(installation: Installation) -> str:
    """The policy file that the panel serves at https://mta-sts.DOMAIN (RFC 8461 §3.2)."""
    mode = installation.mta_sts_mode
    lines = ["version: STSv1", f"mode: {mode}", *(f"mx: {host}" for host in installation.mx_hosts)]
    return "".join(f"{line}\r\n" for line in [*lines, f"max_age: {MAX_AGE[mode]}"])


def mta_sts(domain: str, installation: Installation) -> Record:
    """Another policy has another id, so that senders fetch it anew (RFC 8461 §3.1)."""
    number = hashlib.sha256(mta_sts_policy(installation).encode()).hexdigest()[:20]
    return Record(f"_mta-sts.{domain}", "TXT", f"v=STSv1; id={number}")


def tls_rpt(domain: str, installation: Installation) -> Record:
    """RFC 8460 §3."""
    return Record(f"_smtp._tls.{domain}", "TXT", f"v=TLSRPTv1; rua=mailto:{installation.reports_of(domain)}")


def web_alias(name: str, domain: str, installation: Installation) -> Record:
    """A name of the domain that leads to the panel's web server."""
    return Record(f"{name}.{domain}", "CNAME", f"{installation.web_host}.")


def srv(service: Service, domain: str) -> Record:
    """Where mail programs find a service (RFC 6186 §3.4)."""
    return Record(f"{service.name}.{domain}", "SRV", f"0 1 {service.port} {service.host}.")
