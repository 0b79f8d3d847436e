"""Who gets what of a batch, and which lines are short."""

from domain.order.grant import GRANTED, BatchStock, Limit
from domain.order.reservation import OverLimit, ReserveStock, Shortage, StockLine, shortages
from domain.order.stock import MAIN_CHANNEL, StockPolicy

HOT = ("HOT", MAIN_CHANNEL)


def ask(number: int, *pieces: int, sku: str = "HOT", buyer_id: int = 0, promised: bool = False) -> ReserveStock:
    policy = StockPolicy.DEDUCT_ON_PAYMENT if promised else StockPolicy.RESERVE_ON_PLACEMENT
    lines = [StockLine(line_no=n, sku=sku, quantity=each, policy=policy) for n, each in enumerate(pieces, start=1)]
    return ReserveStock(order_no=str(number), buyer_id=buyer_id, lines=lines)


def test_who_comes_first_gets_what_there_is() -> None:
    """And a later one that wants less may still get it."""
    sellable = BatchStock({HOT: 3})
    assert sellable.ask(ask(1, 2)) == GRANTED
    assert sellable.ask(ask(2, 2)).short == [Shortage(line_no=1, sku="HOT", wanted=2, available=1)]
    assert sellable.ask(ask(3, 1)) == GRANTED
    assert sellable.available == {HOT: 0}


def test_an_order_gets_all_of_its_lines_or_none() -> None:
    """Two lines of one SKU count together."""
    sellable = BatchStock({HOT: 3})
    refused = sellable.ask(ask(1, 2, 2))
    assert [(short.line_no, short.wanted) for short in refused.short] == [(1, 4), (2, 4)]
    assert sellable.available == {HOT: 3}


def test_a_promised_line_takes_nothing_but_must_be_of_something_that_was_received() -> None:
    """Its payment takes it."""
    sellable = BatchStock({HOT: 0})
    assert sellable.ask(ask(1, 5, promised=True)) == GRANTED
    assert sellable.available == {HOT: 0}
    unknown = sellable.ask(ask(2, 1, sku="NEVER", promised=True))
    assert unknown.short == [Shortage(line_no=1, sku="NEVER", wanted=1, available=0)]


def test_a_purchase_limit_counts_what_was_bought_before_and_in_this_batch() -> None:
    """For each buyer by itself; nobody in particular has no limit."""
    sellable = BatchStock({HOT: 10}, {"HOT": Limit(pieces=2, window_s=60)}, bought={("2", "HOT"): 1})
    assert sellable.ask(ask(1, 1, buyer_id=7)) == GRANTED
    over = OverLimit(line_no=1, sku="HOT", wanted=1, bought=2, limit=2, window_s=60)
    assert sellable.ask(ask(2, 1, buyer_id=7)).over_limit == [over]
    assert sellable.ask(ask(3, 2, buyer_id=8)) == GRANTED
    assert sellable.ask(ask(4, 5)) == GRANTED
    assert sellable.available == {HOT: 2}


def test_lines_are_short_by_what_all_of_their_sku_want() -> None:
    """A SKU that nobody counts is not short."""
    lines = [*ask(1, 2, 2).lines, *ask(1, 9, sku="FREE").lines]
    assert shortages(lines, {"HOT": 4}) == []
    assert [(short.line_no, short.wanted, short.available) for short in shortages(lines, {"HOT": 3})] == [
        (1, 4, 3),
        (2, 4, 3),
    ]
