"""What a person fills in for a responder: tidied, and checked with every fault named beside its field."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime, time
from typing import Any

import nh3
from django.db import connection
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mailboxes import access, addresses
from mailboxes.models import Mailbox
from responders.core import cases, schedule
from responders.core.facts import Audience, CaseForm, Text
from responders.core.hours import HoursMode
from responders.core.rendering import TemplateProblem, check_template
from responders.models import AudienceChoices, CaseFormChoices, HoursModeChoices, Responder, ResponderType

MAX_TEXT_CHARACTERS = 50_000
MAX_FURTHER_TEXTS = 20
# The hook reads all that a mailbox has for each message, everybody's in one process.
MAX_CHARACTERS_TOGETHER = 150_000
MAX_RESPONDERS = 100
MAX_LIST_ITEMS = 50
MAX_WORD_CHARACTERS = 100
# In which a responder may hold a text; dates in it are written as that language writes them.
TEXT_LANGUAGES = (
    "pl", "en", "de", "uk", "cs", "sk", "lt", "lv", "et", "ru", "fr", "es", "it", "pt", "nl", "da", "sv", "nb", "fi",
    "hu", "ro", "bg", "hr", "sl", "el", "tr",
)  # fmt: skip

Errors = dict[str, list[str]]


class ResponderInvalid(ValueError):
    """What was typed cannot be saved. `errors`: field name → sentences in the active language."""

    def __init__(self, errors: Errors) -> None:
        super().__init__("; ".join(f"{name}: {' '.join(map(str, texts))}" for name, texts in errors.items()))
        self.errors = errors


@dataclass(frozen=True)
class ResponderInput:
    """What a person fills in. Dates are local and naive, in `time_zone`; None leaves that end open.

    `language` is that of the three texts, empty for the mailbox's; `texts` are for other languages and colleagues.
    `addresses`: of the mailbox's own, all where it is empty. The rest is as in `core.facts`.
    """

    type: str
    is_enabled: bool
    from_date: datetime | None
    to_date: datetime | None
    time_zone: str
    subject: str
    text_body: str
    html_body: str = ""
    interval_days: int = 7
    answers_once: bool = False
    language: str = ""
    texts: tuple[Text, ...] = ()
    audience: str = Audience.EVERYONE.value
    addresses: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    words_in_body: bool = False
    word_forms: bool = False
    senders: tuple[str, ...] = ()
    deputy_name: str = ""
    deputy_address: str = ""
    deputy_gets_copy: bool = False
    gives_case_numbers: bool = False
    case_form: str = CaseForm.YEAR.value
    case_prefix: str = ""
    hours_mode: str = HoursMode.ALWAYS.value
    office_days: tuple[int, ...] = (0, 1, 2, 3, 4)
    office_opens: time = time(8)
    office_closes: time = time(16)
    holidays_are_off: bool = True


def as_input(responder: Responder) -> ResponderInput:
    """What is stored, as the person typed it."""
    values = {field.name: getattr(responder, field.name) for field in fields(ResponderInput)}
    lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    return ResponderInput(**(values | lists | {"texts": tuple(Text(**text) for text in responder.texts)}))


def plain(value: Any) -> Any:
    """A value of `ResponderInput` as JSON keeps it."""
    if isinstance(value, tuple):
        return [asdict(item) if isinstance(item, Text) else item for item in value]
    return value.isoformat() if isinstance(value, datetime | time) else value


def as_json(values: ResponderInput) -> dict[str, Any]:
    return {field.name: plain(getattr(values, field.name)) for field in fields(values)}


def from_json(name: str, kept: Any) -> Any:
    """What JSON keeps of the field, as `ResponderInput` has it."""
    if kept is not None and name in {"from_date", "to_date"}:
        return datetime.fromisoformat(kept)
    if name in {"office_opens", "office_closes"}:
        return time.fromisoformat(kept)
    if name == "texts":
        return tuple(Text(**text) for text in kept)
    return tuple(kept) if isinstance(kept, list) else kept


def all_texts(values: ResponderInput) -> list[Text]:
    return [Text(values.language, values.subject, values.text_body, values.html_body), *values.texts]


def _whole_seconds(local: datetime | None) -> datetime | None:
    return None if local is None else local.replace(microsecond=0)


def own_addresses(mailbox: Mailbox) -> list[str]:
    """The addresses that count as the mailbox's own, its first one first (RFC 5230 §4.5)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT address FROM mail_recipients WHERE mailbox_id = %s AND is_own", [mailbox.pk])
        found = {address for (address,) in cursor.fetchall()}
    return sorted(found, key=lambda address: (address != mailbox.address, address))


def tidy(values: ResponderInput) -> ResponderInput:
    """Without what cannot be stored or shown safely; a standing reply has no dates."""
    is_standing = values.type == ResponderType.STANDING
    own = _tidy_text(Text(values.language, values.subject, values.text_body, values.html_body))
    return replace(
        values,
        subject=own.subject,
        text_body=own.text_body,
        html_body=own.html_body,
        texts=tuple(_tidy_text(text) for text in values.texts),
        from_date=None if is_standing else _whole_seconds(values.from_date),
        to_date=None if is_standing else _whole_seconds(values.to_date),
        words=_tidy_list(values.words),
        senders=_tidy_list(_normal_sender(sender) for sender in values.senders),
        addresses=_tidy_list(values.addresses),
        deputy_name=_one_line(values.deputy_name),
        deputy_address=addresses.normal_form_or_none(values.deputy_address) or values.deputy_address.strip(),
        deputy_gets_copy=values.deputy_gets_copy and not is_standing,
        gives_case_numbers=values.gives_case_numbers and is_standing,
        case_prefix=values.case_prefix.strip(),
        hours_mode=values.hours_mode if is_standing else HoursMode.ALWAYS.value,
        office_days=tuple(sorted(set(values.office_days))),
    )


def _tidy_text(text: Text) -> Text:
    return replace(
        text,
        subject=_one_line(text.subject),
        text_body=text.text_body.replace("\0", "").replace("\r\n", "\n").strip(),
        html_body=nh3.clean(text.html_body.replace("\0", "")).strip(),
    )


def _one_line(text: str) -> str:
    return " ".join(text.replace("\0", "").split())


def _tidy_list(items: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(line for item in items if (line := _one_line(item))))


def _normal_sender(sender: str) -> str:
    """An address or a domain in normal form; what is neither, as it was typed."""
    typed = sender.strip().removeprefix("@")
    try:
        return addresses.normalise(typed) if "@" in typed else addresses.normalise_domain(typed)
    except addresses.AddressError:
        return typed


def checked(mailbox: Mailbox, values: ResponderInput, before: Responder | None, now: datetime) -> schedule.Window:
    """The window in UTC. Raises ResponderInvalid with everything that is wrong, not only with the first."""
    errors: Errors = {}
    if values.type not in ResponderType.values:
        errors["type"] = [_("Choose one of the types.")]
    start = _moment("from_date", values.from_date, values.time_zone, errors)
    end = _moment("to_date", values.to_date, values.time_zone, errors)
    if start and end and start >= end:
        errors["to_date"] = [_("The end must be later than the start.")]
    elif end and end <= now and (before is None or before.to_utc != end):
        errors["to_date"] = [_("This end is in the past: nobody would get an answer.")]
    if values.interval_days < 1:
        errors["interval_days"] = [_("At least one day must pass.")]
    _check_texts(values, errors)
    errors.update(_errors_in_further_texts(mailbox, values))
    errors.update(_errors_in_size(values))
    errors.update(_errors_in_conditions(mailbox, values))
    errors.update(_errors_about_deputy(mailbox, values))
    errors.update(_errors_in_hours(values))
    if errors:
        raise ResponderInvalid(errors)
    return schedule.Window(start, end)


def _moment(field: str, local: datetime | None, zone: str, errors: Errors) -> datetime | None:
    if local is None:
        return None
    if local.year not in schedule.YEARS:
        errors[field] = [_("“%(text)s” is not a date: write 2026-12-24 17:00.") % {"text": local.isoformat(" ")}]
        return None
    try:
        return schedule.to_utc(local, zone)
    except schedule.LocalTimeError as error:
        sentence = (
            _("On this day the clock goes forward: this time does not exist. The nearest are %(before)s and %(after)s.")
            if isinstance(error, schedule.SkippedTimeError)
            else _("On this day the clock goes back: this time comes twice. The nearest are %(before)s and %(after)s.")
        )
        errors[field] = [sentence % {"before": f"{error.before:%H:%M}", "after": f"{error.after:%H:%M}"}]
        return None


_TEXT_FIELDS = {
    "subject": gettext_lazy("Write a subject."),
    "text_body": gettext_lazy("Write the text of the reply."),
    "html_body": "",
}


def _check_texts(values: ResponderInput | Text, errors: Errors, prefix: str = "") -> None:
    for name, missing in _TEXT_FIELDS.items():
        text = getattr(values, name)
        if not text:
            if missing:
                errors[prefix + name] = [str(missing)]
            continue
        if len(text) > (500 if name == "subject" else MAX_TEXT_CHARACTERS):
            errors[prefix + name] = [_("This text is too long.")]
            continue
        try:
            check_template(text)
        except TemplateProblem as problem:
            errors[prefix + name] = [template_sentence(problem)]


def _errors_in_further_texts(mailbox: Mailbox, values: ResponderInput) -> Errors:
    """Errors under the names `texts-0-subject` and so on."""
    errors: Errors = {}
    if values.language and values.language not in TEXT_LANGUAGES:
        errors["language"] = [_("Choose a language from the list.")]
    taken = {(values.language or mailbox.language, False)}
    for place, text in enumerate(values.texts):
        prefix = f"texts-{place}-"
        _check_texts(text, errors, prefix)
        if text.language not in TEXT_LANGUAGES:
            errors[f"{prefix}language"] = [_("Choose a language from the list.")]
        elif (text.language, text.for_colleagues) in taken:
            errors[f"{prefix}language"] = [_("There is a text in this language already.")]
        taken.add((text.language, text.for_colleagues))
    if len(values.texts) > MAX_FURTHER_TEXTS:
        errors[f"texts-{MAX_FURTHER_TEXTS}-language"] = [_("There are too many texts.")]
    return errors


def _errors_in_size(values: ResponderInput) -> Errors:
    if sum(len(text.subject + text.text_body + text.html_body) for text in all_texts(values)) > MAX_CHARACTERS_TOGETHER:
        return {"text_body": [_("All texts together are too long.")]}
    return {}


def refuse_too_many(mailbox: Mailbox) -> None:
    """Whether the mailbox may have one more. Raises ResponderInvalid."""
    if mailbox.pk and mailbox.responders.count() >= MAX_RESPONDERS:
        words = _("The mailbox has %(most)d autoresponders, as many as it may. Delete one that is over first.")
        raise ResponderInvalid({"type": [words % {"most": MAX_RESPONDERS}]})


def _errors_in_conditions(mailbox: Mailbox, values: ResponderInput) -> Errors:
    errors: Errors = {}
    if values.audience not in AudienceChoices.values:
        errors["audience"] = [_("Choose who gets a reply.")]
    if strange := [address for address in values.addresses if address not in own_addresses(mailbox)]:
        errors["addresses"] = [_("%(address)s is not this mailbox's own address.") % {"address": strange[0]}]
    if len(values.words) > MAX_LIST_ITEMS or any(len(word) > MAX_WORD_CHARACTERS for word in values.words):
        errors["words"] = [_("At most 50 words, each of at most 100 letters.")]
    if values.case_form not in CaseFormChoices.values:
        errors["case_form"] = [_("Choose a form from the list.")]
    if not cases.PREFIX.fullmatch(values.case_prefix):
        errors["case_prefix"] = [_("At most 20 letters (without accents), digits and . / -, no digit at the end.")]
    if unknown := [sender for sender in values.senders if not _is_sender(sender)]:
        sentence = _("“%(text)s” is neither an address nor a domain: write jan@example.com or example.com.")
        errors["senders"] = [sentence % {"text": unknown[0]}]
    elif len(values.senders) > MAX_LIST_ITEMS:
        errors["senders"] = [_("At most 50 addresses and domains.")]
    return errors


def _is_sender(text: str) -> bool:
    try:
        return bool(addresses.normalise(text) if "@" in text else "." in addresses.normalise_domain(text))
    except addresses.AddressError:
        return False


def _errors_about_deputy(mailbox: Mailbox, values: ResponderInput) -> Errors:
    """A copy goes to a mailbox of the same customer alone: elsewhere it would bounce to people who wrote to us."""
    if not values.deputy_address:
        return {"deputy_address": [_("Write the deputy's address.")]} if values.deputy_gets_copy else {}
    if addresses.normal_form_or_none(values.deputy_address) is None:
        return {"deputy_address": [_("This is not a mail address: write name@example.com.")]}
    if not values.deputy_gets_copy:
        return {}
    theirs = access.mailboxes_there().filter(address=values.deputy_address)
    deputy = theirs.select_related("domain").first()
    if deputy is None or not is_same_customer(deputy, mailbox):
        return {"deputy_address": [_("A copy can only go to a mailbox of your own company.")]}
    if deputy.pk == mailbox.pk:
        return {"deputy_address": [_("The deputy must be another mailbox.")]}
    return {}


def _errors_in_hours(values: ResponderInput) -> Errors:
    errors: Errors = {}
    if values.hours_mode not in HoursModeChoices.values:
        errors["hours_mode"] = [_("Choose when it answers.")]
    if values.office_opens >= values.office_closes:
        errors["office_closes"] = [_("The office must close later than it opens.")]
    if not set(values.office_days) <= set(range(7)):
        errors["office_days"] = [_("Choose days of the week.")]
    elif values.hours_mode != HoursMode.ALWAYS and not values.office_days:
        errors["office_days"] = [_("Choose at least one day.")]
    return errors


def is_same_customer(one: Mailbox, other: Mailbox) -> bool:
    """Whether the two belong together: the same domain, or domains of one customer."""
    customer = one.domain.customer_id
    return one.domain_id == other.domain_id or (customer is not None and customer == other.domain.customer_id)


_PROBLEMS = {
    "placeholder": gettext_lazy("There is no placeholder “%(name)s” (line %(line)s)."),
    "tag": gettext_lazy("“{%% %(name)s %%}” cannot be used here (line %(line)s)."),
    "filter": gettext_lazy("There is no filter “%(name)s” (line %(line)s)."),
    "unclosed-tag": gettext_lazy("“{%% %(name)s %%}” is not closed: “{%% end%(name)s %%}” is missing."),
    "unclosed-brace": gettext_lazy("A placeholder is not closed: “}}” is missing (line %(line)s)."),
    "too-many": gettext_lazy("There are too many placeholders in this text."),
    "syntax": gettext_lazy("A placeholder is written wrongly (line %(line)s)."),
}


def template_sentence(problem: TemplateProblem) -> str:
    """What is wrong with a text, in the active language."""
    return str(_PROBLEMS[problem.kind]) % {"name": problem.name, "line": problem.line or 1}
