"""What a receiver makes of mail by SPF (RFC 7208): pyspf evaluates, macros and all. Whoever calls asks the DNS."""

from typing import Any

import spf

from mailboxes.domain_dns.records import Answer, Ask


def result(address: str, writer: str, helo: str, ask: Ask) -> str:
    """pass, fail, softfail, neutral, none, permerror or temperror (§2.6) for mail from an IP address.

    `writer` is the reverse-path; empty, the name in EHLO is what counts (§2.4).
    """
    return str(_Query(address, writer, helo, ask).check()[0])


class _Query(spf.query):
    """pyspf's, which asks as everybody here does: the same server, with the same patience."""

    def __init__(self, address: str, writer: str, helo: str, ask: Ask) -> None:
        super().__init__(i=address, s=writer, h=helo)
        self._ask = ask

    def dns(self, name: Any, qtype: str, cnames: Any = None, ignore_void: bool = False) -> list[Any]:
        """Records as pyspf takes them; its own rules count what was asked for in vain (§4.6.4)."""
        answer = self._ask(str(name).rstrip(".").lower(), qtype)
        if answer.trouble and qtype == "PTR":
            return []  # §5.5: then nothing matches
        if answer.trouble:
            raise spf.TempError(answer.trouble)
        if not answer.values and not ignore_void:
            self._count_void()
        return _as_pyspf_has_it(answer, qtype)

    def _count_void(self) -> None:
        self.void_lookups += 1
        if self.void_lookups > spf.MAX_VOID_LOOKUPS:
            raise spf.PermError("void lookup limit exceeded")


def _as_pyspf_has_it(answer: Answer, kind: str) -> list[Any]:
    if kind == "TXT":
        return [(value.encode(),) for value in answer.values]
    if kind == "MX":
        return [(int(number), host) for number, _space, host in (value.partition(" ") for value in answer.values)]
    return list(answer.values)
