"""Goods and evidence on the command line, on a real database: nothing of a bad file is loaded, versions are shown, and
`verify` tells by its exit code."""

import asyncio
import json
import subprocess
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from runtime.embedded import Postgres
from store.catalog.products import CatalogChanges, Listing
from store.database import migrate
from store.database.engine import engine_for
from tests.support.command_line import EXAMPLES, typed_here
from tests.support.desk import CUP, TEA, Desk

Result = TypeVar("Result")
SETTINGS = {
    "TEMPORAL_ADDRESS": "127.0.0.1:1",  # nobody listens there
    "ORDERS_JWT_KEY": "a key of these tests, long enough",
    "ORDERS_WEBHOOK_SECRET": "whsec_" + "c2VjcmV0IG9mIHRoZXNlIHRlc3RzLCBsb25nIGVub3VnaA==",
    "ORDERS_ORDER_NUMBER_KEY": "a key of these tests, long enough",
}
TABLES = ("products", "product_versions", "merchants", "freight_templates", "stock")


class Shop:
    """The command line on a database of its own."""

    def __init__(self, url: str) -> None:
        self.url = url

    def run(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return typed_here(*words, stdin=stdin, DATABASE_URL=self.url, **SETTINGS)

    def done(self, *words: str, stdin: str = "") -> dict[str, Any]:
        ran = self.run(*words, "--json", stdin=stdin)
        assert (ran.returncode, ran.stderr) == (0, ""), ran
        answer: dict[str, Any] = json.loads(ran.stdout)
        return answer

    def on_database(self, work: Callable[[AsyncEngine], Awaitable[Result]]) -> Result:
        async def run_it() -> Result:
            engine = engine_for(self.url)
            try:
                return await work(engine)
            finally:
                await engine.dispose()

        return asyncio.run(run_it())

    def contents(self) -> dict[str, list[Any]]:
        async def read(engine: AsyncEngine) -> dict[str, list[Any]]:
            async with engine.connect() as db:
                return {table: list(await db.execute(text(f"SELECT * FROM {table} ORDER BY 1, 2"))) for table in TABLES}

        return self.on_database(read)


@pytest.fixture
def shop(postgres: Postgres) -> Shop:
    asyncio.run(migrate.upgrade(postgres.url))
    return Shop(postgres.url)


def test_a_file_is_loaded_and_loading_again_only_fills_up(shop: Shop) -> None:
    file = str(EXAMPLES / "catalog.json")
    first = shop.done("load-catalog", file)
    assert (first["products"], len(first["changed"]), first["received"]["LAMP-DESK"]) == (20, 20, 500)
    loaded = shop.contents()
    assert {row.merchant: row.stock_policy for row in loaded["merchants"]}["snack-yard"] == "DEDUCT_ON_PAYMENT"
    assert [(row.merchant, row.warehouse) for row in loaded["freight_templates"]] == [("kiln", ""), ("kiln", "yiwu")]
    again = shop.done("load-catalog", file)
    assert (again["changed"], again["received"]) == ({}, {})

    changed = json.loads((EXAMPLES / "catalog.json").read_text())
    changed["products"][0]["price_fen"] += 100
    changed["products"][1]["sellable"] += 7
    third = shop.done("load-catalog", "-", "--author", "ann", stdin=json.dumps(changed))
    assert (third["changed"], third["received"]) == ({"TEA-LONGJING-250": 2}, {"TEA-PUER-357": 7})
    assert (
        "20 products on sale, 0 of them new or changed; 0 pieces"
        in shop.run("load-catalog", "-", stdin=json.dumps(changed)).stdout
    )


def test_a_file_with_bad_rows_changes_nothing(shop: Shop) -> None:
    shop.done("load-catalog", str(EXAMPLES / "catalog.json"))
    before = shop.contents()
    bad = json.loads((EXAMPLES / "catalog.json").read_text())
    for row in bad["products"]:
        row["price_fen"] += 1
    bad["products"][2]["weight_g"], bad["products"][9]["titel"] = True, "x"
    ran = shop.run("load-catalog", "-", stdin=json.dumps(bad))
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.splitlines() == [
        "stdin: products[2].weight_g: must be a whole number; write it without quotes or fractions",
        "stdin: products[9].titel: is not a key here; remove it or mend its name",
        "error: stdin: 2 things are wrong, nothing was changed",
    ]
    assert shop.contents() == before


def test_a_product_by_hand_and_its_versions(shop: Shop) -> None:
    words = ["product", "put", "POT", "--merchant", "kiln", "--title", "Pot", "--category", "teaware"]
    ways = ["--handling", "FRAGILE", "--weight-g", "450", "--volume-cm3", "1600", "--ships-from", "2030-01-10"]
    said = ["--service", "7-day return", "--service", "invoice", "--description", "Clay.", "--warehouse", "w1"]
    put = shop.done(*words, *ways, *said, "--price-fen", "32800")
    assert (put["version"], put["handling"], put["weight_g"], put["ships_from"]) == (1, "FRAGILE", 450, "2030-01-10")
    assert (put["home"], put["services"], put["delivery_mode"]) == ("w1", ["7-day return", "invoice"], "PHYSICAL")
    assert shop.done(*words, *ways, *said, "--price-fen", "32800")["version"] == 1
    virtual = shop.done(*words, "--price-fen", "1", "--delivery-mode", "VIRTUAL", "--author", "ann")
    assert (virtual["version"], virtual["delivery_mode"], virtual["home"]) == (2, "VIRTUAL", None)

    shown = shop.done("product", "show", "POT")
    assert [(one["version"], one["author"]) for one in shown["versions"]] == [(2, "ann"), (1, "command line")]
    assert (shown["version"], shown["product"]["price_fen"]) == (2, 1)
    table = shop.run("product", "show", "POT").stdout
    assert "price_fen, delivery_mode, ships_from" in table and "the first" in table
    assert shop.run("product", "show", "NONE").returncode == 1


def test_verify_tells_by_its_exit_code(shop: Shop) -> None:
    async def place(engine: AsyncEngine) -> str:
        desk = Desk(engine)
        await desk.catalog.change(CatalogChanges([Listing(TEA), Listing(CUP)]))
        return await desk.place()

    order_no = shop.on_database(place)
    verified = shop.done("verify", order_no)
    assert (verified["intact"], verified["history"], len(verified["lines"])) == (True, "NOT_ASKED", 2)
    said = shop.run("verify", order_no)
    assert said.returncode == 0 and "intact" in said.stdout and TEA.title.split()[0] in said.stdout

    change = "UPDATE product_versions SET snapshot = replace(snapshot, '12800', '1') WHERE sku = 'TEA'"
    shop.on_database(lambda engine: Desk(engine).tamper(change))
    ran = shop.run("verify", order_no)
    assert ran.returncode == 1 and "NOT INTACT" in ran.stdout and "lost" in ran.stdout
    as_json = shop.run("verify", order_no, "--json")
    assert (as_json.returncode, json.loads(as_json.stdout)["intact"]) == (1, False)
    assert shop.run("verify", "1251612183153010003").stderr == "error: there is no order 1251612183153010003\n"
