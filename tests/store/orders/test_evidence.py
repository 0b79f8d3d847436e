"""Evidence: an order can tell for ever what was sold, and whoever changes the past is found."""

import json

import hypothesis.strategies as st
import pytest
from hypothesis import given

from domain.order.cart import Recording
from domain.order.snapshot import TradeSnapshot
from domain.records.evidence import HistoryEvidence
from tests.support.books import BUYER, order_number
from tests.support.desk import CUP, PAID_FEN, TEA, Desk

# --- what the buyer saw


@pytest.mark.parametrize("recording", Recording)
async def test_the_evidence_of_an_order_is_what_the_buyer_saw(desk: Desk, recording: Recording) -> None:
    order_no = await desk.place(recording)
    verified = await desk.verify(order_no)
    assert verified.intact, verified
    assert [line.saw for line in verified.lines] == [TradeSnapshot.of(TEA), TradeSnapshot.of(CUP)]
    assert [(line.version, line.quantity, line.pay_fen) for line in verified.lines] == [(1, 2, 25_100), (1, 1, 4_500)]
    assert verified.chain.links == 1


@pytest.mark.parametrize("recording", Recording)
async def test_a_product_that_changes_changes_no_order(desk: Desk, recording: Recording) -> None:
    """Edge case 33: renamed, dearer, of another merchant: the order still shows what was sold."""
    order_no = await desk.place(recording)
    before = await desk.verify(order_no)
    for change in ({"title": "Longjing"}, {"price_fen": 99_900}, {"merchant": "root"}, {"images": ["x"]}):
        await desk.catalog.put(TEA.model_copy(update=change))
    assert (await desk.catalog.on_sale(["TEA"]))["TEA"].version == 5
    assert await desk.verify(order_no) == before


async def test_an_embedded_copy_needs_no_catalog(desk: Desk) -> None:
    order_no = await desk.place(Recording.EMBEDDED)
    await desk.tamper("DELETE FROM product_versions")
    assert (await desk.verify(order_no)).intact


async def test_the_log_holds_the_order_as_it_was_placed(desk: Desk) -> None:
    order_no = await desk.place()
    (link,) = await desk.links()
    body = json.loads(link.body or "")
    assert (body["order_no"], body["buyer_id"], body["amount_due_fen"]) == (order_no, BUYER, PAID_FEN)
    assert list(body["rules"]) == ["five-off"]
    tea, cup = body["lines"]
    assert (tea["sku"], tea["version"], tea["digest"]) == ("TEA", 1, TradeSnapshot.of(TEA).digest)
    assert (tea["quantity"], tea["unit_price_fen"], tea["pay_fen"]) == (2, 12_800, 25_100)
    assert [(share["promotion_id"], share["amount_fen"]) for share in tea["shares"]] == [("five-off", 500)]
    assert "snapshot" not in cup
    assert "13800138000" not in (link.body or "")


async def test_an_embedded_copy_is_in_the_log_too(desk: Desk) -> None:
    await desk.place(Recording.EMBEDDED)
    (link,) = await desk.links()
    assert json.loads(link.body or "")["lines"][0]["snapshot"] == TradeSnapshot.of(TEA).model_dump(mode="json")


@given(st.sampled_from(sorted(TradeSnapshot.model_fields)), st.text(min_size=1), st.integers(0, 10**12))
def test_the_digest_changes_with_any_field_of_the_snapshot(field: str, words: str, number: int) -> None:
    snapshot = TradeSnapshot.of(TEA)
    old = getattr(snapshot, field)
    other = {int: number, str: words, list: [words], dict: {words: words}}[type(old)]
    assert (snapshot.model_copy(update={field: other}).digest != snapshot.digest) == (other != old)


# --- who changes the past is found


@pytest.mark.parametrize(
    ("statement", "line_no", "said"),
    [
        (
            "UPDATE product_versions SET snapshot = replace(snapshot, '12800', '9900') WHERE sku = 'TEA'",
            1,
            "version 1 of TEA in the catalog is not what the buyer saw",
        ),
        (
            "UPDATE product_versions SET product = jsonb_set(product, '{title}', '\"Tea\"') WHERE sku = 'TEA'",
            1,
            "version 1 of TEA in the catalog differs from its snapshot",
        ),
        ("DELETE FROM product_versions WHERE sku = 'CUP'", 2, "version 1 of CUP is not in the catalog"),
        ("UPDATE product_versions SET snapshot = '{' WHERE sku = 'CUP'", 2, "version 1 of CUP in the catalog is not"),
        ("UPDATE order_lines SET version = 7 WHERE line_no = 1", 1, "version 7 of TEA is not in the catalog"),
        ("UPDATE order_lines SET digest = '' WHERE line_no = 1", 1, 'the line says digest ""'),
        ("UPDATE order_lines SET quantity = 3 WHERE line_no = 1", 1, "the line says quantity 3, and 2 was placed"),
        ("UPDATE order_lines SET pay_fen = 1 WHERE line_no = 2", 2, "the line says pay_fen 1, and 4500 was placed"),
        ("UPDATE order_line_shares SET amount_fen = 1, merchant_fen = 1", 1, "the line says shares"),
    ],
)
async def test_a_line_that_is_not_as_it_was_sold(desk: Desk, statement: str, line_no: int, said: str) -> None:
    order_no = await desk.place()
    await desk.tamper(statement)
    verified = await desk.verify(order_no)
    assert not verified.intact
    assert [line.line_no for line in verified.lines if line.problems] == [line_no]
    assert any(said in problem for problem in verified.lines[line_no - 1].problems), verified
    assert verified.chain.whole


async def test_a_copy_that_is_not_as_it_was(desk: Desk) -> None:
    order_no = await desk.place(Recording.EMBEDDED)
    await desk.tamper("UPDATE order_lines SET snapshot = jsonb_set(snapshot, '{title}', '\"Tea\"') WHERE line_no = 1")
    tea, cup = (await desk.verify(order_no)).lines
    assert tea.saw is None and cup.saw is not None and not cup.problems
    assert tea.problems[0] == "its own copy of the product is not what the buyer saw"
    assert tea.problems[1].startswith("the line says snapshot ")


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE orders SET amount_due_fen = 1", f"the order says amount_due_fen 1, and {PAID_FEN} was placed"),
        ("UPDATE orders SET buyer_id = 8", f"the order says buyer_id 8, and {BUYER} was placed"),
        ("UPDATE orders SET rules = '{}'", "the order says rules {}"),
        ("DELETE FROM orders", "the order's row is gone"),
    ],
)
async def test_an_order_that_is_not_as_it_was_placed(desk: Desk, statement: str, said: str) -> None:
    order_no = await desk.place()
    await desk.tamper(statement)
    verified = await desk.verify(order_no)
    assert not verified.intact
    assert any(said in problem for problem in verified.problems), verified


async def test_a_line_taken_out_and_one_put_in(desk: Desk) -> None:
    order_no = await desk.place()
    await desk.tamper("UPDATE order_lines SET line_no = 3 WHERE line_no = 2")
    verified = await desk.verify(order_no)
    assert verified.problems == ["line 2 is gone"]
    assert verified.lines[1].problems == ["the log does not say that it was placed: it was added later"]


async def test_an_order_older_than_the_evidence_is_not_called_intact(desk: Desk) -> None:
    order_no = await desk.place()
    number = int(order_no)
    await desk.tamper("UPDATE order_events SET body = NULL WHERE order_no = :number", number=number)
    verified = await desk.verify(order_no)
    assert "the log does not say what was placed" in verified.problems[0]


async def test_there_is_nothing_to_verify_where_nothing_was_placed(desk: Desk) -> None:
    order_no = order_number()
    await desk.note(order_no, "REFUSE")
    assert await desk.evidence.verify(order_no) is None


async def test_the_workflows_history_is_a_third_witness(desk: Desk) -> None:
    order_no = await desk.place()
    digests = {1: TradeSnapshot.of(TEA).digest, 2: TradeSnapshot.of(CUP).digest}
    assert (await desk.verify(order_no)).history is HistoryEvidence.NOT_ASKED
    gone, same = await desk.verify(order_no, {}), await desk.verify(order_no, digests)
    assert [(gone.history, gone.intact), (same.history, same.intact)] == [
        (HistoryEvidence.GONE, True),
        (HistoryEvidence.MATCHES, True),
    ]
    other = await desk.verify(order_no, {**digests, 2: "0" * 64})
    assert (other.history, other.intact) == (HistoryEvidence.DIFFERS, False)
