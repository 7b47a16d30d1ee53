"""Addresses: one normal form, the copy's recipient, and senders that look different each time."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailboxes.addresses import (
    AddressError,
    copied_address,
    copy_address,
    display,
    memory_key,
    normalise,
    without_subaddress,
)


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("Anna.Nowak@Firma.Example", "anna.nowak@firma.example"),
        (" anna@firma.example. ", "anna@firma.example"),
        ("żółw@Bücher.example", "żółw@xn--bcher-kva.example"),
        ("żółw@XN--BCHER-KVA.example", "żółw@xn--bcher-kva.example"),
        ("z\u0307ółw@bücher.example", "żółw@xn--bcher-kva.example"),
        ("a=b+c/d@x.example", "a=b+c/d@x.example"),
        ("a@example.XXX", "a@example.xxx"),
    ],
)
def test_an_address_has_one_normal_form(written: str, normal: str) -> None:
    assert normalise(written) == normal


@pytest.mark.parametrize(
    "written",
    [
        "", "anna", "@x.example", "anna@", "a b@x.example", ".a@x.example", "a..b@x.example", "a@x..example",
        "a@-x.example", "a\0@x.example", "a\r\nb@x.example", "a<b@x.example", "a" * 65 + "@x.example", "a@" + "x" * 254,
        "\ud800@x.example",
        # Half an hour to put in order, were it tried.
        "\u0327\u0301" * 100_000 + "@x.example", "a@" + "\u0327\u0301" * 100_000 + ".example",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(written: str) -> None:
    with pytest.raises(AddressError):
        normalise(written)


TOO_LONG = "the part before @ is longer than 64 octets"
LETTERS = "the part before @ may hold letters, digits and .!#$%&'*+/=?^_`{|}~-"
NO_DOMAIN = "the domain is not a valid domain name"
NO_FORM = "an address has the form name@domain"


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("anna", NO_FORM), ("@x.example", NO_FORM), ("anna@", NO_FORM), ("", NO_FORM),
        ("a" * 257 + "@x.example", TOO_LONG), ("a" * 65 + "@x.example", TOO_LONG), ("ż" * 33 + "@x.example", TOO_LONG),
        (" " * 256 + "@x.example", NO_FORM), ("a b@x.example", LETTERS), ("a@b@x.example", LETTERS),
        ("a@-x.example", NO_DOMAIN), ("a@" + "x" * 257, NO_DOMAIN), ("a@.", NO_DOMAIN), ("a@ ", NO_FORM),
        ("a@" + "x" * 64 + ".example", NO_DOMAIN), ("a@" + ".".join(["x" * 63] * 4), NO_DOMAIN),
        ("a@" + ".".join(["x" * 62] * 4) + ".xx", NO_DOMAIN),
        ("a@ż..example", "the domain is not a valid international domain name"),
        ("a@" + "ż" * 70 + ".example", "the domain is not a valid international domain name"),
        ("a@x⒈example", "the domain is not a valid international domain name"),
    ],
)  # fmt: skip
def test_a_refusal_says_why(written: str, words: str) -> None:
    with pytest.raises(AddressError) as caught:
        normalise(written)
    assert str(caught.value) == words


@pytest.mark.parametrize(
    "written",
    [
        "a" * 64 + "@x.example", "ż" * 32 + "@x.example", "a@" + ".".join(["x" * 62] * 4) + ".x",
        "a@" + "x" * 63 + ".example", "z\u0307" * 32 + "@x.example", "a@x",
    ],
)  # fmt: skip
def test_what_is_just_short_enough_is_an_address(written: str) -> None:
    assert normalise(written)


def test_an_international_domain_is_mapped_before_it_is_encoded() -> None:
    assert normalise("a@ＢÜCHER。example") == "a@xn--bcher-kva.example"
    assert normalise("a@faß.example") == "a@xn--fa-hia.example"


@given(st.text(max_size=100))
def test_no_text_does_worse_than_be_refused(text: str) -> None:
    for candidate in (text, f"{text}@example.com", f"anna@{text}"):
        try:
            normal = normalise(candidate)
        except AddressError:
            continue
        assert normalise(normal) == normal


def test_an_international_domain_is_shown_in_its_own_letters() -> None:
    assert display("anna@xn--bcher-kva.example") == "anna@bücher.example"


@pytest.mark.parametrize("address", ["anna@firma.example", "a=b@firma.example", "a+b=c+d@firma.example"])
def test_a_copy_names_the_address_it_was_made_for(address: str) -> None:
    assert copied_address(copy_address(address, "autoreply.invalid"), "autoreply.invalid") == address


def test_a_plain_recipient_is_itself() -> None:
    assert copied_address("Anna@Firma.example", "autoreply.invalid") == "anna@firma.example"
    with pytest.raises(AddressError):
        copied_address("anna@autoreply.invalid", "autoreply.invalid")


@pytest.mark.parametrize(
    ("address", "base"),
    [
        ("anna+lists@x.example", "anna@x.example"),
        ("anna@x.example", "anna@x.example"),
        ("+a@x.example", "+a@x.example"),
        ("a+b+c@x.example", "a@x.example"),
    ],
)
def test_a_subaddress_belongs_to_its_user(address: str, base: str) -> None:
    assert without_subaddress(address) == base
    assert without_subaddress(address, "") == address
    assert without_subaddress("anna-x@x.example", "-") == "anna@x.example"


def test_a_copys_recipient_that_names_nobody_is_refused() -> None:
    with pytest.raises(AddressError) as caught:
        copied_address("anna@autoreply.invalid", "AUTOREPLY.invalid")
    assert str(caught.value) == "a copy's recipient has the form name=domain"


def test_a_sender_without_a_normal_form_is_its_own_key() -> None:
    assert memory_key('"A\0 B"@X.example') == '"ab"@x.example'
    assert len(memory_key("x" * 400)) == 254


@given(st.emails(), st.sampled_from(["autoreply.invalid", "A.Example"]))
def test_every_address_that_can_be_hosted_comes_back_from_its_copy(address: str, domain: str) -> None:
    try:
        normal = normalise(address)
    except AddressError:
        return
    if "=" not in normal.rpartition("@")[2] and not normal.endswith(f"@{domain.lower()}"):
        copy = copy_address(normal, domain)
        with contextlib.suppress(AddressError):  # together they may be longer than a local part may be
            assert copied_address(copy, domain) == normal


@given(st.emails())
def test_a_key_is_a_key_of_itself_and_case_does_not_matter(address: str) -> None:
    assert memory_key(address) == memory_key(address.upper().lower())


@pytest.mark.parametrize(
    ("first", "second", "key"),
    [
        ("prvs=1234567890=jan@x.example", "prvs=0987654321=jan@x.example", "jan@x.example"),
        ("prvs=jan=1234567890@x.example", "prvs=jan=0a87654321@x.example", "jan@x.example"),
        ("SRS0=HHH=TT=x.example=jan@relay.example", "srs0=abc=QQ=x.example=jan@relay.example", "jan@x.example"),
        (
            "SRS1=AA=other.example==HHH=TT=x.example=jan@relay.example",
            "srs1=BB=other.example==H=T=x.example=jan@r.example",
            "jan@x.example",
        ),
        ("news-123456-789012@x.example", "news-999999-111111@x.example", "news-#-#@x.example"),
    ],
)  # fmt: skip
def test_a_sender_that_looks_different_each_time_is_remembered_as_one(first: str, second: str, key: str) -> None:
    assert memory_key(first) == memory_key(second) == key


@pytest.mark.parametrize(
    "address", ["jan.1985@x.example", "jan-1985@x.example", "jan85@x.example", "biuro24@x.example"]
)
def test_people_with_numbers_are_different_people(address: str) -> None:
    other = address.replace("85", "86").replace("24", "25")
    assert memory_key(address) != memory_key(other)


@given(st.text(max_size=400))
def test_every_sender_has_a_key(text: str) -> None:
    assert len(memory_key(text)) <= 400
