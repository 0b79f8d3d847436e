"""Evidence: an order can tell for ever what was sold, and whoever changes the past is found."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.cart import Recording
from domain.evidence import HistoryEvidence, Link, chain_of, link_sha256
from domain.snapshot import TradeSnapshot
from store.catalog import Changes, Listing
from store.notes import note
from tests.store.books import BUYER, NOW, order_number
from tests.store.desk import CUP, PAID_FEN, TEA, Desk


@pytest.fixture
async def desk(engine: AsyncEngine) -> Desk:
    desk = Desk(engine)
    await desk.catalog.change(Changes([Listing(TEA), Listing(CUP)]))
    return desk


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


# --- the chain


async def story_of(desk: Desk, *actions: str) -> str:
    """An order with these notes after its first, in a chain of its own."""
    order_no = await desk.place()
    for action in actions:
        await desk.note(order_no, action, detail="“done”")
    assert (await desk.verify(order_no)).intact
    return order_no


@pytest.mark.parametrize("column", ["subject", "actor", "action", "detail", "body"])
@pytest.mark.parametrize("seq", [1, 2, 4])
async def test_a_changed_word_is_found_and_its_place_named(desk: Desk, column: str, seq: int) -> None:
    order_no = await story_of(desk, "PAY", "SPLIT", "CANCEL")
    await desk.tamper(f"UPDATE order_events SET {column} = 'another' WHERE seq = :seq", seq=seq)
    chain = (await desk.verify(order_no)).chain
    assert (chain.broken_at, chain.links) == (seq, 4)
    assert chain.problem.startswith(f"link {seq} (") and chain.problem.endswith("is not as it was written")


@pytest.mark.parametrize("body", ["", "{", "[]", "{}", '{"lines": 1}', '{"lines": [1]}', '{"lines": [{}]}'])
async def test_a_record_that_can_not_be_read_any_more(desk: Desk, body: str) -> None:
    order_no = await story_of(desk)
    await desk.tamper("UPDATE order_events SET body = :body", body=body)
    verified = await desk.verify(order_no)
    assert "the log does not say what was placed" in verified.problems[0]
    assert verified.chain.broken_at == 1


@pytest.mark.parametrize("change", ["at = at + interval '1 microsecond'", "order_no = order_no + 64", "chain = chain"])
async def test_a_changed_time_or_order_is_found(desk: Desk, change: str) -> None:
    order_no = await story_of(desk, "PAY", "SPLIT")
    await desk.tamper(f"UPDATE order_events SET {change} WHERE seq = 3")
    assert (await desk.verify(order_no)).chain.broken_at == (None if change == "chain = chain" else 3)


async def test_a_link_written_anew_with_its_own_hash_is_found_by_the_next(desk: Desk) -> None:
    order_no = await story_of(desk, "PAY", "SPLIT")
    await desk.tamper("UPDATE order_events SET detail = '1 fen' WHERE seq = 2")
    await desk.tamper("UPDATE order_events e SET sha256 = evidence_sha256(e) WHERE seq = 2")
    chain = (await desk.verify(order_no)).chain
    assert (chain.broken_at, chain.problem) == (
        3,
        f"link 3 (SPLIT of order {order_no}, by BUYER) does not follow the link before it: that one was written anew",
    )


async def test_the_last_link_written_anew_is_found_by_the_tip(desk: Desk) -> None:
    order_no = await story_of(desk, "PAY")
    await desk.tamper("UPDATE order_events SET detail = '1 fen' WHERE seq = 2")
    await desk.tamper("UPDATE order_events e SET sha256 = evidence_sha256(e) WHERE seq = 2")
    chain = (await desk.verify(order_no)).chain
    assert (chain.broken_at, chain.problem) == (2, "the chain ends with link 2, and its tip says something else")


@pytest.mark.parametrize(
    ("gone", "broken_at", "said"),
    [
        ("seq = 1", 1, "link 1 is missing"),
        ("seq IN (2, 3)", 2, "links 2 to 3 are missing"),
        ("seq = 4", 4, "link 4 is missing at the end of the chain"),
        ("seq >= 3", 3, "links 3 to 4 are missing at the end of the chain"),
        ("true", 1, "links 1 to 4 are missing at the end of the chain"),
    ],
)
async def test_links_that_were_taken_out(desk: Desk, gone: str, broken_at: int, said: str) -> None:
    order_no = await story_of(desk, "PAY", "SPLIT", "CANCEL")
    await desk.tamper(f"DELETE FROM order_events WHERE {gone}")
    chain = (await desk.verify(order_no)).chain
    assert (chain.broken_at, chain.problem) == (broken_at, said)


async def test_a_tip_that_was_taken_out(desk: Desk) -> None:
    order_no = await story_of(desk, "PAY")
    await desk.tamper("DELETE FROM evidence_tips")
    verified = await desk.verify(order_no)
    assert not verified.intact
    assert verified.chain.problem == "the chain ends with link 2, and its tip says something else"


async def test_an_entry_put_beside_the_chain(desk: Desk) -> None:
    order_no = await story_of(desk)
    beside = "INSERT INTO order_events (order_no, actor, action, chain, seq, prev_sha256, sha256)"
    await desk.tamper(f"{beside} VALUES (:no, 'BUYER', 'PAY', 99, 1, '', '')", no=int(order_no))
    (problem,) = (await desk.verify(order_no)).problems
    assert problem.endswith("is in no place of its chain")


@pytest.mark.parametrize("seq", [-1, 0, 7])
async def test_an_entry_put_before_or_after_the_chain(desk: Desk, seq: int) -> None:
    order_no = await story_of(desk)
    await desk.tamper(
        "INSERT INTO order_events (order_no, actor, action, chain, seq, prev_sha256, sha256) "
        "VALUES (:no, 'BUYER', 'PAY', :chain, :seq, '', '')",
        no=int(order_no),
        chain=chain_of(int(order_no)),
        seq=seq,
    )
    assert not (await desk.verify(order_no)).intact


async def test_another_orders_tampered_link_breaks_the_chain_that_both_share(desk: Desk) -> None:
    """A buyer's orders share a chain: the place is named, so that nobody suspects the wrong one."""
    first, second = await desk.place(), await desk.place()
    await desk.tamper("UPDATE order_events SET detail = '' WHERE order_no = :no", no=int(first))
    verified = await desk.verify(second)
    assert not any(line.problems for line in verified.lines)
    assert first in verified.chain.problem


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE order_events SET detail = ''",
        "DELETE FROM order_events",
        "UPDATE evidence_tips SET seq = seq + 1",
        "DELETE FROM evidence_tips",
        "INSERT INTO evidence_tips (chain, seq, sha256) VALUES (63, 0, '')",
    ],
)
async def test_the_database_refuses_to_change_the_past(desk: Desk, statement: str) -> None:
    await desk.place()
    async with desk.engine.begin() as db:
        with pytest.raises(IntegrityError, match=r"is only ever added to|only moves with its chain"):
            await db.execute(text(statement))


async def test_nobody_chooses_a_links_place_or_hash(desk: Desk) -> None:
    order_no = await desk.place()
    async with desk.engine.begin() as db:
        await db.execute(
            text(
                "INSERT INTO order_events (order_no, actor, action, chain, seq, prev_sha256, sha256) "
                "VALUES (:no, 'BUYER', 'PAY', 5, 500, 'x', 'y')"
            ),
            {"no": int(order_no)},
        )
    assert (await desk.verify(order_no)).chain.links == 2


async def test_what_was_rolled_back_leaves_no_gap(desk: Desk) -> None:
    order_no = await desk.place()
    with pytest.raises(ZeroDivisionError):
        async with desk.engine.begin() as db:
            await note(db, int(order_no), NOW, "BUYER", "PAY")
            raise ZeroDivisionError
    await desk.note(order_no, "CANCEL")
    verified = await desk.verify(order_no)
    assert (verified.intact, verified.chain.links) == (True, 2)


async def test_fifty_orders_at_once_leave_whole_chains(desk: Desk) -> None:
    """Of buyers in all chains and of one buyer, several notes in one transaction: nobody deadlocks, none is lost."""
    base = int(order_number()) // 1_000_000 * 1_000_000
    numbers = [base + (gene % 25) * 7 + 1_000_000 * gene for gene in range(50)]

    async def story(number: int) -> None:
        for step in range(4):
            async with desk.engine.begin() as db:
                for part in range(3):
                    await note(db, number, NOW, "PLATFORM", f"STEP {step}", detail=str(part))

    await asyncio.wait_for(asyncio.gather(*(story(number) for number in numbers)), 60)
    links = await desk.links()
    assert len(links) == 50 * 4 * 3
    before: dict[int, Link] = {}
    for link in links:
        last = before.get(link.chain)
        assert (link.seq, link.prev_sha256) == ((last.seq + 1, last.sha256) if last else (1, ""))
        assert link_sha256(link) == link.sha256
        before[link.chain] = link


async def test_a_chain_of_many_pages_is_whole_and_broken_where_it_is_broken(desk: Desk) -> None:
    order_no = await desk.place()
    many = (
        "INSERT INTO order_events (order_no, actor, action) SELECT :no, 'CLOCK', 'TICK' FROM generate_series(1, 2500)"
    )
    async with desk.engine.begin() as db:
        await db.execute(text(many), {"no": int(order_no)})
    verified = await desk.verify(order_no)
    assert (verified.intact, verified.chain.links) == (True, 2_501)
    await desk.tamper("UPDATE order_events SET detail = 'x' WHERE seq = 2001")
    assert (await desk.verify(order_no)).chain.broken_at == 2_001


_words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    number=st.integers(10**18, 2**63 - 1),
    at=st.integers(-(10**15), 4 * 10**15).map(lambda us: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)),
    body=st.none() | _words,
    words=st.tuples(_words, _words, _words, _words),
)
async def test_the_database_and_the_verifier_hash_the_same_text(
    desk: Desk, number: int, at: datetime, body: str | None, words: tuple[str, str, str, str]
) -> None:
    subject, actor, action, detail = words
    async with desk.engine.begin() as db:
        await note(db, number, at, actor, action, subject=subject, detail=detail, body=body)
    of_chain = [link for link in await desk.links() if link.chain == chain_of(number)]
    link = of_chain[-1]
    assert (link.order_no, link.at, link.body, link.detail) == (number, at, body, detail)
    assert link_sha256(link) == link.sha256


@pytest.mark.parametrize(
    "words", ["", "龙井 🍵", "'\"\\", "a\nb\r\n\tc", "é", "e\u0301", "\u2028", "\x01\x7f", "3:abc,", "-:,"]
)
async def test_awkward_words_are_hashed_alike(desk: Desk, words: str) -> None:
    at = datetime(2026, 11, 11, 23, 59, 59, 999_999, tzinfo=UTC) + timedelta(microseconds=1)
    number = int(order_number())
    async with desk.engine.begin() as db:
        await note(db, number, at, words, words, subject=words, detail=words, body=words)
    (link,) = await desk.links()
    assert link_sha256(link) == link.sha256


def test_words_that_move_from_one_column_to_the_next_change_the_hash() -> None:
    link = Link(
        chain=1,
        seq=1,
        prev_sha256="",
        sha256="",
        order_no=1,
        subject="",
        at=NOW,
        actor="ab",
        action="c",
        detail="",
    )
    moved = link.model_copy(update={"actor": "a", "action": "bc"})
    empty = link.model_copy(update={"body": ""})
    assert len({link_sha256(one) for one in (link, moved, empty)}) == 3


async def test_verifying_while_its_chain_grows_sees_one_instant(desk: Desk) -> None:
    order_no = await desk.place()
    growing = True

    async def grow() -> None:
        while growing:
            await desk.note(order_no)

    writers = [asyncio.create_task(grow()) for _ in range(3)]
    try:
        verified = [await desk.verify(order_no) for _ in range(40)]
    finally:
        growing = False
        await asyncio.gather(*writers)
    assert all(one.intact for one in verified), next(one for one in verified if not one.intact)
