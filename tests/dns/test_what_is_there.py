"""Right, wrong and missing records in a real zone, and zones that mean harm."""

import math

import pytest
from pytest_django import Settings

from mailboxes.domain_dns import asker as askers
from mailboxes.domain_dns import checking
from mailboxes.domain_dns.expected import DkimKey
from mailboxes.domain_dns.records import Finding, State
from tests.dns.name_server import Nsd

KEY = DkimKey("wp202611", "v=DKIM1; k=rsa; p=" + "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A" * 12)
HOSTS = """
mail A 192.0.2.1
mail AAAA 2001:db8::1
panel A 192.0.2.1
other A 192.0.2.99
"""
FIRMA = "firma.example"


def publish(zone: Nsd, lines: str) -> None:
    """Lines of the zone example.; our hosts are there always."""
    zone.publish(HOSTS + lines)


def look(keys: tuple[DkimKey, ...] = (KEY,)) -> dict[str, Finding]:
    return {finding.item: finding for finding in checking.look(FIRMA, keys)}


def one(zone: Nsd, lines: str, item: str) -> tuple[str, str]:
    publish(zone, lines)
    found = look()[item]
    return found.state.value, found.reason


def published_by_the_book() -> str:
    """Every record that the panel asks for, as it writes them for a zone file."""
    return "".join(f"{record.zone_line}\n" for finding in look().values() for record in finding.publish)


@pytest.mark.usefixtures("zone")
def test_what_the_panel_asks_for_is_right_once_it_is_published(zone: Nsd) -> None:
    publish(zone, "")
    missing = look()
    assert {finding.state for finding in missing.values()} == {State.MISSING}
    publish(zone, published_by_the_book())
    states = {item: finding.state for item, finding in look().items()}
    assert states.pop("mta-sts-file") is State.WRONG  # nobody serves it at that address; test_policy_file.py does
    assert set(states.values()) == {State.OK}


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        ("firma MX 10 mail", ("ok", "ok")),
        ("firma MX 10 MAIL", ("ok", "ok")),
        ("firma MX 10 mail\nfirma MX 20 other", ("ok", "ok")),
        ("firma MX 10 mail\nfirma MX 10 other", ("wrong", "also-elsewhere")),
        ("firma MX 20 mail\nfirma MX 10 other", ("wrong", "also-elsewhere")),
        ("firma MX 10 other", ("wrong", "elsewhere")),
        ("firma MX 10 nowhere", ("wrong", "elsewhere")),
        ("firma MX 10 mx.firma\nmx.firma A 192.0.2.1", ("ok", "own-name")),
        ("firma MX 10 mx.firma\nmx.firma CNAME mail", ("ok", "own-name")),
        ("firma MX 0 .", ("wrong", "null-mx")),
        ("firma MX 0 .\nfirma MX 10 mail", ("wrong", "null-mx")),
        ("firma A 192.0.2.1", ("missing", "none")),
        ("", ("missing", "none")),
    ],
)
def test_mx(zone: Nsd, lines: str, wanted: tuple[str, str]) -> None:
    assert one(zone, lines, "mx") == wanted


LOOP = 'a TXT "v=spf1 include:b.example -all"\nb TXT "v=spf1 include:a.example -all"\n'
MANY = "".join(f'i{number} TXT "v=spf1 -all"\n' for number in range(12))


def includes(count: int) -> str:
    return " ".join(f"include:i{number}.example" for number in range(count))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("v=spf1 a:mail.example ~all", ("ok", "ok")),
        ("v=spf1 mx -all", ("ok", "ok")),
        ("V=SPF1 A:MAIL.EXAMPLE -ALL", ("ok", "ok")),
        ("v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 -all", ("ok", "ok")),
        ("v=spf1 a:mail.example/24//64 -all", ("ok", "ok")),
        ("v=spf1 include:ours.example -all", ("ok", "ok")),
        ("v=spf1 redirect=ours.example", ("ok", "ok")),
        ("v=spf1 exp=why.example a:mail.example -all", ("ok", "ok")),
        ("v=spf1 ?a:mail.example -all", ("wrong", "without-us")),
        ("v=spf1 -a:mail.example +ip4:0.0.0.0/0 -all", ("wrong", "without-us")),
        ("v=spf1 ip4:192.0.2.1 -all", ("wrong", "without-us")),  # and not by IPv6
        ("v=spf1 -all", ("wrong", "without-us")),
        ("v=spf1", ("wrong", "without-us")),
        ("v=spf1 a:other.example ~all", ("wrong", "without-us")),
        ("v=spf1 +all", ("wrong", "everybody")),
        ("v=spf1 all", ("wrong", "everybody")),
        ("v=spf1 include:a.example -all", ("wrong", "loop")),
        ("v=spf1 include:firma.example a:mail.example", ("wrong", "loop")),
        ("v=spf1 redirect=firma.example", ("wrong", "loop")),
        ("v=spf1 include:nothing.example a:mail.example", ("wrong", "include")),
        (f"v=spf1 a:mail.example {includes(9)} -all", ("ok", "ok")),
        (f"v=spf1 a:mail.example {includes(10)} -all", ("wrong", "look-ups")),
        ("v=spf1 a:n1.example a:n2.example a:n3.example a:mail.example", ("wrong", "void")),
        ("v=spf1 ip4:1.2.3.4.5 -all", ("wrong", "unreadable")),
        ("v=spf1 ip4:2001:db8::1 -all", ("wrong", "unreadable")),
        ("v=spf1 a:mail.example/99 -all", ("wrong", "unreadable")),
        ("v=spf1 include: -all", ("wrong", "unreadable")),
        ("v=spf1 nonsense -all", ("wrong", "unreadable")),
        ("v=spf1 mail.example -all", ("wrong", "unreadable")),
        ("v=spf1 " + "ip4:192.0.2.9 " * 201, ("wrong", "unreadable")),
        ("v=spf1 exists:%{i}.spf.example -all", ("wrong", "without-us")),
        ("v=spf10 a:mail.example", ("missing", "none")),
        ("some other text", ("missing", "none")),
    ],
)
def test_spf(zone: Nsd, text: str, wanted: tuple[str, str]) -> None:
    ours = 'ours TXT "v=spf1 a:mail.example -all"\nfirma MX 10 mail\n'
    strings = " ".join(f'"{text[start : start + 200]}"' for start in range(0, len(text), 200))
    assert one(zone, f"{LOOP}{MANY}{ours}firma TXT {strings}\n", "spf") == wanted


def test_two_spf_records_are_one_too_many_and_are_made_one(zone: Nsd) -> None:
    publish(zone, 'firma TXT "v=spf1 mx ip4:192.0.2.7 -all"\nfirma TXT "v=spf1 include:i1.example ~all"\n')
    found = look()["spf"]
    assert (found.state, found.reason) == (State.WRONG, "several")
    assert found.publish[0].value == "v=spf1 a:mail.example include:i1.example mx ip4:192.0.2.7 ~all"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("v=DKIM1; k=rsa; p=OTHER", ("wrong", "other")),
        ("v=DKIM1; k=rsa; p=", ("wrong", "revoked")),
        ("v=DKIM1; k=ed25519; p=" + KEY.value.partition("p=")[2], ("wrong", "other")),
        ("p=" + KEY.value.partition("p=")[2], ("ok", "ok")),
        ("v=DKIM1;p=" + KEY.value.partition("p=")[2] + ";", ("ok", "ok")),
        ("nonsense", ("wrong", "unreadable")),
        ("v=DKIM1; v=DKIM1; p=x", ("wrong", "unreadable")),
    ],
)
def test_dkim(zone: Nsd, text: str, wanted: tuple[str, str]) -> None:
    strings = " ".join(f'"{text[start : start + 100]}"' for start in range(0, len(text), 100))
    assert one(zone, f"wp202611._domainkey.firma TXT {strings}\n", "dkim:wp202611") == wanted


def test_two_keys_at_one_selector_are_one_too_many(zone: Nsd) -> None:
    lines = 'wp202611._domainkey.firma TXT "p=A"\nwp202611._domainkey.firma TXT "p=B"\n'
    assert one(zone, lines, "dkim:wp202611") == ("wrong", "several")


def test_without_a_key_mail_leaves_unsigned(zone: Nsd) -> None:
    publish(zone, "")
    found = look(())["dkim"]
    assert (found.state, found.reason, found.publish) == (State.MISSING, "no-key", ())


@pytest.mark.parametrize(
    ("item", "lines", "wanted"),
    [
        ("dmarc", '_dmarc.firma TXT "v=DMARC1; p=reject"', ("ok", "ok")),
        ("dmarc", '_dmarc.firma TXT "v=DMARC1; p=nothing"', ("wrong", "unreadable")),
        ("dmarc", '_dmarc.firma TXT "v=DMARC1"', ("wrong", "unreadable")),
        ("dmarc", '_dmarc.firma TXT "v=DMARC1; p=none"\n_dmarc.firma TXT "v=DMARC1; p=reject"', ("wrong", "several")),
        ("dmarc", '_dmarc.firma TXT "p=none"', ("missing", "none")),
        ("dmarc", '_dmarc TXT "v=DMARC1; p=none"', ("missing", "none")),  # a top-level domain rules nobody
        ("mta-sts", '_mta-sts.firma TXT "v=STSv1; id=20260101"', ("wrong", "other")),
        ("mta-sts", '_mta-sts.firma TXT "v=STSv1"', ("wrong", "unreadable")),
        ("mta-sts-host", "mta-sts.firma CNAME other", ("wrong", "elsewhere")),
        ("mta-sts-host", "mta-sts.firma A 192.0.2.1", ("ok", "ok")),
        ("tls-rpt", '_smtp._tls.firma TXT "v=TLSRPTv1; rua=https://r.example/x"', ("ok", "ok")),
        ("tls-rpt", '_smtp._tls.firma TXT "v=TLSRPTv1; rua=ftp:x"', ("wrong", "unreadable")),
        ("autoconfig", "autoconfig.firma CNAME panel", ("ok", "ok")),
        ("autoconfig", "autoconfig.firma CNAME other", ("wrong", "elsewhere")),
        ("autodiscover", "autodiscover.firma CNAME nowhere", ("wrong", "elsewhere")),
        ("srv:_imaps._tcp", "_imaps._tcp.firma SRV 0 5 993 mail", ("ok", "ok")),
        ("srv:_imaps._tcp", "_imaps._tcp.firma SRV 0 0 0 .", ("wrong", "elsewhere")),
        ("srv:_imaps._tcp", "_imaps._tcp.firma SRV 0 1 143 mail", ("wrong", "elsewhere")),
    ],
)
def test_the_others(zone: Nsd, item: str, lines: str, wanted: tuple[str, str]) -> None:
    assert one(zone, f"{lines}\n", item) == wanted


@pytest.mark.parametrize(
    ("rua", "places"),
    [
        ("mailto:dmarc@firma.example", []),
        ("mailto:dmarc@sub.firma.example", []),
        ("mailto:dmarc@other.example", ["other.example"]),
        ("mailto:a@other.example!10m, mailto:b@OTHER.example, https://third.example/", ["other.example"]),
        ("mailto:a@other.example,mailto:b@yes.example", ["other.example", "yes.example"]),
        ("mailto:a@<script>,mailto:,mailto:@x.example,mailto:a@" + "x" * 90 + ".example", []),
    ],
)
def test_reports_at_another_domain_need_its_consent(zone: Nsd, rua: str, places: list[str]) -> None:
    """RFC 7489 §7.1."""
    consent = 'firma.example._report._dmarc.yes TXT "v=DMARC1;"\n'
    publish(zone, f'{consent}_dmarc.firma TXT "v=DMARC1; p=none; rua={rua}"\n')
    found = {item: finding.state.value for item, finding in look().items() if item.startswith("dmarc-reports")}
    assert found == {f"dmarc-reports:{place}": "ok" if place == "yes.example" else "missing" for place in places}


def test_the_consent_of_one_for_all_is_enough(zone: Nsd, installed: Settings) -> None:
    """The operator's own domain gets the reports of everybody (DNS_REPORTS_TO)."""
    installed.DNS_REPORTS_TO = "dmarc@reports.example"
    publish(zone, "")
    finding = look()["dmarc-reports:reports.example"]
    assert finding.publish[0].zone_line == 'firma.example._report._dmarc.reports.example. 3600 IN TXT "v=DMARC1"'
    publish(zone, '*._report._dmarc.reports TXT "v=DMARC1"\n')
    assert look()["dmarc-reports:reports.example"].state is State.OK


def test_a_subdomain_goes_by_the_rule_of_its_domain(zone: Nsd) -> None:
    publish(zone, '_dmarc.firma TXT "v=DMARC1; p=none"\n')
    [found] = [one for one in checking.look("dzial.firma.example", ()) if one.item == "dmarc"]
    assert (found.state, found.reason) == (State.OK, "of-parent")


@pytest.mark.usefixtures("silence")
def test_a_server_that_says_nothing_leaves_nothing_known_and_is_not_asked_for_long(counted: list[str]) -> None:
    found = look()
    assert {finding.state for finding in found.values()} == {State.UNKNOWN}
    assert 0 < len(counted) <= math.ceil(askers.DOMAIN_PATIENCE / askers.PATIENCE)
    assert all(finding.publish for finding in found.values() if finding.item != "mta-sts-file")


def test_a_server_that_is_not_there_leaves_nothing_known(zone: Nsd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(askers, "DOMAIN_PATIENCE", 0.5)
    zone.publish(HOSTS)
    zone.stop()
    assert {finding.state for finding in look().values()} == {State.UNKNOWN}
    zone.publish(HOSTS)


# --- Zones that mean harm ---


def test_64_kb_of_text_are_read_and_not_kept(zone: Nsd) -> None:
    big = " ".join(['"' + "x" * 250 + '"'] * 230)
    publish(zone, f'firma TXT {big}\n_dmarc.firma TXT "v=DMARC1; p=none; " {big}\nfirma MX 10 mail\n')
    found = look()
    assert found["spf"].state is State.MISSING
    assert found["dmarc"].state is State.WRONG
    assert len(found["dmarc"].found[0]) == 600


def test_hundreds_of_records_are_not_kept_either(zone: Nsd) -> None:
    publish(zone, "".join(f"firma MX {number} other{number}\n" for number in range(1, 500)))
    found = look()["mx"]
    assert (found.state, len(found.found)) == (State.WRONG, 10)


def test_a_circle_of_aliases_ends(zone: Nsd) -> None:
    publish(zone, "mta-sts.firma CNAME x\nx CNAME y\ny CNAME mta-sts.firma\nautoconfig.firma CNAME autoconfig.firma\n")
    found = look()
    assert found["mta-sts-host"].state in {State.WRONG, State.UNKNOWN, State.MISSING}
    assert found["autoconfig"].state in {State.WRONG, State.UNKNOWN, State.MISSING}


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names that were asked for."""
    asked: list[str] = []
    real = askers._ask

    def ask(resolver: object, name: str, kind: str, seconds: float) -> object:
        asked.append(name)
        return real(resolver, name, kind, seconds)  # type: ignore[arg-type]

    monkeypatch.setattr(askers, "_ask", ask)
    return asked


def test_a_record_that_leads_to_thousands_is_given_up_soon(zone: Nsd, counted: list[str]) -> None:
    leads = "".join(
        f's{level} TXT "v=spf1 {" ".join(f"include:s{level + 1}.example" for _ in range(9))} -all"\n'
        for level in range(12)
    )
    publish(zone, f'{leads}firma TXT "v=spf1 include:s0.example -all"\n')
    assert look()["spf"].reason == "look-ups"
    assert len(counted) < 60


@pytest.mark.usefixtures("zone")
def test_text_that_is_no_text_is_shown_in_ascii(zone: Nsd) -> None:
    publish(zone, 'firma TXT "v=spf1 \\000\\255<script>\\010 -all"\n')
    found = look()["spf"]
    assert (found.reason, found.found[0].isascii(), "\0" in found.found[0]) == ("unreadable", True, False)
