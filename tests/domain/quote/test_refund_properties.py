"""What holds of the refunds of every order: by hand, unit by unit, and over any sequence of cancels and shipments."""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.after_sale.piece_refund import OrderPieces, PiecesRefund, before_split
from domain.apportion import unit_worth
from domain.pricing.priced import GivenGift
from domain.pricing.promotion import Funder
from domain.quote.answer import QuoteAnswer, price_document, quote, read_quote_document, split_document
from domain.quote.refunds import pieces_of
from tests.support.quote_documents import documents, documents_with_refunds
from tests.support.quotes import Doc

many = settings(deadline=None, max_examples=150)


@given(documents_with_refunds())
@many
def test_a_quotes_refunds_are_the_units_and_the_shipping_that_go_back(doc: Doc) -> None:
    document = read_quote_document(json.dumps(doc))
    answer = quote(document)
    gifts = price_document(document).gifts
    assert [refund.amount_fen for refund in answer.refunds] == list(by_hand(doc, answer, gifts))
    paid_back = 0
    for refund in answer.refunds:
        paid_back += refund.amount_fen
        assert refund.left_fen == answer.amount_due_fen - paid_back >= 0


@given(documents_with_refunds())
@many
def test_when_all_has_gone_back_nothing_stays_paid(doc: Doc) -> None:
    """Whatever promotions, gifts, freight and parcels there are."""
    rest: dict[int, int] = {line["line_no"]: line["quantity"] for line in doc["lines"]}
    for refund in doc["refunds"]:
        for line in refund:
            rest[line["line_no"]] -= line["quantity"]
    last = [{"line_no": line_no, "quantity": count} for line_no, count in rest.items() if count]
    answer = quote(read_quote_document(json.dumps({**doc, "refunds": [*doc["refunds"], last]})))
    assert answer.refunds[-1].left_fen == 0


def by_hand(doc: Doc, answer: QuoteAnswer, gifts: Sequence[GivenGift]) -> Iterator[int]:
    """Each refund, with every unit of the order in a list: its sub-order, its line, and what was paid for it."""
    paid = {line.line_no: (line.pay_fen, line.quantity) for line in answer.lines}
    numbered = dict.fromkeys(paid, 0)
    units: list[tuple[int, int, int]] = []
    for idx, sub_order in enumerate(answer.sub_orders):
        for line in sub_order.lines:
            for _ in range(line.quantity):
                if line.line_no not in paid:
                    units.append((idx, line.line_no, 0))
                    continue
                numbered[line.line_no] += 1
                units.append((idx, line.line_no, unit_worth(*paid[line.line_no], numbered[line.line_no])))
    for refund in doc["refunds"]:
        before, amount = {idx for idx, _, _ in units}, 0
        for line_no in (part["line_no"] for part in refund for _ in range(part["quantity"])):
            unit = next(unit for unit in units if unit[1] == line_no)
            units.remove(unit)
            amount += unit[2]
        there = {line_no for _, line_no, _ in units}
        gone = {gift.line_no for gift in gifts if not there & set(gift.given_for)}
        units = [unit for unit in units if unit[1] not in gone]
        emptied = before - {idx for idx, _, _ in units}
        yield amount + sum(answer.sub_orders[idx].shipping_fen for idx in emptied)


def order_of(doc: Doc) -> tuple[OrderPieces, QuoteAnswer]:
    document = read_quote_document(json.dumps(doc))
    priced = price_document(document)
    return pieces_of(document, priced, split_document(document, priced)), quote(document)


def some_of(pieces: OrderPieces, rng: random.Random) -> PiecesRefund:
    """A refund of some pieces of one sub-order, as parties ask for them."""
    left = pieces.left
    idx = rng.choice([idx for idx, _ in left])
    places = [place for place in left if place[0] == idx]
    wanted = {place: rng.randint(1, left[place]) for place in rng.sample(places, rng.randint(1, len(places)))}
    shipped = any(part.shipped for part in pieces.parts if part.idx == idx)
    gifts = {part.line.line_no for part in pieces.parts if part.line.gift and rng.random() < 0.5}
    return pieces.refund(wanted, gifts, gifts_may_follow=not shipped)


@given(documents(), st.randoms(use_true_random=False))
@many
def test_any_sequence_of_cancels_pays_back_what_was_paid(doc: Doc, rng: random.Random) -> None:
    """Before anything ships, by pieces of any sub-order in any order: the discounts' funding goes back in full, too."""
    pieces, answer = order_of(doc)
    refunds = []
    while pieces.left:
        refunds.append(some_of(pieces, rng))
        pieces = pieces.after(refunds[-1])
    assert all(refund.amount_fen >= 0 and not refund.gifts_kept for refund in refunds)
    assert sum(refund.amount_fen for refund in refunds) == answer.amount_due_fen
    assert sum(refund.shipping_fen for refund in refunds) == answer.shipping_fen
    units = [units for refund in refunds for units in refund.units]
    assert sum(one.merchant_fen for one in units) == answer.funding_fen[Funder.MERCHANT]
    assert sum(one.platform_fen for one in units) == answer.funding_fen[Funder.PLATFORM]


@given(documents(), st.randoms(use_true_random=False))
@many
def test_with_shipments_between_all_goes_back_but_their_shipping_and_kept_gifts(doc: Doc, rng: random.Random) -> None:
    pieces, answer = order_of(doc)
    paid_back = withheld = kept = 0
    while pieces.left:
        if rng.random() < 0.3:
            idx = rng.choice([idx for idx, _ in pieces.left])
            shipped = [replace(part, shipped=True) if part.idx == idx else part for part in pieces.parts]
            pieces = replace(pieces, parts=shipped)
        refund = some_of(pieces, rng)
        pieces = pieces.after(refund)
        assert refund.amount_fen >= 0
        paid_back += refund.amount_fen
        withheld += refund.withheld_fen
        kept += sum(gift.value_fen for gift in refund.gifts_kept)
    shipping_kept = sum(pieces.shipping_of[idx] for idx in {part.idx for part in pieces.parts if part.shipped})
    assert paid_back == answer.amount_due_fen - shipping_kept - withheld
    assert 0 <= withheld <= kept


@given(documents(), st.randoms(use_true_random=False))
@many
def test_before_the_split_closed_lines_and_the_rest_are_what_was_paid(doc: Doc, rng: random.Random) -> None:
    pieces, answer = order_of(doc)
    sold = list({part.line.line_no: part.line for part in pieces.parts}.values())
    whole = before_split(sold, [], answer.shipping_fen)
    gone = {line.line_no for line in sold if rng.random() < 0.5}
    first = whole.refund({place: left for place, left in whole.left.items() if place[1] in gone})
    closed = [units.part.line.line_no for units in first.units]
    later = before_split(sold, closed, answer.shipping_fen)
    assert later.parts == whole.after(first).parts
    assert first.amount_fen + later.refund(later.left).amount_fen == answer.amount_due_fen
