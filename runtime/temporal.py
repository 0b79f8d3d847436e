"""The connection to Temporal, the search attributes that runs are found by, and links to its UI."""

import dataclasses
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from temporalio.api.enums.v1 import IndexedValueType, TaskQueueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.contrib.pydantic import PydanticPayloadConverter, pydantic_data_converter
from temporalio.converter import CompositePayloadConverter
from temporalio.envconfig import ClientConfig, ClientConnectConfig
from temporalio.runtime import Runtime
from temporalio.service import RetryConfig

from runtime.settings import Settings

# Without this a call to a server that is gone blocks for 10 s, whatever the call's own timeout.
FAIL_FAST = RetryConfig(max_retries=3, max_elapsed_time_millis=1000)

_CONVERTERS = PydanticPayloadConverter().converters


class OurModels(CompositePayloadConverter):
    """The SDK's converter of pydantic models, made once for the process. The SDK makes a converter for each run and
    several for each workflow task, and each of them would build the schemas of our types anew."""

    def __init__(self) -> None:
        self.converters = _CONVERTERS


DATA_CONVERTER = dataclasses.replace(pydantic_data_converter, payload_converter_class=OurModels)


class Unreachable(Exception):
    """Raised when Temporal does not answer; the message is for people. Processes end with it, commands report it."""


def connection(settings: Settings) -> ClientConnectConfig:
    """Where to connect, and as whom. A cluster of your own is described by the standard variables and
    `temporal.toml`."""
    if settings.embedded_temporal:
        return {"target_host": settings.temporal_address, "namespace": "default"}
    found = ClientConfig.load_client_connect_config(
        settings.temporal_profile or None, config_file=settings.temporal_config_file or None
    )
    if settings.temporal_address:
        found["target_host"] = settings.temporal_address
    if settings.temporal_namespace:
        found["namespace"] = settings.temporal_namespace
    return found


async def connect(settings: Settings, *, runtime: Runtime | None = None) -> Client:
    """A client that converts our models and fails fast. Raises Unreachable."""
    try:
        where = connection(settings)
    except RuntimeError as error:
        raise Unreachable(f"temporal.toml: {error}") from None
    address = where.get("target_host", "127.0.0.1:7233")
    try:
        where["target_host"] = address
        return await Client.connect(
            **where,
            data_converter=DATA_CONVERTER,
            retry_config=FAIL_FAST,
            connect_timeout=timedelta(seconds=5),
            runtime=runtime,
        )
    except RuntimeError as error:
        told = re.search(r'message: "([^"]+)"', str(error))  # the rest is nested names of Rust types
        reason = f" ({told[1]})" if told else f": {error}"
        raise Unreachable(
            f"Temporal does not answer at {address}{reason}; start it with `make up`, or set TEMPORAL_ADDRESS"
        ) from None


async def ensure_search_attributes(client: Client, wanted: dict[str, str]) -> None:
    """Register the search attributes that the namespace does not have yet. On a cluster of your own this needs an
    operator's rights."""
    service = client.operator_service
    listed = await service.list_search_attributes(ListSearchAttributesRequest(namespace=client.namespace))
    types = {"KeywordList": "KEYWORD_LIST"}
    missing = {
        name: IndexedValueType.Value(f"INDEXED_VALUE_TYPE_{types.get(kind, kind.upper())}")
        for name, kind in wanted.items()
        if name not in listed.custom_attributes
    }
    if missing:
        request = AddSearchAttributesRequest(namespace=client.namespace, search_attributes=missing)
        await service.add_search_attributes(request)


async def worker_polls(settings: Settings, since: datetime) -> bool:
    """Whether a worker has asked for work on our task queue since `since`. Raises Unreachable."""
    client = await connect(settings)
    answer = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=settings.task_queue),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
    )
    return any(poller.last_access_time.ToDatetime(UTC) >= since for poller in answer.pollers)


def operator_links(ui_url: str, namespace: str = "default", now: datetime | None = None) -> dict[str, str]:
    """Links to the Temporal UI with ready-made queries, by the operator's question. `now` is the time that deadlines
    are compared with."""
    at = (now or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")
    queries = {
        "orders needing a person": "NeedsAttention=true",
        "waiting for payment": 'OrderStatus="PENDING_PAYMENT"',
        "risk review": 'RiskVerdict="REVIEW" AND ExecutionStatus="Running"',
        "closed, with the reason": 'OrderStatus="CLOSED" AND CloseReason IS NOT NULL',
        "one buyer's orders (put in the id)": 'BuyerId="10001"',
        "one merchant's orders (put in the id)": 'Merchants="m-1"',
        "stuck workflow tasks": "TemporalReportedProblems IS NOT NULL",
        "running past the deadline": f'OrderStatus="PENDING_PAYMENT" AND Deadline < "{at}"',
        "failed: wake someone": 'ExecutionStatus="Failed"',
    }
    runs = f"{ui_url}/namespaces/{namespace}/workflows?query="
    return {question: runs + quote(query, safe="") for question, query in queries.items()}
