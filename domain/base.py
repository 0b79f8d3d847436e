"""The two kinds of model that everything else is made of: messages and documents."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

_NO_OFFSET = timedelta(0)


class Message(BaseModel):
    """A message between parts of the system. Fields it does not know are ignored, so that an older reader
    survives a newer writer; a new field needs a default, so that a newer reader survives an older writer."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


class Document(BaseModel):
    """A document that people or other programs write. An unknown key is an error that names the key."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    @field_validator("*")
    @classmethod
    def _storable(cls, value: object) -> object:
        # JSON and Python can hold a NUL, but PostgreSQL's text can't: an order with one would be retried for ever.
        if _holds_nul(value):
            raise ValueError("must not hold the character NUL")
        return value


def _holds_nul(value: object) -> bool:
    if isinstance(value, dict):
        return any(_holds_nul(part) for pair in value.items() for part in pair)
    if isinstance(value, list):
        return any(_holds_nul(part) for part in value)
    return isinstance(value, str) and "\0" in value


def _utc(value: datetime) -> datetime:
    if value.tzinfo is UTC:
        return value
    if value.utcoffset() != _NO_OFFSET:
        raise ValueError("must be a time in UTC, like 2026-11-11T00:00:00Z")
    return value.astimezone(UTC)


Utc = Annotated[datetime, AfterValidator(_utc)]
Fen = Annotated[int, Field(ge=0)]
"""Money: whole fen (1 yuan = 100 fen), never a float."""
