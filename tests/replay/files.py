"""The recorded histories: as they are kept in the repository, and what each of them tells."""

import base64
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHistory

HERE = Path(__file__).parent
HISTORIES = HERE / "histories"
RECORDER = "recorder"

_LEFT_OUT = {"stackTrace", "workerVersion"}  # of the machine that recorded; a replay needs neither
_ADDRESS = re.compile(r"\b(?:127\.0\.0\.1|localhost|\[::1\]):\d+")


def compact(history: WorkflowHistory) -> str:
    """A history as a file: nothing of the machine it was recorded on, one field a line, so that a diff can be read."""
    return json.dumps(_cleaned(history.to_json_dict()), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _cleaned(value: Any) -> Any:
    if isinstance(value, dict):
        if "data" in value and "metadata" in value:
            data = value["data"]
            return value | {"data": _encoded(_without_addresses(_decoded(data)), data)}
        kept = {key: _cleaned(part) for key, part in value.items() if key not in _LEFT_OUT}
        return kept | ({"identity": RECORDER} if "identity" in kept else {})
    if isinstance(value, list):
        return [_cleaned(part) for part in value]
    return _without_addresses(value) if isinstance(value, str) else value


def _without_addresses(text: str) -> str:
    return _ADDRESS.sub("sandbox", text)


def _decoded(data: str) -> str:
    return base64.b64decode(data).decode("utf-8", errors="replace")


def _encoded(text: str, before: str) -> str:
    return before if text == _decoded(before) else base64.b64encode(text.encode()).decode()


@dataclass(frozen=True)
class Recorded:
    """One file: the history of one run."""

    path: Path

    @property
    def name(self) -> str:
        """`order/completed-by-buyer`."""
        return f"{self.path.parent.name}/{self.path.stem}"

    @cached_property
    def text(self) -> str:
        return self.path.read_text()

    @cached_property
    def events(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.text)["events"]
        return found

    @property
    def history(self) -> WorkflowHistory:
        return WorkflowHistory.from_json(self.workflow_id, self.text)

    @property
    def workflow_id(self) -> str:
        return str(self._part("workflowExecutionStartedEventAttributes")["workflowId"])

    @property
    def workflow(self) -> str:
        return str(self._part("workflowExecutionStartedEventAttributes")["workflowType"]["name"])

    @property
    def open(self) -> bool:
        return self.events[-1]["eventType"] not in {
            f"EVENT_TYPE_WORKFLOW_EXECUTION_{how}" for how in ("COMPLETED", "FAILED", "TERMINATED", "CANCELED")
        }

    @property
    def result(self) -> dict[str, Any] | None:
        """What the run returned; None when it is open or was terminated."""
        if self.events[-1]["eventType"] != "EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED":
            return None
        (payload,) = self._part("workflowExecutionCompletedEventAttributes")["result"]["payloads"]
        return dict(json.loads(_decoded(payload["data"])))

    @cached_property
    def payloads(self) -> list[Any]:
        """Everything that was said in the run, decoded."""
        return list(_walk(self.events, lambda data: json.loads(_decoded(data))))

    @cached_property
    def plain(self) -> str:
        """All of it as text, with nothing left encoded."""
        return self.text + "\n".join(_walk(self.events, _decoded))

    def said(self, key: str) -> set[str]:
        """Every value of a field that any message of the run has under this name."""
        return {str(found) for payload in self.payloads for found in _under(payload, key)}

    @property
    def status(self) -> str:
        """The status that the run shows: the search attribute's last value."""
        shown = [
            event[part]["searchAttributes"]["indexedFields"]
            for event in self.events
            for part in ("workflowExecutionStartedEventAttributes", "upsertWorkflowSearchAttributesEventAttributes")
            if "searchAttributes" in event.get(part, {})
        ]
        statuses = [fields["OrderStatus"]["data"] for fields in shown if "OrderStatus" in fields]
        return str(json.loads(_decoded(statuses[-1]))) if statuses else ""

    @property
    def activities(self) -> set[str]:
        """The names of all activities that were run, local or not."""
        part = "activityTaskScheduledEventAttributes"
        return self.said("activity_type") | {
            event[part]["activityType"]["name"] for event in self.events if part in event
        }

    def _part(self, attributes: str) -> dict[str, Any]:
        return next(event[attributes] for event in self.events if attributes in event)


def _walk(value: Any, decode: Callable[[str], Any]) -> Iterator[Any]:
    if isinstance(value, dict):
        if "data" in value and "metadata" in value:
            yield decode(value["data"])
            return
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from _walk(part, decode)


def _under(value: Any, key: str) -> Iterator[Any]:
    if isinstance(value, dict):
        if value.get(key) is not None:
            yield value[key]
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from _under(part, key)


def recorded(folder: Path = HISTORIES) -> list[Recorded]:
    return [Recorded(path) for path in sorted(folder.rglob("*.json"))]
