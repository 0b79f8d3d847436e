"""The two kinds of model everything else is made of."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


class Message(BaseModel):
    """What parts of the system say to each other. Ignores fields it does not know, so that an older
    reader survives a newer writer; a new field needs a default, so that a newer reader survives an older one."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


class Document(BaseModel):
    """What people and other programs write. A key it does not know is an error that names it."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


def _utc(value: datetime) -> datetime:
    if value.utcoffset() is None or value.utcoffset() != UTC.utcoffset(None):
        raise ValueError("must be a time in UTC, like 2026-11-11T00:00:00Z")
    return value.astimezone(UTC)


Utc = Annotated[datetime, AfterValidator(_utc)]
Fen = Annotated[int, Field(ge=0)]
"""Money: whole fen (1 yuan = 100 fen), never a float."""
