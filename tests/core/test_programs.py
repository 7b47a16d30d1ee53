"""What mail programs are told, without any server."""

import plistlib
from xml.etree import ElementTree as ET

import pytest

from mailboxes import programs

SERVERS = programs.Servers("imap.panel.example", 993, "smtp.panel.example", 465, 587)
STARTTLS_ONLY = programs.Servers("imap.panel.example", 993, "smtp.panel.example", 0, 587)
WORDS = {"profile": "Mail of anna", "description": "Sets it up."}
QUESTION = """<?xml version="1.0" encoding="utf-8"?>
<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006">
  <Request>
    <EMailAddress>{address}</EMailAddress>
    <AcceptableResponseSchema>{schema}</AcceptableResponseSchema>
  </Request>
</Autodiscover>"""


def question(address: str = "anna@firma.example", schema: str = programs.ACCOUNT) -> bytes:
    return QUESTION.format(address=address, schema=schema).encode()


def texts(element: ET.Element) -> dict[str, str | None]:
    return {child.tag.rpartition("}")[2]: child.text for child in element}


def test_thunderbird_is_told_both_ways_to_send_the_better_one_first() -> None:
    root = ET.fromstring(programs.thunderbird(SERVERS, "firma.example"))
    assert (root.tag, root.attrib) == ("clientConfig", {"version": "1.1"})
    [provider] = root
    assert provider.get("id") == provider.findtext("domain") == "firma.example"
    incoming, first, second = [server for server in provider if server.tag.endswith("Server")]
    assert incoming.tag == "incomingServer"
    assert first.tag == second.tag == "outgoingServer"
    assert [server.get("type") for server in (incoming, first, second)] == ["imap", "smtp", "smtp"]
    common = {"username": "%EMAILADDRESS%", "authentication": "password-cleartext"}
    assert texts(incoming) == common | {"hostname": "imap.panel.example", "port": "993", "socketType": "SSL"}
    assert texts(first) == common | {"hostname": "smtp.panel.example", "port": "465", "socketType": "SSL"}
    assert texts(second) == common | {"hostname": "smtp.panel.example", "port": "587", "socketType": "STARTTLS"}


def test_an_international_domain_is_shown_as_people_write_it_and_signs_in_as_the_server_knows_it() -> None:
    root = ET.fromstring(programs.thunderbird(SERVERS, "xn--w-uga1v8h.example"))
    assert root.findtext("emailProvider/displayName") == "żółw.example"
    assert root.findtext("emailProvider/incomingServer/username") == "%EMAILLOCALPART%@xn--w-uga1v8h.example"


@pytest.mark.parametrize(("servers", "port", "encryption"), [(SERVERS, "465", "SSL"), (STARTTLS_ONLY, "587", "TLS")])
def test_outlook_is_told_one_way_to_send(servers: programs.Servers, port: str, encryption: str) -> None:
    root = ET.fromstring(programs.outlook(servers, "anna@firma.example"))
    assert root.tag == f"{{{programs.ANSWER}}}Autodiscover"
    account = root.find(f"{{{programs.ACCOUNT}}}Response/{{*}}Account")
    assert account is not None
    assert [account.findtext("{*}AccountType"), account.findtext("{*}Action")] == ["email", "settings"]
    imap, smtp = [texts(protocol) for protocol in account.findall("{*}Protocol")]
    common = {"LoginName": "anna@firma.example", "DomainRequired": "off", "SPA": "off", "SSL": "on"}
    assert imap.items() >= (common | {"Type": "IMAP", "Server": "imap.panel.example", "Port": "993"}).items()
    assert smtp.items() >= (common | {"Type": "SMTP", "Server": "smtp.panel.example", "Port": port}).items()
    assert (imap["Encryption"], smtp["Encryption"], smtp["AuthRequired"]) == ("SSL", encryption, "on")


def test_outlooks_question_is_read() -> None:
    assert programs.asked_by_outlook(question(" Anna@Firma.Example ")) == "anna@firma.example"
    without = question().replace(b"<AcceptableResponseSchema>", b"<X>").replace(b"</AcceptableResponseSchema>", b"</X>")
    assert programs.asked_by_outlook(without) == "anna@firma.example"


ENTITY = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
LAUGHS = b'<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    "body",
    [
        b"", b"\0", b"<", b"nonsense", b"<a/>", b"\xff\xfe<", b'<?xml version="1.0" encoding="utf-7"?><a/>',
        b'<?xml version="1.0" encoding="no-such"?><a/>', question(""), question("anna"), question("a@b@"),
        question("anna@firma.example\u0000".replace("\0", "&#0;")), question("x" * 300 + "@firma.example"),
        ENTITY + question("&e;").partition(b"?>")[2], LAUGHS + question("&b;@firma.example").partition(b"?>")[2],
        b'<!DOCTYPE Autodiscover SYSTEM "http://evil.example/x.dtd">' + question().partition(b"?>")[2],
        b"<a>" * 8000, question()[:-5],
    ],
)  # fmt: skip
def test_a_question_that_is_none_is_refused(body: bytes) -> None:
    with pytest.raises(programs.RequestError) as refused:
        programs.asked_by_outlook(body)
    assert refused.value.code == programs.BAD_REQUEST


def test_a_question_for_another_protocol_is_told_so() -> None:
    with pytest.raises(programs.RequestError) as refused:
        programs.asked_by_outlook(question(schema=programs.ACCOUNT.replace("outlook", "mobilesync")))
    root = ET.fromstring(programs.outlook_error(refused.value, "12:30:05"))
    error = root.find("{*}Response/{*}Error")
    assert error is not None
    assert (error.get("Time"), error.findtext("{*}ErrorCode")) == ("12:30:05", "601")


def test_a_profile_of_apple_holds_everything_but_the_password() -> None:
    made = programs.apple(SERVERS, "anna@firma.example", name="Anna <&> Nowak", panel="https://p.example", words=WORDS)
    profile = plistlib.loads(made)
    [account] = profile["PayloadContent"]
    assert (profile["PayloadType"], account["PayloadType"]) == ("Configuration", "com.apple.mail.managed")
    assert account["EmailAccountName"] == "Anna <&> Nowak"
    assert account["IncomingMailServerUsername"] == account["EmailAddress"] == "anna@firma.example"
    assert (account["IncomingMailServerPortNumber"], account["OutgoingMailServerPortNumber"]) == (993, 465)
    assert account["IncomingMailServerUseSSL"] is account["OutgoingMailServerUseSSL"] is True
    assert not {"IncomingPassword", "OutgoingPassword"} & set(account)


def test_the_same_mailbox_set_up_twice_is_one_account_and_another_one_another() -> None:
    def identifiers(address: str, panel: str = "https://p.example") -> set[str]:
        profile = plistlib.loads(programs.apple(SERVERS, address, name="", panel=panel, words=WORDS))
        parts = [profile, *profile["PayloadContent"]]
        return {part[key] for part in parts for key in ("PayloadUUID", "PayloadIdentifier")}

    anna = identifiers("anna@firma.example")
    assert len(anna) == 4
    assert anna == identifiers("anna@firma.example")
    assert not anna & identifiers("ewa@firma.example")
    assert not anna & identifiers("anna@firma.example", "https://q.example")
