"""Logs with one JSON object per line, and with the order's number wherever there is one."""

import json
import logging
import sys
from datetime import UTC, datetime

_ORDER_PREFIXES = ("order/", "sub-order/", "stray-payment/")


class JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        # In workflows and activities alike, the SDK puts the run that the line is about here.
        context = getattr(record, "temporal_workflow", None) or getattr(record, "temporal_activity", None) or {}
        workflow_id = str(context.get("workflow_id", ""))
        if workflow_id.startswith(_ORDER_PREFIXES):
            line["order"] = workflow_id.split("/", 1)[1]
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def as_json(level: int = logging.INFO) -> None:
    """Have the whole process log to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # The INFO lines of these name addresses and repeat what we log.
    for chatty in ("httpx", "httpcore", "uvicorn.access"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
