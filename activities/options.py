"""How long a step may take and how often it is tried in one round. Between rounds the story itself has patience."""

from datetime import timedelta
from typing import Any

from temporalio.common import RetryPolicy

# Our own ledgers: one transaction each, milliseconds; what takes longer is stuck behind a lock or a dead database.
LOCAL: dict[str, Any] = {
    "start_to_close_timeout": timedelta(seconds=4),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(milliseconds=100), backoff_coefficient=3, maximum_attempts=4
    ),
}

# Other people's services: short enough that a dead worker's call is soon made by another.
REGULAR: dict[str, Any] = {
    "start_to_close_timeout": timedelta(seconds=8),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(milliseconds=300), backoff_coefficient=2, maximum_attempts=3
    ),
}

# Between rounds. The last one is repeated for as long as it takes: 24 rounds a day keep a history of months in
# its limits, and an operator need not wait (`try_again`).
PAUSES = tuple(timedelta(seconds=seconds) for seconds in (2, 5, 15, 60, 300, 900, 3_600))
