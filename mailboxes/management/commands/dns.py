"""`manage.py dns check|records`: what must stand in the DNS of a domain, and what does."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from mailboxes import addresses
from mailboxes.domain_dns import checking, sentences
from mailboxes.domain_dns.examine import NEEDED
from mailboxes.domain_dns.records import Finding, State
from mailboxes.models import Domain


class Command(BaseCommand):
    help = "Look at the DNS of hosted domains, or write down what must stand there."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        check = actions.add_parser("check", help="look now, and keep what was seen; exit status 1 if mail suffers")
        check.add_argument("domain", nargs="+")
        check.add_argument("--json", action="store_true", help="a JSON object for each domain, a line each")
        records = actions.add_parser("records", help="the records to publish, as lines of a zone file")
        records.add_argument("domain")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["action"] == "records":
            for finding in checking.unasked(_domain(options["domain"])):
                self.stdout.writelines(f"{record.zone_line}\n" for record in finding.publish)
            return
        domains = [_domain(typed) for typed in options["domain"]]
        bad = [domain for domain in domains if self._check(domain, as_json=options["json"])]
        if bad:
            raise CommandError(f"needed records are missing or wrong: {' '.join(domain.name for domain in bad)}")

    def _check(self, domain: Domain, *, as_json: bool) -> bool:
        """Whether something that is needed is missing or wrong."""
        seen = checking.check(domain, now=timezone.now())
        if as_json:
            line = {"domain": domain.name, "findings": [_as_json(finding) for finding in seen]}
            self.stdout.write(json.dumps(line, ensure_ascii=False))
        else:
            self.stdout.writelines(f"{domain.name}\t{_as_line(finding)}\n" for finding in seen)
        return any(one.kind in NEEDED and one.state in {State.MISSING, State.WRONG} for one in seen)


def _as_json(finding: Finding) -> dict[str, Any]:
    return {
        "item": finding.item, "state": finding.state, "reason": finding.reason,
        "sentence": sentences.sentence(finding), "found": finding.found,
        "publish": [record.zone_line for record in finding.publish],
    }  # fmt: skip


def _as_line(finding: Finding) -> str:
    return f"{finding.item}\t{finding.state}\t{sentences.sentence(finding)}"


def _domain(typed: str) -> Domain:
    try:
        domain = Domain.objects.filter(name=addresses.normalise_domain(typed.rstrip("."))).first()
    except addresses.AddressError:
        domain = None
    if domain is None:
        raise CommandError(f"{typed} is not a domain of this panel")
    return domain
