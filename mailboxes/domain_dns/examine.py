"""Is everything there? One function for each thing, one table of them. Pure: the DNS is asked through `ask`."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from mailboxes.domain_dns import expected, spf, spf_result
from mailboxes.domain_dns.expected import DkimKey, Installation
from mailboxes.domain_dns.records import (
    Answer,
    Ask,
    Fetch,
    Finding,
    NotAnsweredError,
    Page,
    Record,
    State,
    known,
    tags,
)

# Words for why; sentences.py has them in both languages, by kind and reason.
GOOD, NONE, SEVERAL, UNREADABLE, ELSEWHERE = "ok", "none", "several", "unreadable", "elsewhere"
NOT_ANSWERED, NOT_ASKED, OTHER = "not-answered", "not-asked", "other"
NULL_MX, ALSO_ELSEWHERE, OWN_NAME = "null-mx", "also-elsewhere", "own-name"
WITHOUT_US, EVERYBODY, MACROS = "without-us", "everybody", "macros"
REVOKED, NO_KEY, OF_PARENT, NOT_THERE = "revoked", "no-key", "of-parent", "not-there"
SOMEBODY = "somebody"
MOST_SHOWN, LONGEST_SHOWN = 10, 600


@dataclass(frozen=True)
class Question:
    """What the rules below look at."""

    domain: str
    installation: Installation
    keys: tuple[DkimKey, ...]
    ask: Ask
    fetch: Fetch


def examine(question: Question) -> list[Finding]:
    """Everything that must be there, in the order in which it matters."""
    return [_shortened(finding) for rule in RULES for finding in rule(question)]


def _shortened(finding: Finding) -> Finding:
    """What was found is shown and kept; a zone may say anything, at any length."""
    found = tuple(text[:LONGEST_SHOWN] for text in finding.found[:MOST_SHOWN])
    return Finding(finding.item, finding.state, finding.reason, found, finding.publish)


def _one(item: str, publish: tuple[Record, ...], look: Callable[[], tuple[State, str, Sequence[str]]]) -> Finding:
    """A finding by `look`; where the DNS says nothing, nothing is known."""
    try:
        state, reason, found = look()
    except NotAnsweredError as trouble:
        return Finding(item, State.UNKNOWN, NOT_ANSWERED, (str(trouble),), publish)
    return Finding(item, state, reason, tuple(found), publish)


def _mx(question: Question) -> Iterator[Finding]:
    publish = expected.mx(question.domain, question.installation)

    def look() -> tuple[State, str, Sequence[str]]:
        found = known(question.ask(question.domain, "MX"))
        state, reason = _mail_goes_to(found, question) if found else (State.MISSING, NONE)
        return state, reason, found

    yield _one("mx", publish, look)


def _mail_goes_to(found: tuple[str, ...], question: Question) -> tuple[State, str]:
    """RFC 5321 §5.1, RFC 7505 §3."""
    hosts = sorted((int(number), host) for number, _space, host in (value.partition(" ") for value in found))
    if any(not host for _number, host in hosts):
        return State.WRONG, NULL_MX
    ours = [one for one in hosts if one[1] in question.installation.mx_hosts]
    others = [one for one in hosts if one[1] not in question.installation.mx_hosts]
    if not ours:
        host = question.installation.mx_hosts[0]
        is_same = all(leads_to(other, host, question.ask) for _number, other in others[:5])
        return (State.OK, OWN_NAME) if is_same else (State.WRONG, ELSEWHERE)
    if others and others[0][0] <= ours[0][0]:
        return State.WRONG, ALSO_ELSEWHERE
    return State.OK, GOOD


def leads_to(name: str, host: str, ask: Ask) -> bool:
    """Whether the name is another one for the host: an alias of it, or with its addresses. Raises NotAnsweredError."""
    if name == host or known(ask(name, "CNAME")) == (host,):
        return True
    mine, its = set(spf.addresses_of(name, ask)), set(spf.addresses_of(host, ask))
    return bool(mine) and mine <= its


def _spf(question: Question) -> Iterator[Finding]:
    try:
        texts = spf.records_among(known(question.ask(question.domain, "TXT")))
    except NotAnsweredError as trouble:
        publish = (expected.spf_record(question.domain, question.installation, []),)
        yield Finding("spf", State.UNKNOWN, NOT_ANSWERED, (str(trouble),), publish)
        return
    publish = (expected.spf_record(question.domain, question.installation, texts),)
    yield _one("spf", publish, lambda: _who_may_send(texts, question))


def _who_may_send(texts: list[str], question: Question) -> tuple[State, str, Sequence[str]]:
    """RFC 7208 §4.5: exactly one record; our hosts pass, and it can be read to its end."""
    if not texts:
        return State.MISSING, NONE, texts
    if len(texts) > 1:
        return State.WRONG, SEVERAL, texts
    try:
        policy = spf.read(texts[0], question.domain, question.ask)
    except spf.SpfError as error:
        return State.WRONG, str(error.reason), [*texts, error.evidence]
    reason = EVERYBODY if policy.allows_everybody else _whether_we_pass(policy, _what_receivers_say(question))
    return (State.OK if reason == GOOD else State.WRONG), reason, texts


def _whether_we_pass(policy: spf.Policy, results: set[str]) -> str:
    """Why not. Raises NotAnsweredError."""
    if "temperror" in results:
        raise NotAnsweredError("a name that the record leads to")
    if "permerror" in results:
        return UNREADABLE
    if results != {"pass"}:
        return MACROS if policy.depends_on_writer else WITHOUT_US
    return GOOD


def _what_receivers_say(question: Question) -> set[str]:
    """The results of mail from each address of our sending hosts, of a mailbox that no record names."""
    hosts = question.installation.sending_hosts
    found = [(host, address) for host in hosts for address in spf.addresses_of(host, question.ask)]
    if not found:
        raise NotAnsweredError(f"{' '.join(hosts)}: no address")
    writer = f"{SOMEBODY}@{question.domain}"
    return {spf_result.result(address, writer, host, question.ask) for host, address in found}


def _dkim(question: Question) -> Iterator[Finding]:
    if not question.keys:
        yield Finding("dkim", State.MISSING, NO_KEY)
    for key in question.keys:
        record = expected.dkim(question.domain, key)
        yield _one(f"dkim:{key.selector}", (record,), partial(_key_at, record, key, question.ask))


def _key_at(record: Record, key: DkimKey, ask: Ask) -> tuple[State, str, Sequence[str]]:
    """RFC 6376 §3.6.2.2: one record, with the key that signs; p= without a value is revoked (§3.6.1)."""
    found = known(ask(record.name, "TXT"))
    if not found:
        return State.MISSING, NONE, found
    if len(found) > 1:
        return State.WRONG, SEVERAL, found
    there, wanted = tags(found[0]), tags(key.value) or {}
    if there is None or "p" not in there:
        return State.WRONG, UNREADABLE, found
    if not there["p"]:
        return State.WRONG, REVOKED, found
    is_same = _key_of(there) == _key_of(wanted) and there.get("v", "DKIM1") == "DKIM1"
    return (State.OK, GOOD, found) if is_same else (State.WRONG, OTHER, found)


def _key_of(found: dict[str, str]) -> tuple[str, str]:
    return found.get("k", "rsa"), "".join(found.get("p", "").split())


def _dmarc(question: Question) -> Iterator[Finding]:
    record = expected.dmarc(question.domain, question.installation)
    yield _one("dmarc", (record,), lambda: _policy_of(question.domain, question.ask))


def _policy_of(domain: str, ask: Ask) -> tuple[State, str, Sequence[str]]:
    """RFC 7489 §6.6.3. A domain below another one has that one's policy, unless it has its own."""
    found = _dmarc_at(domain, ask)
    if not found:
        labels = domain.split(".")
        above = [".".join(labels[start:]) for start in range(1, len(labels) - 1)][-4:]
        inherited = next((texts for name in above if len(texts := _dmarc_at(name, ask)) == 1), [])
        return (State.OK, OF_PARENT, inherited) if inherited else (State.MISSING, NONE, found)
    if len(found) > 1:
        return State.WRONG, SEVERAL, found
    values = tags(found[0])
    is_good = values is not None and values.get("p", "").lower() in {"none", "quarantine", "reject"}
    return (State.OK, GOOD, found) if is_good else (State.WRONG, UNREADABLE, found)


def _dmarc_at(domain: str, ask: Ask) -> list[str]:
    return _with_version(known(ask(f"_dmarc.{domain}", "TXT")), "DMARC1")


def _reports(question: Question) -> Iterator[Finding]:
    """RFC 7489 §7.1: a domain that gets reports about another one says so, or they are not sent."""
    record = expected.dmarc(question.domain, question.installation)
    try:
        found = _dmarc_at(question.domain, question.ask) or [record.value]
    except NotAnsweredError:
        return  # said of the policy itself
    for place in expected.reports_elsewhere(tags(found[0]) or {}, question.domain):
        consent = expected.dmarc_consent(question.domain, place)
        yield _one(f"dmarc-reports:{place}", (consent,), partial(_consented, consent, question.ask))


def _consented(record: Record, ask: Ask) -> tuple[State, str, Sequence[str]]:
    found = known(ask(record.name, "TXT"))
    return (State.OK, GOOD, found) if _with_version(found, "DMARC1") else (State.MISSING, NONE, found)


def _with_version(texts: Sequence[str], version: str) -> list[str]:
    """Records that begin with v=VERSION; others at the same name mean nothing."""
    found = [(text, text.partition(";")[0].replace(" ", "")) for text in texts]
    return [text for text, first in found if first == f"v={version}"]


def _mta_sts(question: Question) -> Iterator[Finding]:
    if not question.installation.mta_sts_mode:
        return
    record = expected.mta_sts(question.domain, question.installation)
    yield _one("mta-sts", (record,), lambda: _policy_named(record, question.ask))
    yield _web_alias("mta-sts", question, "mta-sts-host")
    yield _one("mta-sts-file", (), lambda: _policy_at(f"mta-sts.{question.domain}", question))


def _policy_named(record: Record, ask: Ask) -> tuple[State, str, Sequence[str]]:
    """RFC 8461 §3.1: exactly one record; another id than ours is another policy, or an old one."""
    found = _with_version(known(ask(record.name, "TXT")), "STSv1")
    if not found:
        return State.MISSING, NONE, found
    if len(found) > 1:
        return State.WRONG, SEVERAL, found
    there, wanted = tags(found[0]), tags(record.value) or {}
    if there is None or "id" not in there:
        return State.WRONG, UNREADABLE, found
    return (State.OK, GOOD, found) if there["id"] == wanted["id"] else (State.WRONG, OTHER, found)


def _policy_at(host: str, question: Question) -> tuple[State, str, Sequence[str]]:
    """RFC 8461 §3.3: fetched as senders do."""
    addresses = spf.addresses_of(host, question.ask)
    if not addresses:
        return State.MISSING, NONE, addresses
    page = question.fetch(host, addresses)
    reason = page.trouble or _told_by(page, expected.mta_sts_policy(question.installation))
    shown = [" ".join(page.text.split()) or page.trouble or f"HTTP {page.status}"]
    return (State.OK if reason == GOOD else State.WRONG), reason, shown


def _told_by(page: Page, policy: str) -> str:
    if page.status != 200:
        return NOT_THERE
    is_ours = page.content_type == "text/plain" and page.text.split() == policy.split()
    return GOOD if is_ours else OTHER


def _tls_rpt(question: Question) -> Iterator[Finding]:
    record = expected.tls_rpt(question.domain, question.installation)
    yield _one("tls-rpt", (record,), lambda: _reports_wanted(record.name, question.ask))


def _reports_wanted(name: str, ask: Ask) -> tuple[State, str, Sequence[str]]:
    """RFC 8460 §3. Wherever the domain wants its reports is right."""
    found = _with_version(known(ask(name, "TXT")), "TLSRPTv1")
    if not found:
        return State.MISSING, NONE, found
    if len(found) > 1:
        return State.WRONG, SEVERAL, found
    is_good = (tags(found[0]) or {}).get("rua", "").startswith(("mailto:", "https:"))
    return (State.OK, GOOD, found) if is_good else (State.WRONG, UNREADABLE, found)


def _programs(question: Question) -> Iterator[Finding]:
    """What mail programs ask to set themselves up."""
    yield _web_alias("autoconfig", question)
    yield _web_alias("autodiscover", question)
    for service in question.installation.services:
        record = expected.srv(service, question.domain)
        yield _one(f"srv:{service.name}", (record,), partial(_service_at, record, question.ask))


def _web_alias(name: str, question: Question, item: str = "") -> Finding:
    record = expected.web_alias(name, question.domain, question.installation)
    return _one(item or name, (record,), lambda: _leads_to_us(record, question))


def _leads_to_us(record: Record, question: Question) -> tuple[State, str, Sequence[str]]:
    found = known(question.ask(record.name, "CNAME")) or spf.addresses_of(record.name, question.ask)
    if not found:
        return State.MISSING, NONE, found
    is_ours = leads_to(record.name, question.installation.web_host, question.ask)
    return (State.OK, GOOD, found) if is_ours else (State.WRONG, ELSEWHERE, found)


def _service_at(record: Record, ask: Ask) -> tuple[State, str, Sequence[str]]:
    """RFC 2782. Weight and priority are the domain's own business."""
    found = known(ask(record.name, "SRV"))
    if not found:
        return State.MISSING, NONE, found
    wanted = record.value.rstrip(".").split(" ")[2:]
    is_ours = any(value.split(" ")[2:] == wanted for value in found)
    return (State.OK, GOOD, found) if is_ours else (State.WRONG, ELSEWHERE, found)


RULES: tuple[Callable[[Question], Iterator[Finding]], ...] = (
    _mx, _spf, _dkim, _dmarc, _reports, _mta_sts, _tls_rpt, _programs,
)  # fmt: skip
# Without these mail does not arrive, or is taken for spam; the rest is good to have.
NEEDED = frozenset({"mx", "spf", "dkim", "dmarc"})


def remembering(ask: Ask) -> Ask:
    """The same, but nothing is asked twice."""
    answers: dict[tuple[str, str], Answer] = {}

    def wrapped(name: str, kind: str) -> Answer:
        if (name, kind) not in answers:
            answers[name, kind] = ask(name, kind)
        return answers[name, kind]

    return wrapped
