"""Whether a sender's domain can take mail at all, asked of the DNS: the outside world's only say in a decision.

Fails open: no answer in time, a broken zone, a resolver that is away, all mean that nothing is known against the
domain. Answers are kept for as long as they say (within limits); whoever asks while one is on its way shares it.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import dns.asyncresolver
import dns.exception
import dns.inet
import dns.name
import dns.nameserver
import dns.resolver
from dns.message import Message, QueryMessage

log = logging.getLogger("responders.hook")

PATIENCE = 2.0  # seconds for all attempts together: a copy waits, and Postfix with it
# Seconds that an answer is kept, whatever it says itself; one that never came is asked for again soon.
SHORTEST, LONGEST, UNKNOWN = 60.0, 3600.0, 30.0
MAX_KEPT = 10_000
RESOLV_CONF = Path("/etc/resolv.conf")
LOCAL = "127.0.0.1:53"  # where resolv.conf names none (resolv.conf(5))
NULL_MX = "null MX"
NO_SUCH_DOMAIN = "no such domain"


class Resolver:
    """`server` is ADDRESS:PORT, or empty for the ones this machine uses (`conf`), also after they have changed. Raises
    ValueError.
    """

    def __init__(self, server: str = "", conf: Path = RESOLV_CONF) -> None:
        self._conf, self._conf_changed_at = None if server else conf, 0
        self._resolver = _patient(dns.asyncresolver.Resolver(configure=False))
        self._resolver.nameservers = [dns_server(server or LOCAL)]
        self._follow_conf()
        self._kept: dict[str, tuple[str, float]] = {}
        self._asked: dict[str, asyncio.Task[str]] = {}

    async def trouble_with(self, domain: str) -> str:
        """Why no mail can reach the domain (A-labels, no final dot): null MX or no such domain; empty if it may."""
        words = self.known_trouble(domain)
        if words is not None:
            return words
        task = self._asked.get(domain)
        if task is None:
            task = self._asked[domain] = asyncio.create_task(self._ask(domain))
        return await asyncio.shield(task)  # one who gives up does not take the answer away from the others

    def known_trouble(self, domain: str) -> str | None:
        """The same if nobody need be asked; None if somebody must."""
        words, until = self._kept.get(domain, ("", 0.0))
        return words if time.monotonic() < until else None

    def _follow_conf(self) -> None:
        """Ask the name servers that are named now; those named before where the file cannot be read."""
        if self._conf is None:
            return
        with contextlib.suppress(OSError):
            changed_at = self._conf.stat().st_mtime_ns
            if changed_at != self._conf_changed_at:
                self._conf_changed_at = changed_at
                with contextlib.suppress(dns.resolver.NoResolverConfiguration):
                    self._resolver = _patient(dns.asyncresolver.Resolver(str(self._conf)))

    async def _ask(self, domain: str) -> str:
        self._follow_conf()
        try:
            words, seconds = await self._answer(domain)
        finally:
            del self._asked[domain]
        if len(self._kept) >= MAX_KEPT:
            for old in list(self._oldest(MAX_KEPT // 10)):
                del self._kept[old]
        self._kept.pop(domain, None)
        self._kept[domain] = words, time.monotonic() + seconds
        return words

    def _oldest(self, count: int) -> Iterator[str]:
        return (domain for domain, _number in zip(self._kept, range(count), strict=False))

    async def _answer(self, domain: str) -> tuple[str, float]:
        """What the DNS says and for how many seconds that counts."""
        try:
            async with asyncio.timeout(PATIENCE):
                answer = await self._resolver.resolve(domain, "MX", search=False, raise_on_no_answer=False)
        except dns.resolver.NXDOMAIN as denial:
            return NO_SUCH_DOMAIN, _lifetime(_denial(denial))
        except (dns.exception.DNSException, OSError, TimeoutError, ValueError) as trouble:
            log.info("the DNS has no answer: %s", type(trouble).__name__)
            return "", UNKNOWN
        return (NULL_MX if _is_null_mx(answer) else ""), _lifetime(answer.response)


def _patient(resolver: dns.asyncresolver.Resolver) -> dns.asyncresolver.Resolver:
    resolver.lifetime, resolver.timeout = PATIENCE, PATIENCE / 2
    return resolver


def dns_server(text: str) -> dns.nameserver.Do53Nameserver:
    """A name server at ADDRESS:PORT, an IPv6 address in brackets. Raises ValueError."""
    address, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"{text} is not ADDRESS:PORT")
    host = address.removeprefix("[").removesuffix("]")
    if not dns.inet.is_address(host):
        raise ValueError(f"{text} names no IP address")
    return dns.nameserver.Do53Nameserver(host, int(port))


def _is_null_mx(answer: dns.resolver.Answer) -> bool:
    """RFC 7505 §3: a single MX whose exchange is the root. Beside others it means nothing."""
    records = list(answer.rrset or ())
    return len(records) == 1 and bool(records[0].exchange == dns.name.root)


def _denial(denial: dns.resolver.NXDOMAIN) -> Message | None:
    responses = denial.kwargs.get("responses") or {}
    return next(iter(responses.values()), None)


def _lifetime(response: Message | None) -> float:
    """The answer's own time to live, also a negative one's (RFC 2308 §5), within limits."""
    if not isinstance(response, QueryMessage):
        return SHORTEST
    try:
        own = float(response.resolve_chaining().minimum_ttl)
    except dns.exception.DNSException:
        return SHORTEST
    return min(max(own, SHORTEST), LONGEST)
