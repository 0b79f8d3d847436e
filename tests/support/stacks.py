"""Everything that `make up` starts, on ports and in a folder of its own."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from runtime.embedded import free_port
from runtime.settings import Settings
from runtime.up import Stack


@asynccontextmanager
async def a_stack() -> AsyncIterator[Settings]:
    """A running stack, and the settings that it runs with."""
    with tempfile.TemporaryDirectory(prefix="orders-stack-") as folder:
        settings = Settings(
            data_dir=Path(folder),
            temporal_port=free_port(),
            temporal_ui_port=free_port(),
            gateway_port=free_port(),
            sandbox_port=free_port(),
            metrics_port=0,
        )
        async with Stack(settings):
            yield settings
