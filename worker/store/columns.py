"""Columns that many tables have."""

from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, ForeignKey, Identity, Text, text
from sqlmodel import Field

C_TEXT = Text(collation="C")
TIME = DateTime(timezone=True)


def number_column() -> Any:
    """The number by which the database knows a row."""
    return Field(default=None, sa_column=Column("id", BigInteger, Identity(always=True), primary_key=True))


def workspace_column(*, index: bool = False) -> Any:
    """The number of the workspace that the row belongs to."""
    return Field(sa_column=Column("workspace_id", BigInteger, ForeignKey("workspace.id"), nullable=False, index=index))


def campaign_column() -> Any:
    """The number of a campaign, without a foreign key."""
    return Field(sa_column=Column("campaign_id", BigInteger, nullable=False))


def now_column() -> Any:
    """A time, of the transaction where nobody names one."""
    return Field(default=None, sa_column=Column(TIME, nullable=False, server_default=text("now()")))
