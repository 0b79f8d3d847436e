"""The chain of who did what when: a link can't be changed, taken out or put in without being found."""

import asyncio
from datetime import UTC, datetime, timedelta

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from domain.records.evidence import Link, chain_of, link_sha256
from store.database.log_and_outbox import note
from tests.support.books import NOW, order_number
from tests.support.desk import Desk


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
