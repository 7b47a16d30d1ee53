"""Whatever a zone says, and whoever does not answer: every check ends with a finding for each thing, in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailboxes.domain_dns import spf, spf_result
from mailboxes.domain_dns.examine import Question, examine, remembering
from mailboxes.domain_dns.expected import DkimKey, Installation, Service
from mailboxes.domain_dns.records import Answer, NotAnsweredError, Page, Record, State
from mailboxes.domain_dns.sentences import sentence, title

INSTALLATION = Installation(
    ("mail.example",), ("mail.example",), "", (Service("_imaps._tcp", "mail.example", 993),), "panel.example", "",
    "testing",
)  # fmt: skip
NAMES = st.sampled_from(["mail.example", "firma.example", "a.example", "x\\032y", "", "a..b", "\\xff", "%{i}.x"])
WORDS = st.one_of(
    st.text(max_size=20),
    st.builds(
        "{}{}{}{}".format, st.sampled_from(["", "+", "-", "~", "?"]),
        st.sampled_from(
            ["all", "include:", "a:", "mx:", "a", "mx", "ptr", "ip4:", "ip6:", "exists:", "redirect=", "x="]
        ),
        NAMES, st.sampled_from(["", "/24", "//64", "/24//64", "/999", "/"]),
    ),
)  # fmt: skip
TEXTS = st.one_of(
    st.text(max_size=60),
    st.lists(WORDS, max_size=8).map(lambda words: " ".join(["v=spf1", *words])),
    st.builds(
        "v={};{}".format, st.sampled_from(["DMARC1", "STSv1", "TLSRPTv1", "DKIM1"]),
        st.text("pidrua=;: \\x", max_size=20),
    ),
)  # fmt: skip
VALUES = {
    "TXT": TEXTS,
    "MX": st.builds("{} {}".format, st.integers(0, 65535), NAMES),
    "SRV": st.builds("0 1 {} {}".format, st.integers(0, 65535), NAMES),
    "CNAME": NAMES,
    "PTR": NAMES,
    "A": st.sampled_from(["192.0.2.1", "0.0.0.0"]),
    "AAAA": st.sampled_from(["2001:db8::1", "::"]),
}


@given(st.data())
def test_no_zone_stops_a_check(data: st.DataObject) -> None:
    def ask(_name: str, kind: str) -> Answer:
        if data.draw(st.integers(0, 9)) == 0:
            return Answer(trouble="Timeout")
        return Answer(tuple(data.draw(st.lists(VALUES[kind], max_size=3))))

    keys = (DkimKey("s", "v=DKIM1; k=rsa; p=AAAA"),)
    trouble = data.draw(st.sampled_from(["", "away", "private", "certificate"]))
    page = Page(data.draw(st.integers(0, 600)), "text/plain", data.draw(st.text(max_size=20)), trouble)
    fetched = Question("firma.example", INSTALLATION, keys, remembering(ask), lambda _host, _addresses: page)
    found = examine(fetched)
    assert len([one for one in found if one.kind != "dmarc-reports"]) == 11
    for one in found:
        assert title(one)
        assert sentence(one)
        assert all(record.zone_line for record in one.publish)
        assert (one.state is State.UNKNOWN) == (one.reason == "not-answered")


@pytest.mark.parametrize(
    ("text", "address", "result"),
    [
        ("v=spf1 ip4:192.0.2.0/24 -all", "192.0.2.7", "pass"),
        ("v=spf1 ip4:192.0.2.0/24 -all", "192.0.3.7", "fail"),
        ("v=spf1 ip4:192.0.2.0/24 ~all", "2001:db8::1", "softfail"),
        ("v=spf1 ?all", "192.0.2.7", "neutral"),
        ("v=spf1", "192.0.2.7", "neutral"),
        ("v=spf1 -ip4:192.0.2.7 ip4:192.0.2.0/24", "192.0.2.7", "fail"),
    ],
)
def test_spf_says_who_may_send(text: str, address: str, result: str) -> None:
    def ask(_name: str, kind: str) -> Answer:
        return Answer((text,) if kind == "TXT" else ())

    assert spf_result.result(address, "anna@firma.example", "mail.example", ask) == result


@pytest.mark.parametrize(
    ("text", "result"),
    [("v=spf1 ptr -all", "pass"), ("v=spf1 ptr:other.example -all", "fail"), ("v=spf1 exists:%{p}.x -all", "fail")],
)
def test_spf_goes_by_the_names_that_an_address_leads_back_to(text: str, result: str) -> None:
    records = {
        ("firma.example", "TXT"): text, ("7.2.0.192.in-addr.arpa", "PTR"): "mail.firma.example",
        ("mail.firma.example", "A"): "192.0.2.7",
    }  # fmt: skip

    def ask(name: str, kind: str) -> Answer:
        return Answer((records[name, kind],) if (name, kind) in records else ())

    assert spf_result.result("192.0.2.7", "anna@firma.example", "mail.example", ask) == result
    assert spf_result.result("192.0.2.8", "anna@firma.example", "mail.example", ask) == "fail"


def test_without_an_answer_spf_says_nothing() -> None:
    with pytest.raises(NotAnsweredError):
        spf.read("v=spf1 a:x.example", "firma.example", lambda _name, _kind: Answer(trouble="Timeout"))


@pytest.mark.parametrize(
    ("present", "wanted"),
    [
        ([], "v=spf1 a:m.example ~all"),
        (["v=spf1 -all"], "v=spf1 a:m.example -all"),
        (["v=spf1 +all"], "v=spf1 a:m.example ~all"),
        (["v=spf1 a:m.example mx ~all"], "v=spf1 a:m.example mx ~all"),
        (["v=spf1 redirect=x.example"], "v=spf1 a:m.example redirect=x.example"),
        (["v=spf1 nonsense mx -all"], "v=spf1 a:m.example mx -all"),
    ],
)
def test_the_record_to_copy_keeps_what_was_allowed(present: list[str], wanted: str) -> None:
    assert spf.with_terms(present, ["a:m.example"]) == wanted


def test_a_long_text_is_cut_into_strings_and_quoted() -> None:
    line = Record("x.example", "TXT", 'a"\\' + "k" * 600).zone_line
    assert line.startswith('x.example. 3600 IN TXT "a\\"\\\\kkk')
    strings = line.removeprefix("x.example. 3600 IN TXT ").strip('"').split('" "')
    assert [len(text) for text in strings] == [257, 255, 93]  # the first with two marks of escaping
