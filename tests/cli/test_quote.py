"""`starter.py quote`: the answer on standard output, or one line on standard error and status 2."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from cli.quote_file import run

DATA = Path(__file__).parents[1] / "domain" / "quote" / "data"
EXAMPLE = DATA / "example.json"


def test_json_is_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(str(EXAMPLE), as_json=True) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((DATA / "example-answer.json").read_text())


def test_a_dash_reads_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(EXAMPLE.read_bytes())))
    assert run("-", as_json=True) == 0
    assert json.loads(capsys.readouterr().out)["amount_due_fen"] == 16000


def test_bad_input_is_one_line_on_standard_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for text in ("{", '{"lines": [{"line_no": 1, "sku": "A", "quantity": 0}], "catalog": []}'):
        (tmp_path / "bad.json").write_text(text)
        for as_json in (True, False):
            assert run(str(tmp_path / "bad.json"), as_json) == 2
            out, err = capsys.readouterr()
            assert (out, err.count("\n")) == ("", 1)


def test_a_file_that_is_not_there_is_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(str(tmp_path / "none.json"), as_json=True) == 2
    assert "can't be read" in capsys.readouterr().err


def test_the_table_tells_a_merchandiser_the_whole_story(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    doc = json.loads(EXAMPLE.read_text())
    shared = {"level": "SHOP", "threshold_fen": 0, "issued_under": "PARALLEL"}
    doc["promotions"] += [
        {"promotion_id": "p2", "kind": "AMOUNT_OFF", "off_fen": 4000, **shared},
        {"promotion_id": "p3", "kind": "AMOUNT_OFF", "off_fen": 1, **shared, "issued_under": "PROGRESSIVE"},
        {
            "promotion_id": "g1",
            "kind": "GIFT",
            "gift_sku": "B",
            "gift_returnable": False,
            "skus": ["A"],
            **shared,
        },
    ]
    (tmp_path / "doc.json").write_text(json.dumps(doc))
    assert run(str(tmp_path / "doc.json"), as_json=False) == 0
    out = capsys.readouterr().out
    for said in (
        "1,667 p1 SHOP, MERCHANT",
        "p1 saves 5000, 4000 would have been the next (p2)",
        "paid by MERCHANT 9,000, PLATFORM 5,000",
        "p3: was issued under the other pricing mode",
        "1 × B as line 3",
        "1: pays back 5333, 10667 stays paid",
        "w1",
        "16,000",
    ):
        assert said in out


def test_it_starts_fast_because_it_imports_neither_server_nor_database() -> None:
    heavy = ("temporalio", "sqlalchemy", "asyncpg", "fastapi", "httpx", "rich")
    code = f"import cli.quote_file, sys; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
