"""Reads the one file that senders read over HTTPS (RFC 8461 §3.3), as they do.

Where a name leads is up to whoever writes its zone: so only public addresses are gone to, those that were looked at;
no redirect is followed; little is read, and for a short time.
"""

import http.client
import socket
import ssl
import threading
from ipaddress import IPv6Address, IPv6Network, ip_address

from mailboxes.domain_dns.expected import MTA_STS_PATH
from mailboxes.domain_dns.records import AWAY, CERTIFICATE, PRIVATE, Page

PORT = 443
PATIENCE = 6.0  # seconds for all of it
MAX_OCTETS = 65_536  # RFC 8461 §3.3
MAX_ADDRESSES = 4  # that are tried
_TRANSLATED = [IPv6Network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")]  # to IPv4


def fetch(host: str, addresses: tuple[str, ...]) -> Page:
    """GET https://host/.well-known/mta-sts.txt from the first of the addresses that answers. Raises nothing."""
    if not addresses or not all(map(is_public, addresses)):
        return Page(trouble=PRIVATE)
    connection = _Connection(host, addresses[:MAX_ADDRESSES])
    timer = threading.Timer(PATIENCE, connection.hang_up)
    timer.start()
    try:
        page = _read(connection)
    except ssl.SSLCertVerificationError:
        return Page(trouble=CERTIFICATE)
    except (OSError, http.client.HTTPException, UnicodeError, ValueError):
        return Page(trouble=AWAY)
    finally:
        timer.cancel()
        connection.close()
    return Page(trouble=AWAY) if connection.is_late else page


def is_public(text: str) -> bool:
    """Whether anybody in the world can be meant by the address."""
    address = ip_address(text)
    is_translated = isinstance(address, IPv6Address) and any(address in network for network in _TRANSLATED)
    return address.is_global and not address.is_multicast and not is_translated


def _read(connection: "_Connection") -> Page:
    connection.request("GET", MTA_STS_PATH, headers={"Accept": "text/plain", "Connection": "close"})
    answer = connection.getresponse()
    octets = answer.read(MAX_OCTETS + 1)
    if len(octets) > MAX_OCTETS:
        return Page(answer.status)
    text = octets.decode("ascii", "replace").replace("\0", "\ufffd")  # the database keeps no NUL
    return Page(answer.status, answer.headers.get_content_type(), text)


class _Connection(http.client.HTTPSConnection):
    """To one of these addresses, with the certificate of the name."""

    def __init__(self, host: str, addresses: tuple[str, ...]) -> None:
        self._checked = ssl.create_default_context()
        super().__init__(host, PORT, timeout=PATIENCE, context=self._checked)
        self._addresses = addresses
        self.is_late = False

    def connect(self) -> None:
        """Raises OSError."""
        plain = self._reached()
        self.sock = self._checked.wrap_socket(plain, server_hostname=self.host, do_handshake_on_connect=False)
        self.sock.do_handshake()

    def _reached(self) -> socket.socket:
        trouble: OSError = TimeoutError()
        for address in self._addresses:
            try:
                return socket.create_connection((address, PORT), timeout=PATIENCE / len(self._addresses))
            except OSError as error:
                trouble = error
        raise trouble

    def hang_up(self) -> None:
        """From another thread: what waits for the server ends. One that drips is no better than a silent one."""
        self.is_late = True
        if self.sock is not None:
            try:
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)
            except OSError:
                return
