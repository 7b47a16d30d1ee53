"""What the hook writes to the log: one line per decision, with addresses only where the operator wants them."""

import functools
import hmac
import json
import logging
import re

from mailboxes.addresses import normal_form_or_none
from responders.hook.ledger.recording import Record
from responders.hook.metrics import Metrics

log = logging.getLogger("responders.hook")

_ADDRESS = re.compile(r"[^\s<>,;:()\"']{1,320}@[^\s<>,;:()\"']+")
_PLAIN_WORD = re.compile(r"[!#-~]+")


class Journal:
    """`key` makes the hashes that stand for addresses: the same address has the same one. None shows them plain."""

    def __init__(self, key: bytes | None, metrics: Metrics | None = None) -> None:
        # Copied for each address: a key is taken in more slowly than an address.
        self._hash = None if key is None else hmac.new(key, digestmod="sha256")
        self._known = functools.lru_cache(maxsize=4096)(self._hashed)
        self.metrics = metrics or Metrics()

    def decided(self, record: Record) -> None:
        """A copy found its decision."""
        self.metrics.decided(record.reason)
        if not log.isEnabledFor(logging.INFO):
            return
        log.info(
            "decision reason=%s queue_id=%s sender=%s recipient=%s evidence=%s",
            record.reason, record.queue_id, self._address(record.reverse_path), self._address(record.address),
            _word(self._without_addresses(record.evidence)),
        )  # fmt: skip

    def deferred(self, queue_id: str, recipient: str, trouble: Exception) -> None:
        """Postfix keeps the copy and comes again."""
        self.metrics.deferred(trouble)
        log.warning(
            "deferred queue_id=%s recipient=%s trouble=%s",
            queue_id, self._address(recipient), _word(self._without_addresses(str(trouble))),
        )  # fmt: skip

    def refused(self, queue_id: str, address: str, words: str) -> None:
        """Postfix reports that an address refused a reply for good."""
        self.metrics.refused()
        log.info(
            "refusal queue_id=%s sender=%s words=%s",
            queue_id, self._address(address), _word(self._without_addresses(words)),
        )  # fmt: skip

    def failed(self, record: Record, traceback: str) -> None:
        """A bug of ours."""
        self.metrics.decided(record.reason)
        self.metrics.quarantined()
        log.error("error queue_id=%s recipient=%s\n%s", record.queue_id, self._address(record.address), traceback)

    def _address(self, address: str) -> str:
        if not address:
            return "<>"
        return self._known(address)

    def _hashed(self, address: str) -> str:
        if self._hash is None:
            return _word(address)
        one = self._hash.copy()
        one.update((normal_form_or_none(address) or address.lower()).encode("utf-8", "replace"))
        return one.hexdigest()[:16]

    def _without_addresses(self, text: str) -> str:
        return (
            text if self._hash is None or "@" not in text else _ADDRESS.sub(lambda match: self._address(match[0]), text)
        )


def _word(text: str) -> str:
    """One word of a log line: in quotes, with controls escaped, where it is more than plain letters and signs."""
    return text if _PLAIN_WORD.fullmatch(text) else json.dumps(text)
