"""What every source has in common: addresses in normal form, aliases led back to mailboxes, catch-alls, domain aliases.

Pure. Whatever cannot become ours leaves a problem with its reason.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from importing.facts import Alias, CatchAll, Domain, DomainAlias, Mailbox, Problem, Responder, Source
from mailboxes import addresses

# Where an alias leads in files of MTAs that is no address: a program, a file, a list, a word of Exim's.
_NOT_AN_ADDRESS = re.compile(r'^"?[|/:]|^:')
MAX_TARGETS = 1000


@dataclass
class _Known:
    """What the source has, by address in normal form."""

    domains: dict[str, Domain] = field(default_factory=dict)
    mailboxes: dict[str, Mailbox] = field(default_factory=dict)
    aliases: dict[str, Alias] = field(default_factory=dict)
    catch_alls: dict[str, str] = field(default_factory=dict)
    with_mailboxes: set[str] = field(default_factory=set)
    expanded: set[str] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)

    def leave_out(self, kind: str, name: str, reason: str, detail: str = "") -> None:
        self.problems.append(Problem(kind, name[:320], reason, detail[:300]))

    def note(self, kind: str, name: str, reason: str, detail: str = "") -> None:
        self.problems.append(Problem(kind, name[:320], reason, detail[:300], is_note=True))


def settle(source: Source) -> Source:
    """The source as the panel can take it: every address normal, every alias' target a mailbox or outside."""
    known = _Known(problems=list(source.problems))
    _take_domains(known, source.domains)
    _take_mailboxes(known, source.mailboxes)
    _take_aliases(known, source.aliases)
    for catch_all in source.catch_alls:
        _take_catch_all(known, catch_all.domain, (catch_all.target,))
    _expand_domain_aliases(known, source.domain_aliases)
    aliases = [made for alias in known.aliases.values() if (made := _led_back(known, alias))]
    catch_alls = [found for name, target in known.catch_alls.items() if (found := _catch_all(known, name, target))]
    responders = _one_for_each(known, source.responders)
    return Source(
        customers=source.customers, domains=list(known.domains.values()), mailboxes=list(known.mailboxes.values()),
        aliases=aliases, catch_alls=catch_alls, responders=responders, problems=known.problems,
    )  # fmt: skip


def _one_for_each(known: _Known, responders: Iterable[Responder]) -> list[Responder]:
    """Never two for one mailbox: one that is on comes before one that is off, otherwise the first counts."""
    chosen: dict[str, Responder] = {}
    for responder in sorted(responders, key=lambda one: not one.is_enabled):
        address = _normal(known, "autoresponder", responder.address)
        if address in chosen:
            known.leave_out("autoresponder", address, "second-autoresponder", responder.subject)
        elif address:
            chosen[address] = replace(responder, address=address)
    return list(chosen.values())


def _normal(known: _Known, kind: str, written: str) -> str:
    """The address in normal form; empty, with a problem, where it is none."""
    address = addresses.normal_form_or_none(written)
    if address is None or not addresses.split(address)[0].isascii():
        known.leave_out(kind, written, "not-an-address")
        return ""
    return address


def _take_domains(known: _Known, domains: Iterable[Domain]) -> None:
    for domain in domains:
        try:
            name = addresses.normalise_domain(domain.name)
        except addresses.AddressError:
            known.leave_out("domain", domain.name, "not-a-domain")
            continue
        if name in known.domains:
            known.leave_out("domain", domain.name, "twice-in-the-source")
            continue
        known.domains[name] = replace(domain, name=name)


def _take_mailboxes(known: _Known, mailboxes: Iterable[Mailbox]) -> None:
    for mailbox in mailboxes:
        address = _normal(known, "mailbox", mailbox.address)
        if not address:
            continue
        if address in known.mailboxes:
            known.leave_out("mailbox", mailbox.address, "twice-in-the-source")
            continue
        known.mailboxes[address] = replace(mailbox, address=address)
        name = addresses.split(address)[1]
        known.domains.setdefault(name, Domain(name))
        known.with_mailboxes.add(name)


def _take_aliases(known: _Known, aliases: Iterable[Alias]) -> None:
    for alias in aliases:
        if alias.address.startswith(("@", "*@")):
            name = alias.address.partition("@")[2]
            if alias.is_active:
                _take_catch_all(known, name, alias.targets)
            else:
                known.leave_out("catch-all", name, "switched-off", ", ".join(alias.targets))
            continue
        address = _normal(known, "alias", alias.address)
        if not address:
            continue
        targets = _targets(known, address, alias.targets)
        if address in known.mailboxes:
            _forward_of_a_mailbox(known, address, targets)
        elif address in known.aliases:
            before = known.aliases[address]
            known.aliases[address] = replace(before, targets=tuple(dict.fromkeys((*before.targets, *targets))))
        else:
            known.aliases[address] = replace(alias, address=address, targets=targets)
            name = addresses.split(address)[1]
            known.domains.setdefault(name, Domain(name))


def _targets(known: _Known, address: str, written: Iterable[str]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for target in written:
        normal = None if _NOT_AN_ADDRESS.search(target) else addresses.normal_form_or_none(target)
        if normal is None:
            known.leave_out("alias", address, "target-is-no-address", target)
        else:
            found[normal] = None
    return tuple(found)


def _forward_of_a_mailbox(known: _Known, address: str, targets: tuple[str, ...]) -> None:
    """A row that leads a mailbox to itself says nothing; a copy elsewhere is a rule of the mailbox's own here."""
    elsewhere = [target for target in targets if target != address]
    if elsewhere:
        reason = "mailbox-forwards" if address in targets else "mailbox-forwards-without-keeping"
        known.leave_out("alias", address, reason, ", ".join(elsewhere))


def _take_catch_all(known: _Known, written: str, targets: tuple[str, ...]) -> None:
    try:
        name = addresses.normalise_domain(written)
    except addresses.AddressError:
        known.leave_out("catch-all", written, "not-a-domain")
        return
    if len(targets) != 1 or name in known.catch_alls:
        known.leave_out("catch-all", name, "catch-all-of-several", ", ".join(targets))
    elif targets[0].startswith("@"):
        _expand_domain_aliases(known, [DomainAlias(name, targets[0][1:])])
    else:
        known.catch_alls[name] = targets[0]
        known.domains.setdefault(name, Domain(name))


def _catch_all(known: _Known, name: str, written: str) -> CatchAll | None:
    target = addresses.normal_form_or_none(written)
    behind = _behind(known, target) if target else set()
    [mailbox] = behind if len(behind) == 1 else [None]
    if mailbox is None or _is_nobody(known, mailbox):
        known.leave_out("catch-all", name, "catch-all-is-no-mailbox", written)
        return None
    return CatchAll(name, mailbox)


def _expand_domain_aliases(known: _Known, domain_aliases: Iterable[DomainAlias]) -> None:
    for domain_alias in domain_aliases:
        try:
            name = addresses.normalise_domain(domain_alias.name)
            target = addresses.normalise_domain(domain_alias.target)
        except addresses.AddressError:
            known.leave_out("domain", domain_alias.name, "not-a-domain", domain_alias.target)
            continue
        if target not in known.domains:
            known.leave_out("domain", name, "alias-of-a-domain-that-is-not-there", target)
            continue
        before = known.domains.get(target, Domain(target))
        known.domains.setdefault(name, Domain(name, is_active=before.is_active, customer=before.customer))
        _expand(known, name, target)


def _expand(known: _Known, name: str, target: str) -> None:
    """An alias for every address of the target; what has a meaning of its own keeps it."""
    active = [address for address, alias in known.aliases.items() if alias.is_active]
    made = 0
    for address in [one for one in (*known.mailboxes, *active) if one.endswith(f"@{target}")]:
        own = f"{addresses.split(address)[0]}@{name}"
        if own not in known.mailboxes and own not in known.aliases:
            known.aliases[own] = Alias(own, (address,))
            known.expanded.add(own)
            made += 1
    known.note("domain", name, "domain-alias-expanded", f"{made} addresses of {target}")


def _led_back(known: _Known, alias: Alias) -> Alias | None:
    """The alias with mailboxes and outside addresses instead of other aliases; None where nobody is left."""
    behind = sorted(_behind(known, alias.address))
    nobody = [target for target in behind if _is_nobody(known, target)]
    targets = tuple(target for target in behind if target not in nobody)
    if alias.address not in known.expanded:  # what it stands for has said it
        for target in nobody:
            known.leave_out("alias", alias.address, "target-nobody-has", target)
        if not targets or len(targets) > MAX_TARGETS:
            known.leave_out("alias", alias.address, "too-many-targets" if targets else "no-target")
    return replace(alias, targets=targets) if 0 < len(targets) <= MAX_TARGETS else None


def _behind(known: _Known, address: str) -> set[str]:
    """Whom an address leads to in the end. Aliases in a ring, and those switched off, lead nowhere."""
    found: set[str] = set()
    seen: set[str] = set()
    waiting = [address]
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        alias = known.aliases.get(current)
        if alias is not None and (alias.is_active or current == address):
            waiting.extend(alias.targets)
        elif alias is None:
            found.add(_mailbox_of(known, current))
    return found


def _mailbox_of(known: _Known, address: str) -> str:
    """The mailbox behind a subaddress (RFC 5233); other addresses are unchanged."""
    bare = addresses.without_subaddress(address)
    return bare if address not in known.mailboxes and bare in known.mailboxes else address


def _is_nobody(known: _Known, target: str) -> bool:
    """In a domain whose mailboxes the source knows, and none of them. Of the rest the panel may have some itself."""
    return addresses.split(target)[1] in known.with_mailboxes and target not in known.mailboxes
