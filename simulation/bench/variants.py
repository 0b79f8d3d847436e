"""Ways to run a worker that are worth trying. They are switched on here only: the product's worker has none of them."""

import asyncio
import gc
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import uvloop
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from temporalio import workflow
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DataConverter
from temporalio.worker import PollerBehaviorAutoscaling, Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

import runtime.temporal
import runtime.worker
import store.database.engine
from workflows.sub_order import SubOrder


@dataclass(frozen=True)
class Variant:
    """One way to run a worker. `options` override the product's for the SDK's `Worker`, `engine` those for SQLAlchemy's
    engine; `run` runs the process. `instead` lists replacements: the object, its attribute, and the new value."""

    name: str
    what: str
    options: Mapping[str, Any] = field(default_factory=dict)
    engine: Mapping[str, Any] = field(default_factory=dict)
    data_converter: DataConverter = runtime.temporal.DATA_CONVERTER
    run: Callable[[Coroutine[Any, Any, None]], None] = uvloop.run
    instead: Sequence[tuple[object, str, object]] = ()


class _Inline(ThreadPoolExecutor):
    """An executor that does its work at once, in the caller's thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        ours = asyncio.get_running_loop()
        try:
            done.set_result(fn(*args, **kwargs))
        except BaseException as fault:
            done.set_exception(fault)
        finally:
            asyncio._set_running_loop(ours)  # a workflow runs a loop of its own, and then leaves the thread without one
        return done


async def _as_regular(step: Callable[..., Any], request: object, **options: Any) -> Any:
    return await workflow.execute_activity_method(step, request, **options)


_tell_order = SubOrder._tell_order


def _tell_trouble_only(part: SubOrder, topic: str = "", text: str | None = None) -> None:
    if topic:
        _tell_order(part, topic, text)


def _collect_calmly(work: Coroutine[Any, Any, None]) -> None:
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    uvloop.run(work)


_SANDBOX = SandboxedWorkflowRunner(
    restrictions=SandboxRestrictions.default.with_passthrough_modules("domain", "activities", "workflows")
)
_AUTOSCALING = PollerBehaviorAutoscaling()

VARIANTS = {
    variant.name: variant
    for variant in (
        Variant("default", "as the product runs it"),
        Variant("sandboxed", "workflows in the sandbox, as in the tests", {"workflow_runner": _SANDBOX}),
        Variant("asyncio", "asyncio's own event loop instead of uvloop", run=asyncio.run),
        Variant(
            "sdk-converter",
            "the SDK's payload converter, made anew for every run and task",
            data_converter=pydantic_data_converter,
        ),
        Variant("ping", "asks the server before each use of a pooled connection", engine={"pool_pre_ping": True}),
        Variant(
            "inline",
            "workflow tasks in the event loop's thread: no deadlock is noticed",
            {"workflow_task_executor": _Inline()},
        ),
        Variant("fifo", "the pooled connection that has lain longest is used first", engine={"pool_use_lifo": False}),
        Variant(
            "calm-gc",
            "the garbage collector leaves alone what is loaded, and looks more seldom",
            run=_collect_calmly,
        ),
        Variant(
            "regular",
            "every step is a regular activity: none shares its workflow task",
            instead=[(workflow, "execute_local_activity_method", _as_regular)],
        ),
        Variant(
            "silent-parts",
            "sub-orders do not tell their order that they have shipped",
            instead=[(SubOrder, "_tell_order", _tell_trouble_only)],
        ),
        Variant(
            "no-attributes",
            "search attributes stay as the start sets them: what the operators' lists cost",
            instead=[(workflow, "upsert_search_attributes", lambda _: None)],
        ),
        Variant("no-cache", "no workflow cache: every task replays its run", {"max_cached_workflows": 0}),
        Variant("cache-20", "a cache of 20 runs, fewer than are open", {"max_cached_workflows": 20}),
        Variant(
            "autoscaling",
            "pollers that scale by themselves",
            {"workflow_task_poller_behavior": _AUTOSCALING, "activity_task_poller_behavior": _AUTOSCALING},
        ),
        Variant("tasks-8", "8 workflow tasks at once instead of 100", {"max_concurrent_workflow_tasks": 8}),
        Variant("locals-10", "10 local activities at once instead of 100", {"max_concurrent_local_activities": 10}),
    )
}


@contextmanager
def running_as(variant: Variant) -> Iterator[None]:
    """Within this, the product's worker is made and connected in this process as the variant says."""

    def made(*given: Any, **options: Any) -> Worker:
        return Worker(*given, **{**options, **variant.options})

    def engine(*given: Any, **options: Any) -> AsyncEngine:
        return create_async_engine(*given, **{**options, **variant.engine})

    ours = (
        (runtime.worker, "Worker", made),
        (runtime.temporal, "DATA_CONVERTER", variant.data_converter),
        (store.database.engine, "create_async_engine", engine),
    )
    with ExitStack() as stack:
        for of, name, other in (*ours, *variant.instead):
            stack.enter_context(patch.object(of, name, other))
        yield
