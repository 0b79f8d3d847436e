"""What the order books and the coupons must promise, asked of PostgreSQL's and of those in memory that quick stories
run on."""

from dataclasses import dataclass
from datetime import timedelta

import pytest
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.coupons import CouponLedger, CouponsGivenBack, CouponsOf, CouponsRedeemed, TakeCoupons
from activities.orders import AcceptPayment, CloseLines, CloseOrder, OrderBook, OrderClosing, OrderOf, RecordRefusal
from activities.sub_orders import ClosePieces, SubOrderBook, SubOrderOf
from domain.order.lines import OrderLine, Placement, Refusal, RefusalCode
from domain.order.pieces import Pieces
from domain.order.precedence import CaptureOutcome
from domain.order.reservation import CouponsTaken
from domain.order.status import Actor, CloseReason, Status
from domain.pricing.market import Coupon
from store.accounts.coupons import PostgresCoupons
from store.tables import coupons as coupons_table
from tests.support.books import BUYER, NOW, Ledgers, closing_of, line, order_number
from tests.support.memory.coupons import MemoryCoupons
from tests.support.memory.order_book import MemoryOrderBook
from tests.support.memory.records import Records
from tests.support.memory.sub_order_book import MemorySubOrderBook

BOTH = ("in PostgreSQL", "in memory")
GOODS = (line(1, "m1", quantity=3, fen=550, off_fen=275), line(2, "m1", fen=700), line(3, "m2", quantity=2, fen=333))
SHIPPING_FEN = 101
DUE_FEN = sum(one.pay_fen for one in GOODS) + SHIPPING_FEN
REFUSAL = Refusal(code=RefusalCode.OUT_OF_STOCK, detail="gone")


@dataclass
class Books:
    book: OrderBook
    sub_book: SubOrderBook
    asks: Ledgers  # only for the requests that it makes

    async def placed(self, order_no: str, *goods: OrderLine) -> Placement:
        return await self.book.record_order(self.asks.record(order_no, goods or GOODS, shipping_fen=SHIPPING_FEN))

    async def pay(self, order_no: str, capture_id: str | None = None) -> CaptureOutcome:
        capture = self.asks.capture(order_no, DUE_FEN, capture_id)
        return (await self.book.accept_payment(AcceptPayment(order_no=order_no, capture=capture))).outcome

    async def split(self, order_no: str) -> list[str]:
        await self.placed(order_no)
        assert await self.pay(order_no) is CaptureOutcome.ACCEPTED
        done = await self.book.record_split(self.asks.split_request(order_no, *GOODS, shipping_fen=SHIPPING_FEN))
        return [plan.sub_order_no for plan in done.sub_orders]

    async def close(self, order_no: str, reason: CloseReason = CloseReason.CANCELLED_BY_BUYER) -> OrderClosing:
        return await self.book.close_order(CloseOrder(order_no=order_no, reason=reason, at=NOW))


def books_of(kind: str, engine: AsyncEngine) -> Books:
    asks = Ledgers(engine)
    if kind == "in PostgreSQL":
        return Books(asks.book, asks.sub_book, asks)
    records = Records()
    return Books(MemoryOrderBook(records), MemorySubOrderBook(records), asks)


@pytest.fixture(params=BOTH)
def books(request: pytest.FixtureRequest, engine: AsyncEngine) -> Books:
    return books_of(request.param, engine)


@pytest.fixture
def each(engine: AsyncEngine) -> list[Books]:
    return [books_of(kind, engine) for kind in BOTH]


async def test_an_order_is_placed_once_under_its_key(books: Books) -> None:
    order_no = order_number()
    first = await books.placed(order_no)
    assert (first.amount_due_fen, await books.placed(order_no, line())) == (DUE_FEN, first)
    refusal = RecordRefusal(placement=Placement(order_no=order_no, refusal=REFUSAL), to_operators="", at=NOW)
    assert await books.book.record_refusal(refusal) == first
    assert (await books.book.order_facts(OrderOf(order_no=order_no))).placement == first


async def test_a_refusal_is_kept_and_no_order_is_written_under_its_key(books: Books) -> None:
    refused = Placement(order_no=order_number(), refusal=REFUSAL)
    for _ in range(2):
        assert await books.book.record_refusal(RecordRefusal(placement=refused, to_operators="", at=NOW)) == refused
    assert await books.placed(refused.order_no) == refused
    facts = await books.book.order_facts(OrderOf(order_no=refused.order_no))
    assert (facts.placement, facts.merchants) == (refused, [])


async def test_an_order_accepts_one_capture_and_none_once_it_is_closed(books: Books) -> None:
    order_no, closed = order_number(), order_number()
    for number in (order_no, closed):
        await books.placed(number)
    await books.close(closed)
    outcomes = [await books.pay(order_no), await books.pay(order_no), await books.pay(order_no, "another")]
    assert outcomes == [CaptureOutcome.ACCEPTED, CaptureOutcome.DUPLICATE, CaptureOutcome.PAID_TWICE]
    assert await books.pay(closed) is CaptureOutcome.TOO_LATE
    assert await books.close(order_no, CloseReason.UNPAID) == OrderClosing(paid_after_all=True)


async def test_an_order_that_is_split_is_not_closed_whole(books: Books) -> None:
    order_no = order_number()
    await books.split(order_no)
    assert await books.close(order_no) == OrderClosing(split=True)
    assert (await books.book.order_facts(OrderOf(order_no=order_no))).close_reason is None


async def test_both_books_owe_the_same_for_lines_and_for_the_rest_before_the_split(each: list[Books]) -> None:
    order_no, seen = order_number(), []
    for books in each:
        await books.placed(order_no)
        await books.pay(order_no)
        gone = CloseLines(order_no=order_no, lines=[1], at=NOW)
        seen.append([await books.book.close_lines(gone), await books.book.close_lines(gone)])
        seen[-1] += (await books.close(order_no)).owed
    assert seen[0] == seen[1]
    assert [owed.refund_no for owed in seen[0]] == [
        f"{order_no}R01",
        f"{order_no}R01",
        f"{order_no}R01",
        f"{order_no}R02",
    ]


async def test_both_books_owe_the_same_for_pieces_and_for_a_sub_order_and_once(each: list[Books]) -> None:
    order_no, seen = order_number(), []
    for books in each:
        first, _ = await books.split(order_no)
        pieces = ClosePieces(
            key="k",
            sub_order_no=first,
            lines=[Pieces(line_no=1, quantity=2)],
            actor=Actor.BUYER,
            reason=CloseReason.CANCELLED_BY_BUYER,
            note="",
            at=NOW,
        )
        answers = [await books.sub_book.close_pieces(pieces) for _ in range(2)]
        more = await books.sub_book.close_pieces(pieces.model_copy(update={"key": "more"}))
        closings = [await books.sub_book.close_sub_orders(closing_of(order_no, first)) for _ in range(2)]
        facts = await books.sub_book.sub_order_facts(SubOrderOf(sub_order_no=first))
        of_order = await books.book.order_facts(OrderOf(order_no=order_no))
        seen.append((answers, more, closings, facts, of_order))
    assert seen[0] == seen[1]
    (answers, more, closings, facts, _) = seen[0]
    assert (answers[0], closings[0]) == (answers[1], closings[1])
    assert more.refused is not None
    assert (answers[0].amount_fen, facts.status, facts.revision) == (916, Status.CLOSED, 2)


# --- coupons


@dataclass
class Issued:
    ledger: CouponLedger

    async def take(self, order_no: str, *coupons: str) -> CouponsTaken:
        return await self.ledger.take(TakeCoupons(order_no=order_no, buyer_id=BUYER, coupons=list(coupons), at=NOW))


@pytest.fixture(params=BOTH)
async def issued(request: pytest.FixtureRequest, engine: AsyncEngine) -> Issued:
    given = [
        Coupon(coupon_id="ours", promotion_id="p", buyer_id=BUYER),
        Coupon(coupon_id="short", promotion_id="p", buyer_id=BUYER, expires_at=NOW + timedelta(hours=1)),
        Coupon(coupon_id="theirs", promotion_id="p", buyer_id=BUYER + 1),
    ]
    if request.param == "in memory":
        return Issued(MemoryCoupons({coupon.coupon_id: coupon for coupon in given}))
    async with engine.begin() as db:
        await db.execute(insert(coupons_table), [{**coupon.model_dump(), "state": "AVAILABLE"} for coupon in given])
    return Issued(PostgresCoupons(engine))


async def test_all_coupons_are_taken_or_none(issued: Issued) -> None:
    refused = await issued.take(order_number(), "ours", "theirs", "unknown")
    assert [gone.coupon_id for gone in refused.gone] == ["theirs", "unknown"]
    order_no = order_number()
    for _ in range(2):
        assert (await issued.take(order_no, "ours", "short")).gone == []
    assert [gone.coupon_id for gone in (await issued.take(order_number(), "ours")).gone] == ["ours"]
    for _ in range(2):
        assert await issued.ledger.redeem(CouponsOf(order_no=order_no, at=NOW)) == CouponsRedeemed(coupons=2)


async def test_coupons_come_back_once_and_a_late_take_takes_none(issued: Issued) -> None:
    order_no = order_number()
    await issued.take(order_no, "ours", "short")
    back = CouponsOf(order_no=order_no, at=NOW + timedelta(hours=1))
    for _ in range(2):
        assert await issued.ledger.give_back(back) == CouponsGivenBack(usable=1, expired=1)
    assert (await issued.take(order_no, "ours")).released_before
    assert (await issued.take(order_number(), "ours")).gone == []
