"""`starter.py stock` on a real database: what it changes, what it refuses, and what it tells."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.order.product import Product
from store.catalog.products import PostgresCatalog
from tests.support.command_line import typed_here

Ran = subprocess.CompletedProcess[str]
Stock = Callable[..., Ran]


@pytest.fixture
async def stock(engine: AsyncEngine, database_url: str) -> Stock:
    """The command, in a shop that sells A and B."""
    for sku in "AB":
        product = Product(sku=sku, merchant="m1", title=sku, price_fen=100)
        await PostgresCatalog(engine).put(product)
    own = {
        "DATABASE_URL": database_url,
        "TEMPORAL_ADDRESS": "127.0.0.1:1",  # nobody asks it
        "ORDERS_JWT_KEY": "k" * 32,
        "ORDERS_WEBHOOK_SECRET": "whsec_" + "c2VjcmV0" * 4,
        "ORDERS_ORDER_NUMBER_KEY": "n" * 32,
    }
    return lambda *words: typed_here("stock", *words, **own)


def done(ran: Ran) -> dict[str, Any]:
    assert (ran.returncode, ran.stderr) == (0, ""), ran
    return dict(json.loads(ran.stdout))


def refused(ran: Ran, code: int) -> str:
    assert (ran.returncode, ran.stdout) == (code, ""), ran
    assert ran.stderr.startswith("error: ") and ran.stderr.count("\n") == 1, ran.stderr
    return ran.stderr.removeprefix("error: ").strip()


async def test_received_adjusted_and_read_back(stock: Stock) -> None:
    """To sell and in a warehouse, each with its entry."""
    done(stock("receive", "A", "10", "--json"))
    done(stock("receive", "A", "4", "--warehouse", "w1", "--json"))
    less = done(stock("adjust", "A", "-3", "--reason", "broken", "--actor", "ann", "--json"))
    assert less == {"sku": "A", "sellable_total": 7, "available": 7, "reserved": 0, "deducted": 0}
    done(stock("limit", "A", "--pieces", "2", "--window-s", "60", "--json"))
    (shown,) = done(stock("show", "A", "--json"))["stock"]
    assert shown["physical"] == [{"warehouse": "w1", "total": 4, "available": 4, "reserved": 0, "shipped": 0}]
    assert shown["limit"] == {"sku": "A", "pieces": 2, "window_s": 60}
    entries = done(stock("history", "A", "--json"))["entries"]
    told = [(e["kind"], e["available"], e["actor"], e["reason"]) for e in entries]
    assert told == [("receive", 10, "operator", ""), ("receive", 4, "operator", ""), ("adjust", -3, "ann", "broken")]
    assert "broken" in stock("history", "A").stdout and "2 for each buyer within 60 s" in stock("show", "A").stdout
    assert done(stock("limit", "A", "--none", "--json"))["limit"] is None


async def test_what_is_refused_changes_nothing(stock: Stock) -> None:
    """Exit code 1: no such product, more than there is; 2: no reason, no number."""
    done(stock("receive", "A", "2", "--json"))
    assert "no product X" in refused(stock("receive", "X", "1", "--json"), 1)
    why = ("--reason", "lost", "--actor", "ann", "--json")
    assert "fewer than 3 are available" in refused(stock("adjust", "A", "-3", *why), 1)
    assert "there is none" in refused(stock("adjust", "B", "-1", *why), 1)
    assert "--reason" in refused(stock("adjust", "A", "-1", "--actor", "ann", "--json"), 2)
    refused(stock("adjust", "A", "0", *why), 2)
    refused(stock("receive", "A", "0", "--json"), 2)
    refused(stock("limit", "A", "--json"), 2)
    assert "nothing was ever received of B" in refused(stock("show", "B", "--json"), 1)
    assert len(done(stock("history", "A", "--json"))["entries"]) == 1


async def test_a_file_is_imported_whole_and_once(stock: Stock, tmp_path: Path) -> None:
    """As CSV or JSON; twice the same is refused."""
    table, document = tmp_path / "goods.csv", tmp_path / "goods.json"
    table.write_text("sku,pieces,warehouse,reason\nA,5,,spring\nA,3,w1,\nB,7,,\n")
    document.write_text(json.dumps({"rows": [{"sku": "B", "pieces": 1, "channel": "live"}]}))
    assert done(stock("import", str(table), "--actor", "ann", "--json")) == {"rows": 3, "pieces": 15}
    assert "imported before" in refused(stock("import", str(table), "--json"), 1)
    done(stock("import", str(document), "--json"))
    a, b = done(stock("show", "A", "B", "--json"))["stock"]
    assert (a["sellable"][0]["available"], a["physical"][0]["available"]) == (5, 3)
    assert {at["channel"]: at["available"] for at in b["sellable"]} == {"live": 1, "main": 7}


@pytest.mark.parametrize(
    ("name", "content", "code", "said"),
    [
        (
            "a.csv",
            "sku,pieces\nA,5\nB,0\nB,x\n",
            2,
            "row 2: pieces: must be 1 or more, not 0; row 3: pieces: must be a",
        ),
        ("a.csv", "sku,pieces\nA,5,9\n", 2, "row 1: has 3 fields, the heading 2"),
        ("a.csv", "sku,pieces,sku\nA,5,9\n", 2, "the column sku appears twice"),
        ("a.csv", "sku,pieces,chanel\nA,5,x\n", 2, "chanel: is not known; did you mean channel?"),
        ("a.csv", "sku,pieces\n", 2, "has no rows"),
        ("a.csv", 'sku,pieces\n"A,5\n', 2, "not CSV"),
        ("a.csv", "sku,pieces\nA,5\nX,5\n", 1, "1 row is wrong, nothing is imported: row 2: no product X"),
        ("a.json", '{"rows": [{"sku": "A", "pieces": 1.5}]}', 2, "row 1: pieces: must be a whole number"),
        ("a.json", '{"rows": []}', 2, "rows: must have 1 or more"),
    ],
)
async def test_a_file_with_a_wrong_row_imports_nothing(
    stock: Stock, tmp_path: Path, name: str, content: str, code: int, said: str
) -> None:
    """And every wrong row is named."""
    file = tmp_path / name
    file.write_text(content)
    assert said in refused(stock("import", str(file), "--json"), code)
    assert "nothing was ever received" in refused(stock("show", "A", "--json"), 1)
