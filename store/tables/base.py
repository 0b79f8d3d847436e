"""The metadata of the tables, and the kinds of columns that they share."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    MetaData,
    Table,
    Text,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    }
)


def at(name: str, *, null: bool = False) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=null, server_default=None if null else func.now())


def text(name: str, *, null: bool = False, default: str | None = None) -> Column[object]:
    return Column(name, Text, nullable=null, server_default=default)


def fen(name: str) -> Column[object]:
    return Column(name, BigInteger, CheckConstraint(f"{name} >= 0", name=name), nullable=False)


def operations(name: str) -> Table:
    """The table of what a ledger has done: each operation's key, with the answer that it gave."""
    return Table(name, metadata, Column("key", Text, primary_key=True), Column("result", JSONB), at("at"))
