"""`manage.py dkim make|list|look|sign|delete|write`: keys that sign outgoing mail, from the command line."""

import json
from typing import Any

import redis
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from mailboxes import addresses
from mailboxes.log import COMMAND
from mailboxes.models import DkimKey, Domain
from mailboxes.services import MailboxesError
from mailboxes.signing import dkim, dkim_records, dkim_rotation, dkim_signer
from mailboxes.signing.dkim_records import State


class Command(BaseCommand):
    help = "Make, list, use and delete the keys that sign outgoing mail (DKIM)."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        make = actions.add_parser("make", help="a new key for each domain; prints the record to publish")
        make.add_argument("--algorithm", choices=DkimKey.Algorithm.values, default="rsa", help="(default: %(default)s)")
        sign = actions.add_parser("sign", help="let the keys that wait sign, if their records are in the DNS")
        sign.add_argument("--unseen", action="store_true", help="even if they are not")
        delete = actions.add_parser("delete", help="forget a key")
        delete.add_argument("--selector", required=True)
        listing = actions.add_parser("list", help="keys and their records; without a domain those of all")
        look = actions.add_parser("look", help="ask the DNS for the records; keys that wait and are seen sign then")
        for one in (listing, look, make):
            one.add_argument("--json", action="store_true", help="a JSON object a line")
        for one in (make, sign, delete, look):
            one.add_argument("domain", nargs="+")
        listing.add_argument("domain", nargs="*")
        actions.add_parser("write", help="write what signs to Redis anew, for rspamd")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["action"] == "write":
            self._write()
            return
        act = {"make": self._make, "sign": self._sign, "delete": self._delete, "look": self._look, "list": self._list}
        domains = [_domain(name) for name in options["domain"]]
        act[options["action"]](domains, options)

    def _make(self, domains: list[Domain], options: dict[str, Any]) -> None:
        for domain in domains:
            try:
                key = dkim.make_key(domain, options["algorithm"], now=timezone.now(), actor=COMMAND)
            except MailboxesError as error:
                raise CommandError(f"{domain.name}: {error}") from error
            self._show(key, as_json=options["json"])

    def _list(self, domains: list[Domain], options: dict[str, Any]) -> None:
        keys = DkimKey.objects.order_by("domain", "created_at")
        for key in (keys.filter(domain__in=domains) if options["domain"] else keys).iterator():
            self._show(key, as_json=options["json"])

    def _look(self, domains: list[Domain], options: dict[str, Any]) -> None:
        for domain in domains:
            for pk, state in dkim_rotation.look_at(domain, now=timezone.now(), actor=COMMAND).items():
                self._show(DkimKey.objects.get(pk=pk), as_json=options["json"], record=str(state))

    def _sign(self, domains: list[Domain], options: dict[str, Any]) -> None:
        for key in _of(domains).filter(signs_since=None):
            state = dkim_rotation.look_and_let_sign(key, now=timezone.now(), actor=COMMAND)
            if state != State.SEEN and not options["unseen"]:
                raise CommandError(f"{key}: the record is {state}; publish it first, or --unseen")
            if state != State.SEEN:
                dkim.let_sign(key, now=timezone.now(), actor=COMMAND)
            self.stdout.write(f"{key} signs")

    def _delete(self, domains: list[Domain], options: dict[str, Any]) -> None:
        keys = list(_of(domains).filter(selector=options["selector"]))
        if not keys:
            raise CommandError(f"no key has the selector {options['selector']}")
        for key in keys:
            dkim.delete_key(key, actor=COMMAND)
            self.stdout.write(f"{key} deleted")

    def _write(self) -> None:
        try:
            self.stdout.write(f"{dkim_signer.write(anew=True)} keys written")
        except (redis.RedisError, OSError) as error:
            raise CommandError(f"Redis cannot be written to: {error}") from error

    def _show(self, key: DkimKey, *, as_json: bool, **more: str) -> None:
        name, value = dkim.record_of(key)
        state = "signs" if key.signs else "waits" if key.waits else "retired"
        if as_json:
            shown = {"domain": key.domain_id, "selector": key.selector, "algorithm": key.algorithm, "state": state}
            self.stdout.write(json.dumps(shown | {"name": name, "value": value} | more))
        else:
            self.stdout.write("\t".join([state, *more.values(), dkim_records.zone_line(name, value)]))


def _of(domains: list[Domain]) -> Any:
    return DkimKey.objects.filter(domain__in=domains).order_by("domain", "created_at")


def _domain(typed: str) -> Domain:
    try:
        domain = Domain.objects.filter(name=addresses.normalise_domain(typed)).first()
    except addresses.AddressError:
        domain = None
    if domain is None:
        raise CommandError(f"{typed} is not a domain of this panel")
    return domain
