"""Logs: one JSON object a line, with the order's number."""

import json
import logging

import pytest

from runtime.logs import JsonLines


def line(**extra: object) -> dict[str, str]:
    record = logging.LogRecord("worker", logging.INFO, __file__, 1, "sold %s", ("out",), None)
    for name, value in extra.items():
        setattr(record, name, value)
    return dict(json.loads(JsonLines().format(record)))


@pytest.mark.parametrize("where", ["temporal_workflow", "temporal_activity"])
@pytest.mark.parametrize("run", ["order/123", "sub-order/123", "stray-payment/123"])
def test_what_is_logged_of_an_order_carries_its_number(where: str, run: str) -> None:
    assert line(**{where: {"workflow_id": run}})["order"] == "123"


def test_a_line_without_an_order_is_whole_too() -> None:
    said = line()
    assert (said["message"], said["level"], "order" in said) == ("sold out", "INFO", False)
