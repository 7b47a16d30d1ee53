"""A name server on a UDP port of 127.0.0.1, with the zones that a test writes."""

import asyncio
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

from tests.lmtp.parts import Loop

# Name → what it answers: MX records, the strings of one TXT record in quotes, "NXDOMAIN", "SERVFAIL", "nothing" (no
# records), "silence".
Zone = dict[str, list[str] | str]
SOA = "ns.example. hostmaster.example. 1 7200 900 1209600 {ttl}"


class NameServer(asyncio.DatagramProtocol):
    """Answers from `zone`; `asked` are the names asked for, in order. Whoever is not in it does not exist."""

    def __init__(self) -> None:
        self.zone: Zone = {}
        self.asked: list[str] = []
        self.ttl = 300
        self._loop = Loop()
        self._loop.run(self._start())

    async def _start(self) -> None:
        loop = asyncio.get_running_loop()
        self._transport, _protocol = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        self.address = "127.0.0.1:{1}".format(*self._transport.get_extra_info("sockname"))

    def datagram_received(self, data: bytes, addr: Any) -> None:
        query = dns.message.from_wire(data)
        name = query.question[0].name.to_text(omit_final_dot=True)
        self.asked.append(name)
        records = self.zone.get(name, "NXDOMAIN")
        if records != "silence":
            self._transport.sendto(self._answer(query, name, records).to_wire(), addr)

    def _answer(self, query: dns.message.Message, name: str, records: list[str] | str) -> dns.message.Message:
        answer = dns.message.make_response(query, recursion_available=True)
        if isinstance(records, str) and records.startswith('"'):
            answer.answer.append(dns.rrset.from_text(f"{name}.", self.ttl, "IN", "TXT", records))
        elif isinstance(records, list):
            answer.answer.append(dns.rrset.from_text(f"{name}.", self.ttl, "IN", "MX", *records))
        else:
            answer.set_rcode(dns.rcode.NOERROR if records == "nothing" else dns.rcode.from_text(records))
            answer.authority.append(dns.rrset.from_text("example.", self.ttl, "IN", "SOA", SOA.format(ttl=self.ttl)))
        return answer

    def forget(self) -> None:
        self.zone, self.asked, self.ttl = {}, [], 300

    def stop(self) -> None:
        self._loop.run(self._stop())
        self._loop.stop()

    async def _stop(self) -> None:
        self._transport.close()
