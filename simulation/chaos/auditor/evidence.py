"""Evidence: the chains of the log of who did what when, with each hash computed anew.

A link's hash is SHA-256 over its fields, each as its length in bytes, a colon, the field itself and a comma (a missing
body is "-:,"). The fields are the previous hash, chain, place in the chain, order, subject, actor, action, detail, time
in µs, and body.
"""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from simulation.chaos.auditor.violation import Check, Violation

PROMISE = "evidence"
CHAINS = 64
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

LINKS = """SELECT chain, seq, prev_sha256, sha256, order_no, subject, actor, action, detail, at, body
  FROM order_events ORDER BY chain, seq"""
TIPS = "SELECT chain, seq, sha256 FROM evidence_tips"

PLACED: tuple[Check, ...] = (
    (
        "the log does not say what was sold, at what price and under which rules",
        """SELECT order_no, body FROM orders o JOIN order_events e USING (order_no) WHERE action = 'PLACE'
             AND ((body::jsonb ->> 'amount_due_fen')::bigint, body::jsonb -> 'rules', body::jsonb -> 'coupons')
             IS DISTINCT FROM (o.amount_due_fen, o.rules, o.coupons)""",
    ),
    (
        "a line is not what the log says was placed",
        """SELECT l.order_no, l.line_no, placed FROM order_lines l
           LEFT JOIN order_events e ON e.order_no = l.order_no AND e.action = 'PLACE'
           LEFT JOIN LATERAL jsonb_array_elements(e.body::jsonb -> 'lines') AS placed
             ON (placed ->> 'line_no')::int = l.line_no
           WHERE (placed ->> 'sku', placed ->> 'digest', (placed ->> 'quantity')::int, (placed ->> 'pay_fen')::bigint)
             IS DISTINCT FROM (l.sku, l.digest, l.quantity, l.pay_fen)""",
    ),
)


def broken_chains(links: list[Any], tips: list[Any]) -> list[Violation]:
    """The first wrong link of each chain, and the chains that do not end where their tips say."""
    found: dict[int, Violation] = {}
    reached: dict[int, tuple[int, str]] = {}
    for link in links:
        chain = link["chain"]
        if chain in found:
            continue
        wrong = _wrong(link, reached.get(chain, (0, "")))
        if wrong:
            found[chain] = Violation(
                PROMISE, "the log's chain is broken", f"chain {chain}, link {link['seq']}: {wrong}"
            )
        reached[chain] = (link["seq"], link["sha256"])
    ends = {tip["chain"]: (tip["seq"], tip["sha256"]) for tip in tips}
    for chain in {*reached, *ends} - set(found):
        if reached.get(chain) != ends.get(chain):
            evidence = f"chain {chain}: {reached.get(chain)}, the tip says {ends.get(chain)}"
            found[chain] = Violation(PROMISE, "the log's chain does not end where its tip says", evidence)
    return list(found.values())


def _wrong(link: Any, before: tuple[int, str]) -> str:
    seq, sha256 = before
    if link["chain"] != link["order_no"] % 1_000_000 % CHAINS:
        return f"order {link['order_no']} is in the wrong chain"
    if link["seq"] != seq + 1:
        return f"follows link {seq}"
    if link["prev_sha256"] != sha256:
        return "does not follow the hash before it"
    return "" if _sha256(link) == link["sha256"] else "its hash is of something else"


def _sha256(link: Any) -> str:
    microseconds = (link["at"] - _EPOCH) // timedelta(microseconds=1)
    names = ("prev_sha256", "chain", "seq", "order_no", "subject", "actor", "action", "detail")
    parts = [*(str(link[name]) for name in names), str(microseconds), link["body"]]
    text = "".join("-:," if part is None else f"{len(part.encode())}:{part}," for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()
