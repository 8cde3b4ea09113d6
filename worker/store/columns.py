"""Columns that many tables have."""

from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, Identity, Text, text
from sqlmodel import Field

C_TEXT = Text(collation="C")
TIME = DateTime(timezone=True)


def number_column() -> Any:
    """The number by which the database knows a row."""
    return Field(default=None, sa_column=Column("id", BigInteger, Identity(always=True), primary_key=True))


def campaign_column() -> Any:
    """The number of a campaign, without a foreign key."""
    return Field(sa_column=Column("campaign_id", BigInteger, nullable=False))


def created_at_column() -> Any:
    """When the row was made."""
    return Field(default=None, sa_column=Column("created_at", TIME, nullable=False, server_default=text("now()")))
