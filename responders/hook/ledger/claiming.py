"""The right to answer a sender once with a text: taken and given back; and the brakes, which count every one."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from responders.core.facts import Policy
from responders.hook.dialogue import Row, Statement
from responders.hook.ledger.cleaning import clean
from responders.hook.ledger.loading import VERSION
from responders.hook.ledger.values import columns_of, values_of

LEASE_SECONDS = 600  # longer than all time-outs of a submission together
# A claim is seen by everybody at once, and kept for good by the commit of its record, which follows it in the log of
# the database and is waited for before the copy is accepted. A database that crashes in between may forget both; then
# the copy comes again, as after any crash between the relay's 250 and the record.
_KEPT_LATER = "(SELECT set_config('synchronous_commit', 'off', true)) AS kept_later"  # of this transaction alone

# What is wanted is counted first; of a key all replies begun within the last hour come back: seven buckets of ten
# minutes, so that no hour holds more than the brake allows.
_BUCKET = "date_bin('10 minutes', panel_now(), 'epoch')"
_COUNT = f"INSERT INTO responders_replycount AS t (key, bucket, replies) SELECT v.key, {_BUCKET}"
_AS_MORE = f"""ON CONFLICT (key, bucket) DO UPDATE SET replies = t.replies + excluded.replies
    RETURNING key, replies + (SELECT coalesce(sum(o.replies), 0)::int FROM responders_replycount o
        WHERE o.key = t.key AND o.bucket < {_BUCKET} AND o.bucket > panel_now() - interval '70 minutes') AS replies
"""  # noqa: S608 (constants)


# Each is one look into an index whatever the statistics said when the plan was made: of NOT EXISTS the planner makes a
# table in memory of all replies there are, while they are few, and goes on to do so for every claim when they are many.
_IS_AS_BELIEVED = f"""
        panel_now() BETWEEN c.at - interval '1 second' AND c.at + interval '1 second'
        AND (SELECT true FROM responders_previousresponse o WHERE o.responder_id = c.responder_id
            AND o.reverse_path_key = c.key AND o.activation = c.activation AND o.text_revision = c.text_revision
            LIMIT 1) IS NULL
        AND (SELECT true FROM responders_refusal f WHERE f.address = c.sender LIMIT 1) IS NULL
        AND (SELECT true FROM mailboxes_domain s
            WHERE s.name = split_part(c.sender, '@', -1) AND s.deleted_at IS NULL LIMIT 1) IS NULL
        AND c.version = {VERSION}"""  # noqa: S608 (constants)

_COLUMNS = {"responder_id": "bigint", "key": "text", "activation": "int", "text_revision": "int", "queue_id": "text"}
_BELIEF_COLUMNS = {"version": "text", "at": "timestamptz", "sender": "text"}


# A stale cache or a switch thrown meanwhile never replies: the join looks once more. What is wanted is counted for its
# mailbox and its domain, which other processes wait for; always the domains first, so that none waits in a circle.
def _wanted(*, many: bool, believes: bool, more: str = "") -> str:
    """Claims whose responder is what it was, with what they count for; `believes`: some do so."""
    tried = values_of(_COLUMNS | (_BELIEF_COLUMNS if believes else {}), "c", many=many)
    is_so = ""
    if believes:  # to make these questions ready costs nearly as much as a look-up: others are spared them
        is_so = (
            f"AND CASE WHEN c.version IS NULL THEN true ELSE {_IS_AS_BELIEVED} END"
            if many
            else f"AND {_IS_AS_BELIEVED}"
        )
    return f"""WITH wanted AS (
    SELECT c.*, k.of_mailbox, k.of_domain,
        coalesce(m.replies_per_hour, %(mailbox_limit)s) AS mailbox_limit,
        coalesce(d.replies_per_hour, %(domain_limit)s) AS domain_limit{more}
    FROM {tried}
    CROSS JOIN {_KEPT_LATER}
    JOIN responders_responder r ON r.id = c.responder_id AND r.is_enabled
        AND r.activation = c.activation AND r.text_revision = c.text_revision
        AND (r.from_utc IS NULL OR r.from_utc <= panel_now()) AND (r.to_utc IS NULL OR panel_now() < r.to_utc)
    JOIN mailboxes_mailbox m ON m.id = r.mailbox_id
    JOIN mailboxes_domain d ON d.name = m.domain_id {is_so}
    CROSS JOIN LATERAL (SELECT 'm' || m.id AS of_mailbox, 'd' || m.domain_id AS of_domain) k
)"""  # noqa: S608 (put together from constants)


# Of the rows that exist, a claim passes its own copy again once the lease has run out, and another copy once the
# interval is over.
_TAKEN = """\
INSERT INTO responders_previousresponse AS p
    (responder_id, reverse_path_key, activation, text_revision, queue_id, state, claimed_at, lease_until)
SELECT w.responder_id, w.key, w.activation, w.text_revision, w.queue_id, 'claimed', panel_now(),
    panel_now() + make_interval(secs => %(lease)s)
FROM wanted w JOIN counted mc ON mc.key = w.of_mailbox JOIN counted dc ON dc.key = w.of_domain"""
_OR_PASSED = """\
ON CONFLICT (responder_id, reverse_path_key, activation, text_revision) DO UPDATE SET
    queue_id = excluded.queue_id, state = 'claimed', claimed_at = excluded.claimed_at,
    lease_until = excluded.lease_until, replied_at = NULL
WHERE (p.state = 'claimed' AND p.queue_id = excluded.queue_id AND p.lease_until <= excluded.claimed_at)
    OR (p.queue_id <> excluded.queue_id AND coalesce(p.replied_at, p.claimed_at) <= excluded.claimed_at
        - (SELECT make_interval(days => interval_days) FROM responders_responder
            WHERE id = p.responder_id AND NOT answers_once))
RETURNING responder_id, reverse_path_key, activation, text_revision
"""


def _claim_alone(*, believes: bool) -> Statement:
    """A claim taken that nobody is to be counted with, as in quiet times: what only several need is left out."""
    return Statement(f"""{_wanted(many=False, believes=believes)}, counted AS (
    {_COUNT}, 1 FROM wanted w, LATERAL (VALUES (w.of_domain), (w.of_mailbox)) v (key)
    {_AS_MORE})
{_TAKEN}
WHERE (w.mailbox_limit = 0 OR mc.replies <= w.mailbox_limit) AND (w.domain_limit = 0 OR dc.replies <= w.domain_limit)
{_OR_PASSED}""")


def _claims(*, believes: bool) -> Statement:
    """Claims taken: what is counted passes as far as the brakes allow, the last ones not."""
    after = "row_number() OVER (PARTITION BY {} ORDER BY c.responder_id DESC, c.key DESC) - 1"
    places = f", {after.format('m.id')} AS after_of_mailbox, {after.format('m.domain_id')} AS after_of_domain"
    return Statement(f"""{_wanted(many=True, believes=believes, more=places)}, counted AS (
    {_COUNT}, count(*) FROM wanted w, LATERAL (VALUES (w.of_mailbox), (w.of_domain)) v (key) GROUP BY 1 ORDER BY 1
    {_AS_MORE})
{_TAKEN}
WHERE (w.mailbox_limit = 0 OR mc.replies - w.after_of_mailbox <= w.mailbox_limit)
    AND (w.domain_limit = 0 OR dc.replies - w.after_of_domain <= w.domain_limit)
ORDER BY 1, 2, 3, 4
{_OR_PASSED}""")


_CLAIM = {(False, believes): _claim_alone(believes=believes) for believes in (False, True)} | {
    (True, believes): _claims(believes=believes) for believes in (False, True)
}

# A new drawing after an hour without one: then somebody is to be told again.
DRAW = """
INSERT INTO responders_drawnbrake AS b (key, mailbox_id, is_of_domain, replies_per_hour, drawn_at, last_at)
SELECT CASE WHEN %(is_of_domain)s THEN 'd' || domain_id ELSE 'm' || id END, id, %(is_of_domain)s, %(per_hour)s,
    panel_now(), panel_now()
FROM mailboxes_mailbox WHERE id = %(mailbox)s
ON CONFLICT (key) DO UPDATE SET
    last_at = excluded.last_at, mailbox_id = excluded.mailbox_id, replies_per_hour = excluded.replies_per_hour,
    drawn_at = CASE WHEN b.last_at < panel_now() - interval '1 hour' THEN excluded.drawn_at ELSE b.drawn_at END,
    told_at = CASE WHEN b.last_at < panel_now() - interval '1 hour' THEN NULL ELSE b.told_at END
"""

_OF_THIS_COPY = """p.responder_id = %(responder_id)s AND p.reverse_path_key = %(key)s AND p.activation = %(activation)s
    AND p.text_revision = %(text_revision)s AND p.queue_id = %(queue_id)s AND p.state = 'claimed'"""
# No reply went out, so it does not count for the brakes. First, as claims do: so that they never wait in a circle.
_UNCOUNTED = f"""
WITH less AS (
    UPDATE responders_replycount t SET replies = greatest(t.replies - 1, 0)
    FROM responders_previousresponse p
    JOIN responders_responder r ON r.id = p.responder_id
    JOIN mailboxes_mailbox m ON m.id = r.mailbox_id
    WHERE {_OF_THIS_COPY} AND t.key IN ('m' || m.id, 'd' || m.domain_id)
        AND t.bucket = date_bin('10 minutes', p.claimed_at, 'epoch')
    RETURNING t.key
)
"""  # noqa: S608 (put together from constants)
_AFTER = f"WHERE {_OF_THIS_COPY} AND (SELECT count(*) FROM less) >= 0"  # noqa: S608 (constants)
RELEASE = f"{_UNCOUNTED} UPDATE responders_previousresponse p SET lease_until = panel_now() {_AFTER}"  # noqa: S608 (ditto)
FORGET = f"{_UNCOUNTED} DELETE FROM responders_previousresponse p {_AFTER}"  # noqa: S608 (put together from constants)


class Claim(NamedTuple):
    """The right to answer a sender once with a text; `queue_id` names the copy that holds it."""

    responder_id: int
    reverse_path_key: str
    activation: int
    text_revision: int
    queue_id: str

    @property
    def key(self) -> tuple[int, str, int, int]:
        return self.responder_id, self.reverse_path_key, self.activation, self.text_revision


class Belief(NamedTuple):
    """What a reply takes for granted if it was decided by what was known before its sender wrote.

    The rows of mailbox, domain and responders are those of `version`, `at` is the moment (UTC) within a second, and of
    the sender (an address in normal form, or empty) there is nothing: no reply, no refusal, no domain of ours.
    """

    version: str
    at: datetime
    sender: str


_NO_BELIEF = (None, None, None)


def first_of_each(claims: Sequence[Claim]) -> dict[Row, int]:
    """Key → place of the claim that tries: ON CONFLICT cannot touch a row twice."""
    first: dict[Row, int] = {}
    for place, claim in enumerate(claims):
        first.setdefault(clean_key(claim), place)
    return first


def question(
    claims: Sequence[Claim], beliefs: Sequence[Belief | None], first: Mapping[Row, int], policy: Policy
) -> tuple[Statement, Mapping[str, Any]]:
    """One statement for all that try, and its values. Its answer is the keys of those that may reply."""
    tried = sorted(first.items())
    rows = [(*key, clean(claims[place].queue_id), *(beliefs[place] or _NO_BELIEF)) for key, place in tried]
    return _CLAIM[len(rows) > 1, any(beliefs[place] for _key, place in tried)], {
        **columns_of(_COLUMNS | _BELIEF_COLUMNS, rows),
        "lease": LEASE_SECONDS,
        "mailbox_limit": policy.mailbox_replies_per_hour,
        "domain_limit": policy.domain_replies_per_hour,
    }


def clean_key(claim: Claim) -> tuple[int, str, int, int]:
    """What names its row in the database."""
    return claim.responder_id, clean(claim.reverse_path_key)[:320], claim.activation, claim.text_revision


def of_claim(claim: Claim) -> dict[str, Any]:
    """Values for RELEASE and FORGET."""
    names = ("responder_id", "key", "activation", "text_revision")
    return dict(zip(names, clean_key(claim), strict=True)) | {"queue_id": clean(claim.queue_id)}
