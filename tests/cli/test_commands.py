"""The command line without servers: what it says of itself, and of input that is wrong."""

import json
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.app import app
from cli.base import REFUSED, UNREACHABLE, Fault, plain, run, yuan
from cli.catalog_file import read_catalog
from domain.order.cart import Cart, Terms
from domain.order.lines import Refusal
from domain.order.order_number import OutOfNumbers
from domain.order.product import OnSale
from domain.order.stock import StockPolicy
from domain.pricing.market import Market
from domain.pricing.order_price import Limits, price_order
from store.database.keys import KeyReused
from tests.support.command_line import EXAMPLES, starter, typed_here
from tests.support.servers import ROOT

# The story's order, as a newcomer goes through it.
STORY = [
    "load-catalog",
    "place",
    "pay",
    "ship",
    "track",
    "deliver",
    "confirm",
    "review",
    "cancel",
    "decide-risk",
    "show",
    "list",
    "verify",
]
CART = json.loads((EXAMPLES / "one-line.json").read_text())
NUMBER = "1251612183153010003"


def refused(*words: str, stdin: str | bytes = "", **settings: str) -> str:
    """What the one line on stderr says of bad input."""
    ran = typed_here(*words, stdin=stdin, **settings)
    assert (ran.returncode, ran.stdout) == (2, ""), ran
    assert ran.stderr.startswith("error: ") and ran.stderr.count("\n") == 1, ran.stderr
    return ran.stderr.removeprefix("error: ").strip()


def placed(**changes: object) -> str:
    return refused("place", "-", "--json", stdin=json.dumps({**CART, **changes}))


class TestHelp:
    def test_the_commands_stand_in_the_order_of_the_story(self) -> None:
        said = CliRunner().invoke(app, ["--help"]).output
        at = [said.index(f"│ {command} ") for command in STORY]
        assert at == sorted(at)

    def test_it_names_a_first_order_and_the_exit_codes(self) -> None:
        said = CliRunner().invoke(app, ["--help"]).output
        assert "examples/catalog.json" in said and "Exit codes" in said

    @pytest.mark.parametrize(
        "command",
        [
            *(
                *STORY,
                "token",
                "after-sale request",
                "after-sale inspect",
                "product put",
                "product show",
                "stock receive",
                "stock import",
                "load-promotions",
                "coupon issue",
            ),
            "risk block",
        ],
    )
    def test_every_command_has_its_own_and_json(self, command: str) -> None:
        ran = CliRunner().invoke(app, [*command.split(), "--help"])
        assert ran.exit_code == 0 and "--json" in ran.output

    def test_it_does_not_wait_for_what_only_the_commands_need(self) -> None:
        """SQLAlchemy and Temporal's SDK take longer to import than a newcomer waits for a help."""
        code = "import sys, cli.app; print(*(m for m in ('sqlalchemy', 'temporalio', 'httpx') if m in sys.modules))"
        begun = time.monotonic()
        ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
        assert ran.stdout.strip() == ""
        assert time.monotonic() - begun < 5

    def test_without_a_command_it_helps(self) -> None:
        assert "Place an order from a cart" in starter().stdout


class TestBadInput:
    def test_as_a_process_it_says_the_same(self) -> None:
        ran = starter("place", "-", "--json", stdin=json.dumps({**CART, "buyer_id": "7"}))
        assert (ran.returncode, ran.stdout) == (2, "")
        assert ran.stderr.strip() == f"error: {placed(buyer_id='7')}"

    def test_the_place_and_what_would_be_right(self) -> None:
        lines = [{"line_no": 1, "sku": "A", "quantity": 0}]
        assert placed(lines=lines) == "stdin: lines[0].quantity: must be 1 or more, not 0"

    def test_an_unknown_key_and_the_one_that_was_meant(self) -> None:
        lines = [{"line_no": 1, "sku": "A", "quantity": 1, "quantty": 2}]
        assert placed(lines=lines) == "stdin: lines[0].quantty: is not known; did you mean quantity?"

    def test_text_is_no_number(self) -> None:
        assert placed(buyer_id="7") == 'stdin: buyer_id: must be a whole number, not "7"'

    def test_a_phone_in_words_not_as_a_pattern(self) -> None:
        assert "address.phone: must be a phone number, like 138" in placed(address={**CART["address"], "phone": "x"})

    def test_what_the_database_can_not_hold(self) -> None:
        assert placed(device_id="a\0") == "stdin: device_id: must not hold the character NUL"

    def test_how_many_more_are_wrong(self) -> None:
        assert placed(buyer_id=0, lines=[]).endswith("not 0 (and 1 more)")

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ('{"buyer_id": 1, "buyer_id": 2}', "buyer_id: appears twice in one object; keep one of the two"),
            ('{"buyer_id": NaN}', "buyer_id: NaN is not a number; write a whole number"),
            ("{", "line 1 column 2: is not JSON (Expecting property name enclosed in double quotes); mend it"),
            ("[]", "must be an object"),
            ("[" * 100_000, "the document: is nested too deeply; write it as the form says"),
            (b"\xff", "byte 0 is not UTF-8: save the file as UTF-8"),
            (" " * 1_000_001, "larger than 1,000,000 bytes: that is no document of ours"),
        ],
    )
    def test_what_is_no_document(self, text: str | bytes, said: str) -> None:
        assert refused("place", "-", stdin=text).removeprefix("stdin: ").removeprefix("-: ") == said

    def test_a_file_that_is_not_there(self) -> None:
        assert refused("place", "no.json") == "no.json: can't be read: No such file or directory"

    def test_a_row_of_a_catalog_by_its_place(self, tmp_path: Path) -> None:
        rows = json.loads((EXAMPLES / "catalog.json").read_text())
        rows["products"][2]["price_fen"] = -1
        file = tmp_path / "catalog.json"
        file.write_text(json.dumps(rows))
        said = "products[2].price_fen: -1 is too small; write a number of at least 0"
        assert refused("load-catalog", str(file)).endswith(said)

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["show", "12"], "'12' has 2 digits; an order's number has 19, a sub-order's 21"),
            (["show", NUMBER[:-1] + "4"], "has a wrong digit"),
            (["ship", NUMBER, "--carrier", "SF", "--tracking-no", "1"], "is a whole order"),
            (["pay", NUMBER, "--times", "99"], "'--times'"),
            (["ship", NUMBER], "Missing option '--carrier'; see `starter.py ship --help`"),
            (["fly"], "No such command 'fly'; see `starter.py --help`"),
            (["after-sale", "request", NUMBER, "--pieces", "1", "--reason", "r"], "is a whole order"),
            (["after-sale", "inspect", "x", "--accept", "1:2"], "--accept: '1:2' is no LINE=N, like 1=2: two"),
            (
                ["after-sale", "inspect", "x", "--accept", "1=1", "--sellable", "1=0"],
                "--sellable: must be 1",
            ),
            (["list"], "say whose list: one of --buyer ID, --merchant ID and --operator"),
            (["list", "--buyer", "1", "--operator"], "say whose list"),
            (["list", "--operator", "--tab", "to_pay"], "--tab goes with --buyer, not with --operator"),
            (["list", "--buyer", "1", "--status", "CLOSED"], "a buyer's list has --tab"),
            (["token", "king", "1"], "there are checkout, buyer, merchant, carrier, operator"),
            (["token", "buyer", "anna"], "ID: "),
            (["decide-risk", NUMBER, "approve", "--author", "me", "--note", ""], "--note: must have 1 or more"),
        ],
    )
    def test_an_argument_that_can_not_be(self, words: list[str], said: str) -> None:
        assert said in refused(*words)


class TestExpectedFaults:
    @pytest.mark.parametrize(
        ("raised", "code"),
        [(KeyReused("k"), REFUSED), (OutOfNumbers("buyer 1 has none left today"), UNREACHABLE)],
        ids=["key-reused", "out-of-numbers"],
    )
    def test_are_told_in_one_line_and_not_by_a_traceback(self, raised: Exception, code: int) -> None:
        async def work() -> None:
            raise raised

        with pytest.raises(Fault) as told:
            run(work)
        assert told.value.exit_code == code


class TestNothingRunning:
    def test_it_says_what_to_start(self, tmp_path: Path) -> None:
        for words in (["place", str(EXAMPLES / "one-line.json")], ["list", "--operator"], ["risk", "blocks"]):
            ran = starter(*words, ORDERS_DATA_DIR=str(tmp_path))
            assert ran.returncode == 3
            assert ran.stderr.startswith("error: nothing is running: start it with `make up`")

    def test_a_token_needs_no_server(self, tmp_path: Path) -> None:
        ran = starter("token", "buyer", "7", "--json", ORDERS_DATA_DIR=str(tmp_path))
        assert json.loads(ran.stdout)["role"] == "buyer"


def test_every_cart_of_the_examples_costs_what_the_catalog_and_its_freight_say() -> None:
    catalog = read_catalog((EXAMPLES / "catalog.json").read_bytes())
    policies = {row.merchant: row.stock_policy for row in catalog.merchants}
    on_sale = {
        row.sku: OnSale(
            product=row.listing.product,
            version=1,
            digest="",
            policy=policies.get(row.merchant, StockPolicy.RESERVE_ON_PLACEMENT),
            home=row.home,
        )
        for row in catalog.products
    }
    market = Market(on_sale, warehouses=catalog.warehouses, freight=catalog.freight)
    at = datetime(2026, 11, 11, tzinfo=UTC)
    for file in EXAMPLES.glob("*.json"):
        if file.name not in ("catalog.json", "promotions.json"):
            cart = Cart.model_validate_json(file.read_text())
            answer = price_order(NUMBER, cart, market, Terms(), Limits(), at)
            refused = isinstance(answer, Refusal)
            assert refused == (file.name == "wrong-price.json"), (file.name, answer)


def test_money_is_told_in_yuan() -> None:
    assert [yuan(0), yuan(5), yuan(123_450), yuan(-30), yuan(7, "USD")] == [
        "¥0.00",
        "¥0.05",
        "¥1,234.50",
        "¥-0.30",
        "0.07 USD",
    ]


def test_a_title_can_not_move_the_cursor() -> None:
    assert plain("tea\x1b[2J") == "tea\ufffd[2J"
