"""Ready texts to start from: what people say most often, in Polish and in English, formal and informal."""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from responders.models import HouseText

OWN = "own"  # the key of a text that the owner wrote before; the company's have none


@dataclass(frozen=True)
class ReadyText:
    """A text in one language; `type` is the kind of responder it suits."""

    key: str
    language: str
    title: str | Promise
    type: str
    subject: str
    text_body: str


_HOLIDAY = (_("Holiday, formal"), _("Holiday, informal"))
_ILLNESS = (_("Illness, formal"), _("Illness, informal"))
_TRIP = (_("Business trip, formal"), _("Business trip, informal"))
_LEFT = (_("No longer with the company, formal"), _("No longer with the company, informal"))
_RECEIVED = (_("Message received, formal"), _("Message received, informal"))

READY_TEXTS = (
    ReadyText(
        "holiday", "pl", _HOLIDAY[0], "absence", "Nieobecność: {{ subject }}",
        "Dzień dobry,\n\ndziękuję za wiadomość. Jestem na urlopie i wracam {{ absence.return_date }}. Odpowiem po "
        "powrocie.\n\nZ poważaniem\n{{ mailbox.name }}",
    ),
    ReadyText(
        "holiday-informal", "pl", _HOLIDAY[1], "absence", "Urlop: {{ subject }}",
        "Cześć!\n\nJestem na urlopie do {{ absence.end }} i nie zaglądam do poczty. Odezwę się, jak tylko wrócę.\n\n"
        "Pozdrawiam\n{{ mailbox.name }}",
    ),
    ReadyText(
        "illness", "pl", _ILLNESS[0], "absence", "Nieobecność: {{ subject }}",
        "Dzień dobry,\n\ndziękuję za wiadomość. W najbliższych dniach jestem poza pracą i nie czytam poczty. Odpowiem, "
        "gdy tylko wrócę.\n\nZ poważaniem\n{{ mailbox.name }}",
    ),
    ReadyText(
        "illness-informal", "pl", _ILLNESS[1], "absence", "Nie ma mnie: {{ subject }}",
        "Cześć!\n\nPrzez kilka dni nie pracuję i nie zaglądam do poczty. Odezwę się, jak tylko wrócę.\n\n"
        "Pozdrawiam\n{{ mailbox.name }}",
    ),
    ReadyText(
        "trip", "pl", _TRIP[0], "absence", "Delegacja: {{ subject }}",
        "Dzień dobry,\n\ndziękuję za wiadomość. Do {{ absence.end }} jestem w delegacji i czytam pocztę rzadziej niż "
        "zwykle. Na odpowiedź może trzeba będzie poczekać dłużej.\n\nZ poważaniem\n{{ mailbox.name }}",
    ),
    ReadyText(
        "trip-informal", "pl", _TRIP[1], "absence", "W drodze: {{ subject }}",
        "Cześć!\n\nDo {{ absence.end }} jestem w podróży służbowej i zaglądam do poczty rzadziej. Odpiszę, ale może "
        "nie od razu.\n\nPozdrawiam\n{{ mailbox.name }}",
    ),
    ReadyText(
        "received", "pl", _RECEIVED[0], "standing", "Otrzymaliśmy: {{ subject }}",
        "Dzień dobry,\n\ndziękujemy za wiadomość. Odpowiemy w ciągu jednego dnia roboczego.\n\nZ poważaniem\n"
        "{{ mailbox.name }}",
    ),
    ReadyText(
        "received-informal", "pl", _RECEIVED[1], "standing", "Mamy to: {{ subject }}",
        "Cześć!\n\nTwoja wiadomość dotarła. Odpiszemy najszybciej, jak się da.\n\nPozdrawiamy\n{{ mailbox.name }}",
    ),
    ReadyText(
        "left", "pl", _LEFT[0], "standing", "Zmiana adresu: {{ subject }}",
        "Dzień dobry,\n\nta skrzynka nie jest już czytana: {{ mailbox.name }} nie pracuje już w naszej firmie. Prosimy "
        "pisać do: {{ deputy.name }}, {{ deputy.address }}.\n\nZ poważaniem",
    ),
    ReadyText(
        "left-informal", "pl", _LEFT[1], "standing", "Nowy adres: {{ subject }}",
        "Cześć!\n\nNie pracuję już tutaj i nikt nie czyta tej skrzynki. Napisz do: {{ deputy.name }}, "
        "{{ deputy.address }}.\n\nPozdrawiam\n{{ mailbox.name }}",
    ),
    ReadyText(
        "holiday", "en", _HOLIDAY[0], "absence", "Out of office: {{ subject }}",
        "Hello,\n\nthank you for your message. I am on holiday and will be back on {{ absence.return_date }}. I will "
        "answer then.\n\nKind regards\n{{ mailbox.name }}",
    ),
    ReadyText(
        "holiday-informal", "en", _HOLIDAY[1], "absence", "On holiday: {{ subject }}",
        "Hi!\n\nI am on holiday until {{ absence.end }} and not reading mail. I will get back to you as soon as I am "
        "back.\n\nBest\n{{ mailbox.name }}",
    ),
    ReadyText(
        "illness", "en", _ILLNESS[0], "absence", "Out of office: {{ subject }}",
        "Hello,\n\nthank you for your message. I am off work for a few days and not reading mail. I will answer as "
        "soon as I am back.\n\nKind regards\n{{ mailbox.name }}",
    ),
    ReadyText(
        "illness-informal", "en", _ILLNESS[1], "absence", "Away: {{ subject }}",
        "Hi!\n\nI am off for a few days and not reading mail. I will get back to you as soon as I am back.\n\n"
        "Best\n{{ mailbox.name }}",
    ),
    ReadyText(
        "trip", "en", _TRIP[0], "absence", "Travelling: {{ subject }}",
        "Hello,\n\nthank you for your message. I am travelling until {{ absence.end }} and read mail less often than "
        "usual, so an answer may take longer.\n\nKind regards\n{{ mailbox.name }}",
    ),
    ReadyText(
        "trip-informal", "en", _TRIP[1], "absence", "On the road: {{ subject }}",
        "Hi!\n\nI am on the road until {{ absence.end }} and look at mail less often. I will write back, perhaps not "
        "at once.\n\nBest\n{{ mailbox.name }}",
    ),
    ReadyText(
        "received", "en", _RECEIVED[0], "standing", "We have received: {{ subject }}",
        "Hello,\n\nthank you for your message. We will answer within one working day.\n\nKind regards\n"
        "{{ mailbox.name }}",
    ),
    ReadyText(
        "received-informal", "en", _RECEIVED[1], "standing", "Got it: {{ subject }}",
        "Hi!\n\nyour message has arrived. We will write back as soon as we can.\n\nBest\n{{ mailbox.name }}",
    ),
    ReadyText(
        "left", "en", _LEFT[0], "standing", "New address: {{ subject }}",
        "Hello,\n\nthis mailbox is no longer read: {{ mailbox.name }} does not work for our company any more. Please "
        "write to {{ deputy.name }}, {{ deputy.address }}.\n\nKind regards",
    ),
    ReadyText(
        "left-informal", "en", _LEFT[1], "standing", "I have moved on: {{ subject }}",
        "Hi!\n\nI do not work here any more, and nobody reads this mailbox. Please write to {{ deputy.name }}, "
        "{{ deputy.address }}.\n\nBest\n{{ mailbox.name }}",
    ),
)  # fmt: skip


def ready_texts(language: str) -> list[ReadyText]:
    """Those in a language; of a language that has none, the English ones."""
    return [text for text in READY_TEXTS if text.language == language] or ready_texts("en")


def house_texts(language: str) -> list[ReadyText]:
    """Those that the hosting company offers in a language."""
    rows = HouseText.objects.filter(language=language)
    return [ReadyText("", row.language, row.title, row.type, row.subject, row.text_body) for row in rows]
