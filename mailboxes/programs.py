"""What mail programs want to know, in the forms they ask for it: Thunderbird's, Outlook's, Apple's.

Pure: no Django, no clock, no network. Nothing here depends on whether a mailbox exists, and nothing holds a password.
"""

import plistlib
import uuid
from dataclasses import dataclass
from xml.etree import ElementTree as ET

import defusedxml.ElementTree
from defusedxml import DefusedXmlException

from mailboxes import addresses

# Names of Outlook's schemas (MS-OXDSCLI §2.2.4.1); those of ActiveSync end in mobilesync/….
ASKED = "http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"
ANSWER = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"
ACCOUNT = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
# Its codes for what went wrong, and what it calls them.
NOT_FOUND, BAD_REQUEST, OTHER_SCHEMA = 500, 600, 601
WORDS = {
    NOT_FOUND: "The e-mail address cannot be found.",
    BAD_REQUEST: "Invalid Request",
    OTHER_SCHEMA: "The requested schema version is not supported.",
}
MAX_REQUEST_OCTETS = 16 * 1024


class RequestError(ValueError):
    """A request that cannot be answered; `code` is the protocol's own."""

    def __init__(self, code: int) -> None:
        super().__init__(WORDS[code])
        self.code = code


@dataclass(frozen=True)
class Servers:
    """Where mail programs connect. A port of 0 is not offered."""

    imap_host: str
    imaps_port: int
    submission_host: str
    submissions_port: int  # TLS from the first octet (RFC 8314)
    submission_port: int  # STARTTLS

    @property
    def sending(self) -> list[tuple[int, str]]:
        """Ports for sending, the better one first, each with `SSL` (TLS at once) or `STARTTLS`."""
        offered = [(self.submissions_port, "SSL"), (self.submission_port, "STARTTLS")]
        return [(port, kind) for port, kind in offered if port]


def thunderbird(servers: Servers, domain: str) -> bytes:
    """`config-v1.1.xml` for a domain in normal form (wiki.mozilla.org: Thunderbird:Autoconfiguration:ConfigFileFormat).

    The program puts in the address itself; an international domain is written as the server knows it.
    """
    user = "%EMAILADDRESS%" if "xn--" not in domain else f"%EMAILLOCALPART%@{domain}"
    root = ET.Element("clientConfig", version="1.1")
    provider = ET.SubElement(root, "emailProvider", id=domain)
    _fill(provider, domain=domain, displayName=addresses.display_domain(domain))
    _fill(provider, displayShortName=addresses.display_domain(domain))
    incoming = ET.SubElement(provider, "incomingServer", type="imap")
    _fill(incoming, **_server(servers.imap_host, servers.imaps_port, "SSL", user))
    for port, kind in servers.sending:
        outgoing = ET.SubElement(provider, "outgoingServer", type="smtp")
        _fill(outgoing, **_server(servers.submission_host, port, kind, user))
    return _text(root)


def _server(host: str, port: int, socket: str, user: str) -> dict[str, str]:
    return {
        "hostname": host, "port": str(port), "socketType": socket, "username": user,
        "authentication": "password-cleartext",
    }  # fmt: skip


def asked_by_outlook(body: bytes) -> str:
    """The address in normal form that an autodiscover request is about. Raises RequestError.

    No document type, no entities: a request has none, and they are the way to read files and to fill memory.
    """
    try:
        root = defusedxml.ElementTree.fromstring(body, forbid_dtd=True)
    except (ET.ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise RequestError(BAD_REQUEST) from error
    wanted = root.findtext("{*}Request/{*}AcceptableResponseSchema", ACCOUNT).strip()
    if wanted != ACCOUNT:
        raise RequestError(OTHER_SCHEMA)
    address = addresses.normal_form_or_none(root.findtext("{*}Request/{*}EMailAddress", ""))
    if address is None:
        raise RequestError(BAD_REQUEST)
    return address


def outlook(servers: Servers, address: str) -> bytes:
    """The answer for an address in normal form (the POX schema of MS-OXDSCLI §2.2.4.1.1).

    `Encryption` says more than `SSL` and stands in its place where a program knows both.
    """
    root = ET.Element("Autodiscover", xmlns=ANSWER)
    account = ET.SubElement(ET.SubElement(root, "Response", xmlns=ACCOUNT), "Account")
    _fill(account, AccountType="email", Action="settings")
    port, kind = servers.sending[0]
    rows = [
        ("IMAP", servers.imap_host, servers.imaps_port, "SSL", {}),
        ("SMTP", servers.submission_host, port, {"SSL": "SSL", "STARTTLS": "TLS"}[kind], {"UsePOPAuth": "on"}),
    ]
    for protocol, host, number, encryption, more in rows:
        _fill(
            ET.SubElement(account, "Protocol"),
            Type=protocol, Server=host, Port=str(number), DomainRequired="off", LoginName=address, SPA="off",
            SSL="on", Encryption=encryption, AuthRequired="on", **more,
        )  # fmt: skip
    return _text(root)


def outlook_error(error: RequestError, time: str) -> bytes:
    """What is said instead; `time` is HH:MM:SS of the server's clock (MS-OXDSCLI §2.2.4.1.1.2.6)."""
    root = ET.Element("Autodiscover", xmlns=ANSWER)
    said = ET.SubElement(ET.SubElement(root, "Response"), "Error", Time=time, Id="0")
    _fill(said, ErrorCode=str(error.code), Message=str(error), DebugData="")
    return _text(root)


def _fill(parent: ET.Element, **texts: str) -> None:
    for tag, text in texts.items():
        ET.SubElement(parent, tag).text = text


def _text(root: ET.Element) -> bytes:
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True))


def apple(servers: Servers, address: str, *, name: str, panel: str, words: dict[str, str]) -> bytes:
    """A configuration profile with one mail account (Apple: Device Management, TopLevel and Mail).

    The device asks for the password: none stands in it. `panel` is the panel's URL; with the address it makes the
    identifiers, so that the same mailbox set up twice is one account. `words`: `profile` and `description` as shown.
    """
    port, _kind = servers.sending[0]
    name = "".join(sign for sign in name if sign.isprintable())  # a property list takes no control characters
    own = uuid.uuid5(uuid.NAMESPACE_URL, f"{panel}#{address}")
    account = {
        "PayloadType": "com.apple.mail.managed", "PayloadVersion": 1, "PayloadIdentifier": f"webmail-panel.{own}.mail",
        "PayloadUUID": _uuid(own, "mail"), "PayloadDisplayName": address,
        "EmailAccountType": "EmailTypeIMAP", "EmailAccountDescription": address, "EmailAccountName": name,
        "EmailAddress": address,
        "IncomingMailServerAuthentication": "EmailAuthPassword", "IncomingMailServerHostName": servers.imap_host,
        "IncomingMailServerPortNumber": servers.imaps_port, "IncomingMailServerUseSSL": True,
        "IncomingMailServerUsername": address,
        "OutgoingMailServerAuthentication": "EmailAuthPassword", "OutgoingMailServerHostName": servers.submission_host,
        "OutgoingMailServerPortNumber": port, "OutgoingMailServerUseSSL": True, "OutgoingMailServerUsername": address,
        "OutgoingPasswordSameAsIncomingPassword": True,
    }  # fmt: skip
    profile = {
        "PayloadType": "Configuration", "PayloadVersion": 1, "PayloadIdentifier": f"webmail-panel.{own}",
        "PayloadUUID": _uuid(own, "profile"), "PayloadDisplayName": words["profile"],
        "PayloadDescription": words["description"], "PayloadContent": [account],
    }  # fmt: skip
    return plistlib.dumps(profile)


def _uuid(own: uuid.UUID, part: str) -> str:
    return str(uuid.uuid5(own, part)).upper()
