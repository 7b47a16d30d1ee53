"""Every page that reads, of owner, company, support and administration: time in the server, questions to the database.

In one process, through every middleware, as a worker of the web server does it; each page about many different things.
"""

import argparse
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import psycopg
from django.contrib import admin
from django.contrib.auth.models import Group
from django.db import connection as djangos
from django.db import reset_queries
from django.db.models import Max
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode

from mailboxes.models import Alias, Customer, Domain, Mailbox, User
from responders.models import Decision

RUNS = 20
SLOW = 100  # ms


@dataclass(frozen=True)
class Page:
    """A page as one role opens it, with addresses that differ in what they are about."""

    role: str
    name: str
    paths: tuple[str, ...]


def measure(_connection: psycopg.Connection[Any], options: argparse.Namespace) -> list[dict[str, Any]]:
    """A row for each page: median and 95th percentile in ms, and how many questions at most."""
    clients = _clients()
    rows = []
    print(f"{'page':<58}{'p50 ms':>8}{'p95 ms':>8}{'CPU p95 ms':>12}{'database':>10}{'queries':>9}")
    for page in [*_of_owners(), *_of_companies(), *_of_support(options), *_of_administration(clients["admin"])]:
        if options.page and options.page not in f"{page.role} {page.name}":
            continue
        rows.append(row := _row(page, clients[page.role]))
        mark = "  SLOW" if row["cpu_p95_ms"] > SLOW else ""
        queries = f"{row['fewest_queries']}–{row['most_queries']}"
        print(
            f"{page.role + ' ' + page.name:<58}{row['p50_ms']:>8.1f}{row['p95_ms']:>8.1f}{row['cpu_p95_ms']:>12.1f}"
            f"{row['database_ms']:>10.1f}{queries:>9}{mark}",
            flush=True,
        )
    slow = [row for row in rows if row["cpu_p95_ms"] > SLOW]
    print(f"{len(rows)} pages, {len(slow)} above {SLOW} ms of CPU")
    return rows


def _row(page: Page, client: Client) -> dict[str, Any]:
    took, database, queries, cpu = [], [], [], []
    backend = _backend()
    for number, path in enumerate(islice(cycle(page.paths), RUNS + 2)):
        reset_queries()
        with CaptureQueriesContext(djangos) as asked:
            used, started = _cpu(backend), time.perf_counter()
            answer = client.get(path)
            if answer.streaming:
                b"".join(answer.streaming_content)  # type: ignore[arg-type]
            seconds = time.perf_counter() - started
            used = _cpu(backend) - used
        if answer.status_code not in {200, 302}:
            raise SystemExit(f"{path} answered {answer.status_code}")
        if number >= 2:  # templates are read, plans made
            took.append(seconds * 1000)
            cpu.append(used * 1000)
            database.append(sum(float(one["time"]) for one in asked) * 1000)
            queries.append(len(asked))
    return {
        "role": page.role, "page": page.name, "p50_ms": statistics.median(took),
        "p95_ms": _p95(took), "cpu_p95_ms": _p95(cpu), "database_ms": statistics.median(database),
        "fewest_queries": min(queries), "most_queries": max(queries), "path": page.paths[0],
    }  # fmt: skip


def _backend() -> int:
    """Which process of the database serves us."""
    with djangos.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def _cpu(backend: int) -> float:
    """CPU seconds that this thread and its process of the database used: what other programs do does not count."""
    return time.thread_time() + int(Path(f"/proc/{backend}/schedstat").read_text().split()[0]) / 1e9


def _p95(values: list[float]) -> float:
    return sorted(values)[max(int(len(values) * 0.95) - 1, 0)]


def _clients() -> dict[str, Client]:
    crowd = Customer.objects.order_by("pk")[0]
    company, _new = User.objects.get_or_create(email="company@bench.example")
    crowd.administrators.add(company)
    support, _new = User.objects.get_or_create(email="support@bench.example")
    support.groups.add(Group.objects.get(name="support"))
    root, _new = User.objects.get_or_create(
        email="root@bench.example", defaults={"is_staff": True, "is_superuser": True}
    )
    owner = Mailbox.objects.select_related("owner").order_by("pk")[0].owner
    people = {"owner": owner, "company": company, "support": support, "admin": root}
    clients = {role: Client() for role in people}
    for role, person in people.items():
        assert person is not None
        clients[role].force_login(person)
    return clients


def _some(rows: Any, count: int = RUNS) -> list[Any]:
    """Keys from all over a table."""
    keys = list(rows.order_by("pk").values_list("pk", flat=True)[:1]) + list(
        rows.order_by("-pk").values_list("pk", flat=True)[:1]
    )
    if not keys:
        return []
    low, high = min(keys), max(keys)
    if not isinstance(low, int):
        return keys
    step = max((high - low) // count, 1)
    wanted = range(low, high + 1, step)
    return list(rows.filter(pk__in=wanted).values_list("pk", flat=True))[:count]


def _of_owners() -> Iterator[Page]:
    first = Mailbox.objects.order_by("pk")[0]
    alone = [
        "mailbox_list", "calendar", "calendar_feed_settings", "help", "account", "account_change_password",
        "usersessions_list", "mfa_index",
    ]  # fmt: skip
    for name in alone:
        yield Page("owner", name, (reverse(name),))
    for name in ("mailbox", "try_it", "responder_new", "delegations", "notices", "account_time_zone"):
        yield Page("owner", name, (reverse(name, args=[first.pk]),))
    for name in ("responder_edit", "responder_delete"):
        yield Page("owner", name, (reverse(name, args=[first.responders.all()[0].pk]),))


def _of_companies() -> Iterator[Page]:
    domain = Domain.objects.order_by("pk")[0]
    theirs = Mailbox.objects.filter(domain=domain)
    yield from _lists_of_mailboxes("company", domain.name[:6], theirs)
    for name in ("mailbox_new", "domains", "address_import", "batches"):
        yield Page("company", name, (reverse(name),))
    for kind in ("set", "end", "leave"):
        yield Page("company", f"batch_new {kind}", (reverse("batch_new", args=[kind]),))
    for name in ("domain", "alias_new"):
        yield Page("company", name, (reverse(name, args=[domain.name]),))
    some = _some(theirs)
    for name in ("mailbox", "mailbox_settings", "mailbox_rename", "mailbox_delete", "delegations"):
        yield Page("company", name, tuple(reverse(name, args=[pk]) for pk in some))
    aliases = _some(Alias.objects.filter(domain=domain))
    yield Page("company", "alias_edit", tuple(reverse("alias_edit", args=[pk]) for pk in aliases))


def _lists_of_mailboxes(role: str, words: str, rows: Any) -> Iterator[Page]:
    some = list(rows.filter(pk__in=_some(rows)).values_list("address", "pk"))
    path = reverse("mailbox_list")
    yield Page(role, "mailbox_list", (path,))
    for state in ("answering", "coming", "open-end", "none", "closed"):
        for order in ("", "newest"):
            yield Page(
                role, f"mailbox_list {state} {order}", (f"{path}?{urlencode({'state': state, 'order': order})}",)
            )
    yield Page(role, "mailbox_list after", tuple(f"{path}?{urlencode({'after': address})}" for address, _pk in some))
    yield Page(role, "mailbox_list newest", tuple(f"{path}?order=newest&after={pk}" for _address, pk in some))
    for kind, asked in (_searches(words) | {"address": some[-1][0], "part": some[-1][0][3:12]}).items():
        for order in ("", "domain", "newest"):
            for state in ("", "answering", "open-end") if kind in ("first name", "nothing") else ("",):
                query = urlencode({"q": asked, "state": state, "order": order})
                yield Page(role, f"mailbox_list search: {kind} {order} {state}", (f"{path}?{query}",))


def _searches(words: str) -> dict[str, str]:
    """What people type, and what no index likes: short, everywhere, together at the end of the order, nowhere."""
    return {
        "words": words, "surname": "nowak", "first name": "anna", "last in order": "zofia", "two letters": "an",
        "two letters, nowhere": "qx", "one letter": "ż", "nothing": "zzqqxxyy", "end of a domain": ".example",
        "parts of everything": "e.example.e", "no letter": "--", "no letter, everywhere": "@", "wild card": "%_%",
        "long": "nowak" * 40,
    }  # fmt: skip


def _of_support(options: argparse.Namespace) -> Iterator[Page]:
    mailboxes, decisions = _some(Mailbox.objects.all()), list(Decision.objects.order_by("-pk")[:RUNS])
    one = Mailbox.objects.get(pk=mailboxes[len(mailboxes) // 2])
    yield from _lists_of_mailboxes("support", one.domain_id, Mailbox.objects.all())
    asked = {
        "address": one.address, "part": one.address[3:12], "name": one.name.lower(), "domain": one.domain_id,
        "common": "nowak", "customer": "k4711", "typing error": f"{one.local_part[:7]}x{one.local_part[7:]}",
        "typing error in an address": f"{one.local_part[:7]}x{one.local_part[7:]}@{one.domain_id}",
        "typing error in a domain": f"{one.local_part}@{one.domain_id[:4]}x{one.domain_id[4:]}",
        **_searches("jan."),
        **({"sender": decisions[0].reverse_path, "Message-ID": decisions[0].message_id} if decisions else {}),
    }  # fmt: skip
    for kind, word in asked.items():
        yield Page("support", f"search: {kind}", (f"{reverse('support')}?{urlencode({'q': word})}",))
    for name in ("support", "support_why", "support_attention", "refusals", "help_feedback", "batches", "domains",
                 "calendar"):  # fmt: skip
        yield Page("support", name, (reverse(name),))
    customers = _some(Customer.objects.all())
    yield Page("support", "support_customer", tuple(reverse("support_customer", args=[pk]) for pk in customers))
    names = list(Domain.objects.filter(pk__in=_some(Domain.objects.all())).values_list("name", flat=True))
    for name in ("support_domain", "domain"):
        yield Page("support", name, tuple(reverse(name, args=[domain]) for domain in names))
    for name in ("mailbox", "limits", "acting", "mailbox_settings", "notices", "try_it"):
        yield Page("support", name, tuple(reverse(name, args=[pk]) for pk in mailboxes))
    hot = range(1, max(options.mailboxes // 100, 2))
    yield Page("support", "mailbox with much mail", tuple(reverse("mailbox", args=[pk]) for pk in islice(hot, RUNS)))
    messages = reverse("support_messages")
    ways = {
        "sender": [{"sender": row.reverse_path} for row in decisions],
        "Message-ID": [{"message_id": row.message_id} for row in decisions],
        "mailbox": [{"mailbox": str(pk)} for pk in mailboxes],
        "mailbox, silent": [{"mailbox": str(pk), "reason": "silent"} for pk in mailboxes],
        "sender, forged": [{"sender": row.reverse_path, "reason": "forged"} for row in decisions],
    }
    for kind, queries in ways.items():
        yield Page("support", f"messages by {kind}", tuple(f"{messages}?{urlencode(query)}" for query in queries))
    yield Page("support", "support_message", tuple(reverse("support_message", args=[row.pk]) for row in decisions))


def _of_administration(client: Client) -> Iterator[Page]:
    yield Page("admin", "index", (reverse("admin:index"),))
    for model, site in sorted(admin.site._registry.items(), key=lambda one: one[0]._meta.label):
        name, label = f"admin:{model._meta.app_label}_{model._meta.model_name}", model._meta.label_lower
        path = reverse(f"{name}_changelist")
        yield Page("admin", f"{label}", (path,))
        keys = _some(model._default_manager.all(), 10)
        if not keys:
            continue
        yield Page("admin", f"{label} page 2", (f"{path}?p=2",))
        shown = client.get(path).context_data["cl"]  # type: ignore[attr-defined]  # a page that a template made
        for number, column in enumerate(shown.list_display):
            if column in shown.sortable_by:
                yield Page("admin", f"{label} order by {column}", (f"{path}?o={number}", f"{path}?o=-{number}"))
        for query in _filters(site, shown):
            yield Page("admin", f"{label} {query}", (f"{path}?{query}",))
        if site.search_fields:
            for kind, words in (_searches("anna.c4ca4238") | {"domain": "sender.example"}).items():
                yield Page("admin", f"{label} search: {kind}", (f"{path}?{urlencode({'q': words})}",))
        if looked_up := _autocomplete(model):
            yield Page("admin", f"{label} autocomplete", (looked_up,))
        yield Page("admin", f"{label} row", tuple(reverse(f"{name}_change", args=[key]) for key in keys))
        yield Page("admin", f"{label} history", tuple(reverse(f"{name}_history", args=[key]) for key in keys))


def _filters(site: Any, shown: Any) -> Iterator[str]:
    """Every link of the filters beside the list, and the year, month and day of its latest row."""
    for one in shown.filter_specs:
        for choice in one.choices(shown):
            if not choice["selected"]:
                yield choice["query_string"].removeprefix("?")
    if site.date_hierarchy and (day := shown.root_queryset.aggregate(last=Max(site.date_hierarchy))["last"]):
        day, name = timezone.localtime(day), site.date_hierarchy
        parts = [f"{name}__year={day.year}", f"{name}__month={day.month}", f"{name}__day={day.day}"]
        yield from ("&".join(parts[:count]) for count in (1, 2, 3))


def _autocomplete(model: type) -> str:
    """Of the first field of ours that looks the model up."""
    for other, site in admin.site._registry.items():
        for field in site.autocomplete_fields:
            if other._meta.get_field(field).related_model is model:
                asked = {"app_label": other._meta.app_label, "model_name": other._meta.model_name}
                return f"{reverse('admin:autocomplete')}?{urlencode(asked | {'field_name': field, 'term': 'nowak'})}"
    return ""
