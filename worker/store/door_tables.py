"""The tables of the doors: keys, file imports, sources of webhooks and what came of their deliveries."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field, SQLModel

from domain.api_key import Scope
from domain.file_import import ImportStatus
from domain.identifiers import public_id
from domain.signature import Encoding, Scheme
from domain.source import Outcome
from worker.store.columns import C_TEXT, TIME, now_column, number_column, workspace_column


class ApiKeyRow(SQLModel, table=True):
    """A key to the API. `digest`: the SHA-256 of the key, which itself is stored nowhere."""

    __tablename__: Any = "api_key"

    number: int = number_column()
    workspace_number: int = workspace_column(index=True)
    name: str = Field(sa_column=Column(Text, nullable=False))
    digest: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    scopes: list[Scope] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    created_at: datetime = now_column()
    expires_at: datetime | None = Field(default=None, sa_column=Column(TIME))
    revoked_at: datetime | None = Field(default=None, sa_column=Column(TIME))
    last_used_at: datetime | None = Field(default=None, sa_column=Column(TIME))

    @property
    def public_id(self) -> str:
        """`key_…`."""
        return public_id("key", self.number, self.created_at)


class LeadImport(SQLModel, table=True):
    """A file of leads that becomes jobs. What they come to is the sum over them: nobody writes this row beside them.

    `reading`: how far the file is read, which is not yet the status. `chunks`: how many parts of it are committed, so
    that whoever does not know whether the last one was can try again. `heard_at`: when its reader last lived.
    """

    __tablename__: Any = "lead_import"
    __table_args__ = (
        CheckConstraint("reading IN ('running', 'complete', 'incomplete')", name="lead_import_reading"),
        Index("lead_import_campaign", "campaign_id", "id"),
    )

    number: int = number_column()
    workspace_number: int = workspace_column()
    campaign_number: int = Field(sa_column=Column("campaign_id", BigInteger, ForeignKey("campaign.id"), nullable=False))
    reading: ImportStatus = Field(default="running", sa_column=Column(C_TEXT, nullable=False, server_default="running"))
    why: str | None = Field(default=None, sa_column=Column(Text))
    chunks: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default="0"))
    received: int = Field(default=0, sa_column=Column(BigInteger, nullable=False, server_default="0"))
    rejected: int = Field(default=0, sa_column=Column(BigInteger, nullable=False, server_default="0"))
    heard_at: datetime = now_column()
    created_at: datetime = now_column()
    finished_at: datetime | None = Field(default=None, sa_column=Column(TIME))

    @property
    def public_id(self) -> str:
        """`imp_…`."""
        return public_id("imp", self.number, self.created_at)


class ImportErrorRow(SQLModel, table=True):
    """A row of an imported file that was not taken, by the line where it starts."""

    __tablename__: Any = "import_error"

    import_number: int = Field(
        sa_column=Column("import_id", BigInteger, ForeignKey("lead_import.id"), primary_key=True, autoincrement=False)
    )
    line: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    email: str | None = Field(default=None, sa_column=Column(C_TEXT))
    field: str | None = Field(default=None, sa_column=Column(C_TEXT))
    code: str = Field(sa_column=Column(C_TEXT, nullable=False))
    message: str = Field(sa_column=Column(C_TEXT, nullable=False))


class Source(SQLModel, table=True):
    """Who may push leads into a campaign by webhook, how it signs, and how its payloads become leads.

    The secrets are stored as they are: whoever checks an HMAC needs the very secret that made it. No report shows them.
    """

    __table_args__ = (
        CheckConstraint("scheme IN ('standard', 'hmac')", name="source_scheme"),
        CheckConstraint("encoding IN ('hex', 'base64')", name="source_encoding"),
    )

    number: int = number_column()
    workspace_number: int = workspace_column(index=True)
    campaign_number: int = Field(sa_column=Column("campaign_id", BigInteger, ForeignKey("campaign.id"), nullable=False))
    name: str = Field(sa_column=Column(Text, nullable=False))
    scheme: Scheme = Field(sa_column=Column(C_TEXT, nullable=False))
    secret: str = Field(sa_column=Column(C_TEXT, nullable=False))
    previous_secret: str | None = Field(default=None, sa_column=Column(C_TEXT))
    previous_secret_until: datetime | None = Field(default=None, sa_column=Column(TIME))
    header: str | None = Field(default=None, sa_column=Column(C_TEXT))
    encoding: Encoding | None = Field(default=None, sa_column=Column(C_TEXT))
    prefix: str | None = Field(default=None, sa_column=Column(C_TEXT))
    id_header: str | None = Field(default=None, sa_column=Column(C_TEXT))
    id_path: str | None = Field(default=None, sa_column=Column(Text))
    leads_path: str = Field(sa_column=Column(Text, nullable=False))
    mapping: dict[str, str] = Field(sa_column=Column(JSONB, nullable=False))
    created_at: datetime = now_column()
    disabled_at: datetime | None = Field(default=None, sa_column=Column(TIME))

    @property
    def public_id(self) -> str:
        """`src_…`."""
        return public_id("src", self.number, self.created_at)


class SourceDelivery(SQLModel, table=True):
    """What became of one delivery of a source, for people who wonder. Only the newest of a source are kept.

    Refusals for one reason are one row, which counts them in `times`: they come from whoever knows the address.
    """

    __tablename__: Any = "source_delivery"
    __table_args__ = (
        Index("source_delivery_source", "source_id", "id"),
        Index(
            "source_delivery_refused", "source_id", "detail", unique=True, postgresql_where=text("outcome = 'refused'")
        ),
    )

    number: int = number_column()
    source_number: int = Field(sa_column=Column("source_id", BigInteger, ForeignKey("source.id"), nullable=False))
    received_at: datetime = now_column()
    outcome: Outcome = Field(sa_column=Column(C_TEXT, nullable=False))
    detail: str | None = Field(default=None, sa_column=Column(C_TEXT))
    job_number: int | None = Field(default=None, sa_column=Column("job_id", BigInteger))
    times: int = Field(default=1, sa_column=Column(BigInteger, nullable=False, server_default="1"))
