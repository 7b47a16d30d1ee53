"""What the findings are called, and each of them as a plain sentence, in the reader's language."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from mailboxes.domain_dns.records import Finding, State

TITLES: dict[str, Any] = {
    "mx": _("Who takes the mail (MX)"),
    "spf": _("Who may send (SPF)"),
    "dkim": _("Signature of outgoing mail (DKIM)"),
    "dmarc": _("What forged mail is worth (DMARC)"),
    "dmarc-reports": _("Reports about forged mail, at another domain (DMARC)"),
    "mta-sts": _("Mail comes encrypted only (MTA-STS)"),
    "mta-sts-host": _("Where that rule is read (MTA-STS)"),
    "mta-sts-file": _("What that rule says (MTA-STS)"),
    "tls-rpt": _("Reports about encryption (TLS-RPT)"),
    "autoconfig": _("Thunderbird sets itself up (autoconfig)"),
    "autodiscover": _("Outlook sets itself up (autodiscover)"),
    "srv": _("Other programs set themselves up (SRV)"),
}
STATES: dict[str, Any] = {
    State.OK: _("right"),
    State.MISSING: _("missing"),
    State.WRONG: _("wrong"),
    State.UNKNOWN: _("could not be asked"),
}
NOT_LOOKED_AT = _("not looked at yet")
NOT_ASKED = _("Nobody has looked yet. We look within minutes, or at once where you ask for it above.")
NOT_ANSWERED = _("The name server of the domain did not answer, so nothing is known. We look again.")
_SEVERAL = _("There are several records where one may stand, so receivers use none. Leave one.")
_UNREADABLE = _("The record cannot be read: receivers ignore it.")
_NOT_HERE = _("The name leads elsewhere, not to this panel.")
SENTENCES: dict[str, Any] = {
    "mx ok": _("Mail comes to us."),
    "mx own-name": _("Mail comes to us, by a name of the domain's own."),
    "mx none": _("Nobody is told where mail goes: it does not arrive, or only by chance."),
    "mx null-mx": _("A null MX says that the domain takes no mail at all, and senders give up at once. Remove it."),
    "mx elsewhere": _("Mail goes to other servers and does not come to us."),
    "mx also-elsewhere": _(
        "Part of the mail goes to other servers. Remove their records, or give them a higher number."
    ),
    "spf ok": _("Receivers see that our servers may send for the domain."),
    "spf none": _("Nothing says that our servers may send for the domain: its mail may be taken for spam."),
    "spf several": _("There is more than one SPF record, so receivers use none. Replace them all by this one."),
    "spf unreadable": _("The record cannot be read, so receivers use none of it."),
    "spf loop": _("The record leads to itself in a circle, so receivers use none of it."),
    "spf look-ups": _("Receivers look ten times at most, and this record makes them look more often: they give up."),
    "spf void": _("The record names more than two hosts or domains that do not exist: receivers give up."),
    "spf include": _("The record leads to a domain that has no SPF record of its own: receivers give up."),
    "spf everybody": _("The record lets the whole world send as this domain (+all)."),
    "spf without-us": _("Our servers do not stand in the record, so mail from here may be taken for spam."),
    "spf macros": _(
        "The record goes by who writes (macros), so it cannot be told that our servers may send for all. "
        "Name them plainly."
    ),
    "dkim ok": _("Receivers can check our signature."),
    "dkim none": _("The key is not in the DNS, so receivers cannot check our signature."),
    "dkim several": _SEVERAL,
    "dkim unreadable": _UNREADABLE,
    "dkim revoked": _("The record says that the key counts no more."),
    "dkim other": _("Another key stands there: our signature looks forged."),
    "dkim no-key": _("There is no key yet: mail of the domain leaves without a signature."),
    "dmarc ok": _("Receivers know what to do with mail that only pretends to be yours."),
    "dmarc of-parent": _("The rule of the domain above this one counts."),
    "dmarc none": _("There is no rule. Large providers want one from everybody who sends much."),
    "dmarc several": _SEVERAL,
    "dmarc unreadable": _UNREADABLE,
    "dmarc-reports ok": _("The other domain says that it takes them."),
    "dmarc-reports none": _(
        "The other domain does not say that it takes them, so they are not sent. The record belongs into its zone."
    ),
    "mta-sts ok": _("Senders know that there is a rule."),
    "mta-sts none": _("Senders do not know that our servers can always do encryption."),
    "mta-sts several": _SEVERAL,
    "mta-sts unreadable": _UNREADABLE,
    "mta-sts other": _("The number is not that of the present rule: senders go by an old one, or by somebody else's."),
    "mta-sts-host ok": _("Senders read the rule at this panel."),
    "mta-sts-host none": _("The name does not exist, so senders cannot read the rule."),
    "mta-sts-host elsewhere": _NOT_HERE,
    "mta-sts-file ok": _("Senders read our rule there."),
    "mta-sts-file none": _("The name does not exist, so senders cannot read the rule."),
    "mta-sts-file other": _("Something else than our rule is read there."),
    "mta-sts-file not-there": _("The web server there does not have the rule, or sends senders elsewhere."),
    "mta-sts-file certificate": _("The certificate there does not hold for this name: senders do not read on."),
    "mta-sts-file private": _("The name leads to an address that the world cannot reach, so we did not look."),
    "mta-sts-file away": _("No web server answered there, so the rule could not be read."),
    "tls-rpt ok": _("Somebody is told when mail could not come encrypted."),
    "tls-rpt none": _("Nobody is told when mail could not come encrypted."),
    "tls-rpt several": _SEVERAL,
    "tls-rpt unreadable": _UNREADABLE,
    "autoconfig ok": _("Thunderbird and its kin find the settings by themselves."),
    "autoconfig none": _("Thunderbird and its kin do not find the settings by themselves."),
    "autoconfig elsewhere": _NOT_HERE,
    "autodiscover ok": _("Outlook finds the settings by itself."),
    "autodiscover none": _("Outlook does not find the settings by itself."),
    "autodiscover elsewhere": _NOT_HERE,
    "srv ok": _("Programs that look for it find our server."),
    "srv none": _("Programs that look for it do not find our server."),
    "srv elsewhere": _("Programs are sent to another server."),
}


def title(finding: Finding) -> str:
    """What it is about; of a key its selector, of a service its name."""
    _kind, _colon, which = finding.item.partition(":")
    return f"{TITLES[finding.kind]} · {which}" if which else str(TITLES[finding.kind])


def sentence(finding: Finding) -> str:
    """Why it is as it is."""
    if finding.reason == "not-asked":
        return str(NOT_ASKED)
    if finding.state is State.UNKNOWN and finding.reason in {"", "not-answered"}:
        return str(NOT_ANSWERED)
    return str(SENTENCES[f"{finding.kind} {finding.reason}"])
