"""What a message takes for a moment."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydantic import ValidationError

from domain.base import Message, Utc

NOON = datetime(2026, 1, 11, 12, tzinfo=UTC)


class Note(Message):
    at: Utc


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(0), "Z")])
def test_a_moment_without_an_offset_becomes_utc_itself(zone: timezone) -> None:
    at = Note(at=NOON.replace(tzinfo=zone)).at
    assert (at, at.tzinfo) == (NOON, UTC)


@pytest.mark.parametrize("text", ["2026-01-11T12:00:00Z", "2026-01-11T12:00:00+00:00"])
def test_what_is_read_is_utc_itself(text: str) -> None:
    at = Note.model_validate_json(f'{{"at": "{text}"}}').at
    assert (at, at.tzinfo) == (NOON, UTC)


@pytest.mark.parametrize("text", ["2026-01-11T12:00:00", "2026-01-11T12:00:00+08:00"])
def test_a_local_time_is_refused_and_told_what_would_do(text: str) -> None:
    with pytest.raises(ValidationError, match="must be a time in UTC, like 2026-11-11T00:00:00Z"):
        Note.model_validate_json(f'{{"at": "{text}"}}')
