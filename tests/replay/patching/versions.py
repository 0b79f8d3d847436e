"""One small story in its versions: a parcel is weighed and labelled; then it is to be insured in between.

In a real change these are one class in one file, edited from version to version. Here they are side by side.
"""

from datetime import timedelta

from temporalio import activity, workflow

PATCH = "insure-before-label"
SOON = timedelta(seconds=5)


@activity.defn
async def weigh(parcel: str) -> int:
    return 100 * len(parcel)


@activity.defn
async def insure(parcel: str) -> str:
    return f"insured {parcel}"


@activity.defn
async def label(parcel: str) -> str:
    return f"to {parcel}"


@workflow.defn(name="Parcel")
class Before:
    """The story as its first runs knew it."""

    def __init__(self) -> None:
        self._packed = False

    @workflow.run
    async def run(self, parcel: str) -> str:
        await workflow.execute_activity(weigh, parcel, start_to_close_timeout=SOON)
        await workflow.wait_condition(lambda: self._packed)
        return await workflow.execute_activity(label, parcel, start_to_close_timeout=SOON)

    @workflow.signal
    def packed(self) -> None:
        self._packed = True


@workflow.defn(name="Parcel")
class Careless:
    """The change without a patch: it breaks every run that has passed this point the old way."""

    def __init__(self) -> None:
        self._packed = False

    @workflow.run
    async def run(self, parcel: str) -> str:
        await workflow.execute_activity(weigh, parcel, start_to_close_timeout=SOON)
        await workflow.wait_condition(lambda: self._packed)
        await workflow.execute_activity(insure, parcel, start_to_close_timeout=SOON)
        return await workflow.execute_activity(label, parcel, start_to_close_timeout=SOON)

    @workflow.signal
    def packed(self) -> None:
        self._packed = True


@workflow.defn(name="Parcel")
class Patched:
    """Step 1: runs that have passed this point the old way go on the old way; all others go the new way."""

    def __init__(self) -> None:
        self._packed = False

    @workflow.run
    async def run(self, parcel: str) -> str:
        await workflow.execute_activity(weigh, parcel, start_to_close_timeout=SOON)
        await workflow.wait_condition(lambda: self._packed)
        if workflow.patched(PATCH):
            await workflow.execute_activity(insure, parcel, start_to_close_timeout=SOON)
        return await workflow.execute_activity(label, parcel, start_to_close_timeout=SOON)

    @workflow.signal
    def packed(self) -> None:
        self._packed = True


@workflow.defn(name="Parcel")
class Deprecated:
    """Step 2, when no run of the old way is open: the old way is gone, the marker in histories is still known."""

    def __init__(self) -> None:
        self._packed = False

    @workflow.run
    async def run(self, parcel: str) -> str:
        await workflow.execute_activity(weigh, parcel, start_to_close_timeout=SOON)
        await workflow.wait_condition(lambda: self._packed)
        workflow.deprecate_patch(PATCH)
        await workflow.execute_activity(insure, parcel, start_to_close_timeout=SOON)
        return await workflow.execute_activity(label, parcel, start_to_close_timeout=SOON)

    @workflow.signal
    def packed(self) -> None:
        self._packed = True
