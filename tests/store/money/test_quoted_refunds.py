"""What a quote document says of refunds is what the ledger pays back for the same order, to the fen."""

import json
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from activities.orders import CloseLines, CloseOrder
from activities.orders import RecordSplit as Split
from domain.order.lines import OrderLine
from domain.order.product import DeliveryMode
from domain.order.status import CloseReason
from domain.quote.answer import price_document, quote, read_quote_document, split_document
from domain.quote.refunds import pieces_of
from domain.splitting.model import PlannedSubOrder
from domain.splitting.plan import plan
from tests.support.books import NOW, Ledgers, line
from tests.support.quote_documents import documents_with_refunds
from tests.support.quotes import Doc
from tests.support.refunds import Refunds, gift

HOW = ["cancel", "decide", "close"]
FOUND_IS_ENOUGH = (Phase.explicit, Phase.reuse, Phase.generate)  # to shrink an order takes a database minutes


@pytest.fixture
def refunds(ledgers: Ledgers) -> Refunds:
    return Refunds(ledgers)


def with_the_rest(doc: Doc) -> Doc:
    """The document, whose last refund is of all that the others leave."""
    left = {line["line_no"]: line["quantity"] for line in doc["lines"]}
    for refund in doc["refunds"]:
        for pieces in refund:
            left[pieces["line_no"]] -= pieces["quantity"]
    rest = [{"line_no": line_no, "quantity": count} for line_no, count in left.items() if count]
    return {**doc, "refunds": [*doc["refunds"], *([rest] if rest else [])]}


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck), phases=FOUND_IS_ENOUGH)
@given(
    doc=documents_with_refunds().map(with_the_rest),
    ways=st.lists(st.sampled_from(HOW), min_size=1, max_size=8),
    in_one=st.booleans(),
)
async def test_an_order_pays_back_what_its_document_quotes(
    ledgers: Ledgers, refunds: Refunds, doc: Doc, ways: list[str], in_one: bool
) -> None:
    """For any promotions, gifts, freight and split: pieces cancelled or decided, sub-orders closed, each with its own
    quote first; and the rest in one cancel of the order, or as before. All together bring what was paid."""
    document = read_quote_document(json.dumps(doc))
    priced = price_document(document)
    parts = split_document(document, priced)
    sold = {part.line.line_no: part.line for part in pieces_of(document, priced, parts).parts}
    order_no, subs = await split_as_planned(
        ledgers, [sold[line_no] for line_no in sorted(sold)], parts, document.shipping_fen
    )
    order = OrderRefunded(ledgers, refunds, order_no, subs, parts)
    for n, (asked, quoted) in enumerate(zip(document.refunds, quote(document).refunds, strict=True)):
        paid_before = await order.paid_back()
        if in_one and n == len(document.refunds) - 1:
            assert (await ledgers.close(order_no)).refused is None
        else:
            for part in asked:
                await order.refund(part.line_no, part.quantity, ways[n % len(ways)])
        assert await order.paid_back() - paid_before == quoted.amount_fen
    assert await order.paid_back() == priced.pay_fen + document.shipping_fen
    assert await ledgers.one("SELECT status FROM orders WHERE order_no = :no", no=int(order_no)) == "CLOSED"
    await refunds.add_up()


async def split_as_planned(
    ledgers: Ledgers, sold: Sequence[OrderLine], parts: Sequence[PlannedSubOrder], shipping_fen: int
) -> tuple[str, list[str]]:
    order_no = await ledgers.paid(*sold, shipping_fen=shipping_fen)
    plans = plan(order_no, sold, parts, shipping_fen)
    done = await ledgers.book.record_split(Split(order_no=order_no, plan=plans, at=NOW))
    return order_no, [one.sub_order_no for one in done.sub_orders]


class OrderRefunded:
    """An order of which lines are refunded, from one sub-order after another. It counts what it has left by itself."""

    def __init__(
        self,
        ledgers: Ledgers,
        refunds: Refunds,
        order_no: str,
        sub_order_nos: Sequence[str],
        parts: Sequence[PlannedSubOrder],
    ) -> None:
        self._ledgers = ledgers
        self._refunds = refunds
        self._order_no = order_no
        self._left = [
            (sub_order_no, line.line.line_no)
            for line, sub_order_no in sorted(
                ((line, no) for no, part in zip(sub_order_nos, parts, strict=True) for line in part.lines),
                key=lambda one: one[0].first,
            )
            for _ in range(line.quantity)
        ]

    async def paid_back(self) -> int:
        of_order = "SELECT coalesce(sum(amount_fen), 0)::bigint FROM refunds WHERE order_no = :no"
        return int(await self._ledgers.one(of_order, no=int(self._order_no)))

    async def refund(self, line_no: int, pieces: int, how: str) -> None:
        next_ones = [one for one in self._left if one[1] == line_no][:pieces]
        for one in next_ones:
            self._left.remove(one)
        for sub_order_no in dict.fromkeys(sub for sub, _ in next_ones):
            await self._of_sub_order(sub_order_no, {line_no: next_ones.count((sub_order_no, line_no))}, how)

    async def _of_sub_order(self, sub_order_no: str, wanted: dict[int, int], how: str) -> None:
        quoted = (await self._refunds.quote(sub_order_no, wanted)).amount_fen
        before = await self.paid_back()
        if how == "close" and await self._all_that_is_left(sub_order_no) == wanted:
            assert (await self._ledgers.close(self._order_no, sub_order_no)).refused is None
        elif how == "decide":
            assert (await self._refunds.decide(sub_order_no, wanted)).amount_fen == quoted
        else:
            assert (await self._refunds.cancel(sub_order_no, wanted)).amount_fen == quoted
        assert await self.paid_back() - before == quoted

    async def _all_that_is_left(self, sub_order_no: str) -> dict[int, int]:
        rows = await self._ledgers.sql(
            "SELECT line_no, last_unit - first_unit + 1 - refunded FROM sub_order_lines JOIN sub_orders"
            " USING (order_no, idx) WHERE sub_order_no = :sub AND last_unit - first_unit + 1 > refunded",
            sub=sub_order_no,
        )
        return {row[0]: row[1] for row in rows}


async def test_before_the_split_what_covers_the_shipping_brings_it_back(ledgers: Ledgers, refunds: Refunds) -> None:
    """Virtual goods with a gift that would have been the order's only parcel: it goes with them, and so does the
    shipping; what is split then has none to share, and the order closed instead brings the rest."""
    sold = [
        *(line(line_no).model_copy(update={"delivery_mode": DeliveryMode.VIRTUAL}) for line_no in (1, 2)),
        gift(3, "m1", [1]),
    ]
    order_no = await ledgers.paid(*sold, shipping_fen=30)
    await ledgers.book.close_lines(CloseLines(order_no=order_no, lines=[1], at=NOW))
    assert await refunds.refunded() == 1_030
    to_split = await ledgers.book.lines_to_split(order_no)
    assert ([one.line_no for one in to_split.lines], to_split.shipping_fen) == ([2], 0)
    await ledgers.book.close_order(CloseOrder(order_no=order_no, reason=CloseReason.OUT_OF_STOCK, at=NOW))
    assert await refunds.refunded() == 2_030
    assert await ledgers.balances() == {"provider": 2_030, "refunds": -2_030}
    await refunds.add_up()
