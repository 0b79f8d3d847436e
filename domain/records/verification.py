"""Compares what is stored of an order with what was written when it was placed. Others do the reading."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from domain.order.lines import OrderLine
from domain.order.snapshot import TradeSnapshot, canonical, digest
from domain.records.evidence import GENESIS, ChainEvidence, HistoryEvidence, LineEvidence, Link, link_sha256


@dataclass(frozen=True, slots=True)
class Kept:
    """One version of a product as the catalog keeps it: the whole document and the text of its snapshot."""

    product: Mapping[str, Any]
    snapshot: str


@dataclass(frozen=True, slots=True)
class Stored:
    """What the tables say of an order today. `copies` holds the lines' own snapshots, exactly as stored, by line
    number."""

    totals: Mapping[str, Any]
    lines: list[OrderLine]
    facts: Mapping[int, Mapping[str, Any]]  # `as_placed` of each line
    copies: Mapping[int, dict[str, Any]] = field(default_factory=dict)
    versions: Mapping[tuple[str, int], Kept] = field(default_factory=dict)


def read_body(text: str) -> Mapping[str, Any] | None:
    """The body that `domain.records.evidence.placed` wrote; None when it was tampered with and can't be read."""
    body = _object(text)
    lines = body.get("lines") if body else None
    readable = isinstance(lines, list) and all(isinstance(line, dict) and "line_no" in line for line in lines)
    return body if readable else None


def order_problems(stored: Stored | None, body: Mapping[str, Any] | None) -> list[str]:
    """What is wrong with the order as a whole."""
    if stored is None:
        return ["the order's row is gone"]
    if body is None:
        return ["the log does not say what was placed: the order is older than the log's evidence, or it was taken out"]
    known = {line.line_no for line in stored.lines}
    lost = [line["line_no"] for line in body["lines"] if line["line_no"] not in known]
    gone = [f"line {line_no} is gone" for line_no in lost]
    return [*_differences("the order", stored.totals, body), *gone]


def line_evidence(line: OrderLine, stored: Stored, body: Mapping[str, Any] | None) -> LineEvidence:
    """What the buyer saw of a line, and what is wrong with the evidence of it."""
    copy = stored.copies.get(line.line_no)
    saw, problems = _own_copy(line, copy) if copy is not None else _version(line, stored)
    if body is not None:
        then = next((one for one in body["lines"] if one["line_no"] == line.line_no), None)
        problems += _since_placed(line, stored, then)
    said = {name: getattr(line, name) for name in ("line_no", "sku", "version", "digest", "quantity", "pay_fen")}
    return LineEvidence(**said, saw=saw, problems=problems)


def history_evidence(lines: Iterable[OrderLine], history: Mapping[int, str] | None) -> HistoryEvidence:
    """What `history` says of these lines: it maps line numbers to the digests in the workflow's history, and is None
    when nobody looked, empty when the history is gone."""
    if history is None:
        return HistoryEvidence.NOT_ASKED
    if not history:
        return HistoryEvidence.GONE
    same = {line.line_no: line.digest for line in lines} == dict(history)
    return HistoryEvidence.MATCHES if same else HistoryEvidence.DIFFERS


class ChainCheck:
    """Walks a chain link by link, and stops at the first link that is not as it was written."""

    def __init__(self, chain: int) -> None:
        self._chain = chain
        self._seq = 0
        self._sha256 = GENESIS
        self._broken: tuple[int, str] | None = None

    @property
    def is_broken(self) -> bool:
        return self._broken is not None

    def follow(self, link: Link) -> None:
        wrong = self._wrong(link)
        if wrong:
            self._broken = (self._seq + 1, wrong)
        else:
            self._seq, self._sha256 = link.seq, link.sha256

    def end(self, tip: tuple[int, str]) -> ChainEvidence:
        """The verdict on the chain; `tip` is the sequence number and the hash of the link that must be the last."""
        links, sha256 = tip
        if self._broken is None and self._seq < links:
            self._broken = (self._seq + 1, f"{_links(self._seq + 1, links)} at the end of the chain")
        elif self._broken is None and tip != (self._seq, self._sha256):
            self._broken = (self._seq, f"the chain ends with link {self._seq}, and its tip says something else")
        broken_at, problem = self._broken or (None, "")
        return ChainEvidence(chain=self._chain, links=links, tip_sha256=sha256, broken_at=broken_at, problem=problem)

    def _wrong(self, link: Link) -> str:
        name = f"link {link.seq} ({link.action} of order {link.order_no}, by {link.actor})"
        if link.seq != self._seq + 1:
            return _links(self._seq + 1, link.seq - 1)
        if link_sha256(link) != link.sha256:
            return f"{name} is not as it was written"
        if link.prev_sha256 != self._sha256:
            return f"{name} does not follow the link before it: that one was written anew"
        return ""


def _links(first: int, last: int) -> str:
    return f"link {first} is missing" if first == last else f"links {first} to {last} are missing"


def _own_copy(line: OrderLine, copy: dict[str, Any]) -> tuple[TradeSnapshot | None, list[str]]:
    if digest(copy) != line.digest:
        return None, ["its own copy of the product is not what the buyer saw"]
    return _shown(canonical(copy)), []


def _version(line: OrderLine, stored: Stored) -> tuple[TradeSnapshot | None, list[str]]:
    kept = stored.versions.get((line.sku, line.version))
    if kept is None:
        return None, [f"version {line.version} of {line.sku} is not in the catalog"]
    if not line.digest:
        return None, ["it has no digest: it was placed before digests were kept"]
    page = _object(kept.snapshot)
    if page is None or digest(page) != line.digest or kept.snapshot != canonical(page):
        return None, [f"version {line.version} of {line.sku} in the catalog is not what the buyer saw"]
    if any(kept.product.get(name) != value for name, value in page.items()):
        return _shown(kept.snapshot), [f"version {line.version} of {line.sku} in the catalog differs from its snapshot"]
    return _shown(kept.snapshot), []


def _object(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _shown(snapshot: str) -> TradeSnapshot:
    return TradeSnapshot.model_validate_json(snapshot)


def _since_placed(line: OrderLine, stored: Stored, then: Mapping[str, Any] | None) -> list[str]:
    if then is None:
        return ["the log does not say that it was placed: it was added later"]
    now = dict(stored.facts[line.line_no])
    if line.line_no in stored.copies:
        now["snapshot"] = stored.copies[line.line_no]
    return _differences("the line", now, then)


def _differences(what: str, now: Mapping[str, Any], then: Mapping[str, Any]) -> list[str]:
    """The fields that both name with different values. A field that only a later program adds is no difference."""
    both = [name for name in now if name in then and now[name] != then[name]]
    only_then = [name for name in then if name == "snapshot" and name not in now]
    told = [f"{what} says {name} {_short(now[name])}, and {_short(then[name])} was placed" for name in both]
    return told + [f"{what} has no {name} any more" for name in only_then]


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "…"
