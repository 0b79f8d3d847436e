"""Stories of after-sale, each way to each ending."""

from typing import Any
from uuid import uuid4

from domain.after_sale.case import CaseStatus
from tests.replay.bad_days import OUTSIDE
from tests.replay.stage import Stage, story
from tests.support.after_sale import REFUND, Counter
from tests.support.shop import Person
from tests.support.trade import cart, merchant, promote


def short(*names: str) -> dict[str, int]:
    return {f"after_sale_{name}_window_s": 1 for name in names}


async def shipped(on: Stage, pieces: int = 1, **terms: Any) -> tuple[Counter, str, str]:
    """The counter, an order of one SKU at 1,000 a piece with a gift for two of it, and its sub-order."""
    owner = merchant()
    sku, present = await on.shop.sku(merchant=owner), await on.shop.sku(merchant=owner, price_fen=500)
    await promote(on.shop, kind="GIFT", skus=[sku], threshold_pieces=2, gift_sku=present)
    placement = await on.shop.ask(cart(on.shop, Person(), 1_000 * pieces, (sku, pieces)), **terms)
    on.about.append(placement.order_no)
    await on.shop.pay(placement.order_no)
    (number,) = await on.shop.split(placement.order_no)
    assert (await on.shop.ship(number)).refused is None
    return Counter(on.shop), placement.order_no, number


async def received(on: Stage, pieces: int = 1, **terms: Any) -> tuple[Counter, str]:
    at, order_no, number = await shipped(on, pieces, **terms)
    assert (await on.shop.confirm(number)).refused is None
    await on.shop.ended(order_no)
    return at, number


@story()
async def after_sale_returned_and_refunded(on: Stage) -> None:
    at, number = await received(on, 2)
    case_no = await at.sent_back(number, {1: 2})
    assert (await at.inspect(case_no, {1: 9})).refused is not None
    gifts = (await at.show(case_no)).gifts
    await at.inspect(case_no, {1: 2}, {1: 1}, gifts)
    await at.ended(case_no, CaseStatus.REFUNDED)


@story()
async def after_sale_refunded_without_a_return(on: Stage) -> None:
    at, number = await received(on)
    case_no = await at.opened(number, {1: 1}, REFUND)
    await at.agree(case_no)
    await at.ended(case_no, CaseStatus.REFUNDED)


@story()
async def after_sale_refused_and_overruled(on: Stage) -> None:
    at, number = await received(on)
    case_no = await at.sent_back(number, {1: 1})
    await at.refuse(case_no)
    await at.overrule(case_no)
    await at.ended(case_no, CaseStatus.REFUNDED)


@story()
async def after_sale_refused_and_upheld(on: Stage) -> None:
    at, number = await received(on)
    case_no = await at.opened(number, {1: 1})
    await at.refuse(case_no)
    await at.uphold(case_no)
    await at.ended(case_no, CaseStatus.REFUSED)


@story()
async def after_sale_withdrawn(on: Stage) -> None:
    at, number = await received(on)
    case_no = await at.opened(number, {1: 1})
    assert (await at.send_back(case_no)).refused is not None
    await at.run(case_no).cancel()
    await at.withdraw(case_no)
    await at.ended(case_no, CaseStatus.WITHDRAWN)


@story()
async def after_sale_agreed_by_the_clock_and_not_sent_back(on: Stage) -> None:
    at, number = await received(on, **short("answer", "return"))
    case_no = await at.opened(number, {1: 1})
    await at.ended(case_no, CaseStatus.EXPIRED)


@story()
async def after_sale_accepted_by_the_clock(on: Stage) -> None:
    at, number = await received(on, **short("inspection"))
    case_no = await at.sent_back(number, {1: 1})
    await at.ended(case_no, CaseStatus.REFUNDED)


@story()
async def after_sale_decided_by_the_clock(on: Stage) -> None:
    at, number = await received(on, **short("overrule"))
    case_no = await at.opened(number, {1: 1}, REFUND)
    await at.refuse(case_no)
    await at.ended(case_no, CaseStatus.REFUSED)


@story()
async def after_sale_of_a_piece_that_another_case_has(on: Stage) -> None:
    """Both asked before either was opened: the second is refused by its run."""
    at, number = await received(on)
    keys = [uuid4().hex, uuid4().hex]
    for key in keys:
        await at.mint(number, {1: 1}, key)
    answers = [await at.ask(number, {1: 1}, key=key) for key in keys]
    assert [answer.refused is None for answer in answers] == [True, False]
    case = answers[0].facts
    assert case is not None
    await at.withdraw(case.case_no)
    await at.ended(case.case_no, CaseStatus.WITHDRAWN)


@story()
async def after_sale_terminated_starts_again(on: Stage) -> None:
    at, number = await received(on)
    case_no = await at.opened(number, {1: 1})
    await at.agree(case_no)
    await at.run(case_no).terminate("by mistake")
    await at.send_back(case_no)
    await at.inspect(case_no, {1: 1})
    await at.ended(case_no, CaseStatus.REFUNDED)


@story(OUTSIDE)
async def after_sale_refund_fails_and_heals(on: Stage) -> None:
    at, order_no, number = await shipped(on)
    case_no = await at.opened(number, {1: 1}, REFUND)
    await at.agree(case_no)
    await on.needs_person(order_no, "refund")
    await on.shop.confirm(number)
    await on.better()
    await at.ended(case_no, CaseStatus.REFUNDED, 50)
    await on.shop.ended(order_no)


@story(open=True)
async def open_after_sale_requested(on: Stage) -> None:
    at, _, number = await shipped(on)
    await at.opened(number, {1: 1})


@story(open=True)
async def open_after_sale_disputed(on: Stage) -> None:
    at, order_no, number = await shipped(on)
    await at.refuse(await at.opened(number, {1: 1}))
    await on.needs_person(order_no, "dispute")


@story(open=True)
async def open_after_sale_returning(on: Stage) -> None:
    at, _, number = await shipped(on)
    await at.sent_back(number, {1: 1})
