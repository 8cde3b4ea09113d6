"""The tables. The migrations make them; a test holds both equal.

They stand beside the statements, not in `domain`, because collation, JSONB and partial indexes are the store's
matter.

- Every row is numbered by the database; `domain.identifiers` derives its public id.
- Texts that are compared are COLLATE "C": a temporary table's column with another collation than the lead's
  made the merge 40 times slower, because the join could not use the unique index.
- `lead` and `send` carry no foreign keys: they are written only in their campaign's lane, campaigns are never
  deleted, and a check for each row would cost more than the row.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID
from sqlmodel import Field, SQLModel

from domain.api_key import Scope
from domain.campaign import CampaignStatus
from domain.file_import import ImportStatus
from domain.identifiers import public_id
from domain.job import JobStatus, KeySpace
from domain.merge import LeadFields
from domain.rows import Value
from domain.send import SendStatus
from domain.sequence import EnrollmentStatus, SequenceStep, StopReason
from domain.signature import Encoding, Scheme
from domain.source import Outcome

_C = Text(collation="C")
_TIME = DateTime(timezone=True)


def _number() -> Any:
    return Field(default=None, sa_column=Column("id", BigInteger, Identity(always=True), primary_key=True))


def _campaign_number() -> Any:
    return Field(sa_column=Column("campaign_id", BigInteger, nullable=False))


def _created_at() -> Any:
    return Field(default=None, sa_column=Column("created_at", _TIME, nullable=False, server_default=text("now()")))


class Workspace(SQLModel, table=True):
    """The tenant."""

    number: int = _number()
    name: str = Field(sa_column=Column(_C, nullable=False, unique=True))
    created_at: datetime = _created_at()

    @property
    def public_id(self) -> str:
        """`ws_…`."""
        return public_id("ws", self.number, self.created_at)


class ApiKeyRow(SQLModel, table=True):
    """A key to the API. `digest`: the SHA-256 of the key, which itself is stored nowhere."""

    __tablename__: Any = "api_key"

    number: int = _number()
    workspace_number: int = Field(
        sa_column=Column("workspace_id", BigInteger, ForeignKey("workspace.id"), nullable=False, index=True)
    )
    name: str = Field(sa_column=Column(Text, nullable=False))
    digest: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    scopes: list[Scope] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    created_at: datetime = _created_at()
    expires_at: datetime | None = Field(default=None, sa_column=Column(_TIME))
    revoked_at: datetime | None = Field(default=None, sa_column=Column(_TIME))
    last_used_at: datetime | None = Field(default=None, sa_column=Column(_TIME))

    @property
    def public_id(self) -> str:
        """`key_…`."""
        return public_id("key", self.number, self.created_at)


class Campaign(SQLModel, table=True):
    """A sequence of steps and the leads enrolled in it."""

    __table_args__ = (
        CheckConstraint("status IN ('draft', 'running', 'paused')", name="campaign_status"),
        Index("campaign_running", "id", postgresql_where=text("status = 'running'")),
    )

    number: int = _number()
    workspace_number: int = Field(
        sa_column=Column("workspace_id", BigInteger, ForeignKey("workspace.id"), nullable=False, index=True)
    )
    name: str = Field(sa_column=Column(Text, nullable=False))
    status: CampaignStatus = Field(default="draft", sa_column=Column(_C, nullable=False, server_default="draft"))
    sequence_steps: list[dict[str, Any]] = Field(sa_column=Column(JSONB, nullable=False))
    created_at: datetime = _created_at()
    started_at: datetime | None = Field(default=None, sa_column=Column(_TIME))
    paused_at: datetime | None = Field(default=None, sa_column=Column(_TIME))

    @property
    def public_id(self) -> str:
        """`camp_…`."""
        return public_id("camp", self.number, self.created_at)

    @property
    def steps(self) -> list[SequenceStep]:
        """The steps in order."""
        return [SequenceStep.model_validate(step) for step in self.sequence_steps]


class Job(SQLModel, table=True):
    """One accepted bulk upsert request: the truth that a nudge only points at.

    `rows` are the folded rows as bytes that COPY takes as they are; `duplicate_rows` are pairs (input index,
    position of the folded row); `outcomes` has a letter for each folded row: c(reated), u(pdated), n(ot changed).
    `import_number`: the import that it is a part of, if any.
    """

    __table_args__ = (
        CheckConstraint("status IN ('accepted', 'applied', 'dead')", name="job_status"),
        CheckConstraint(
            "status <> 'applied' OR received = created + updated + duplicates + skipped + errors",
            name="job_adds_up",
        ),
        UniqueConstraint("workspace_id", "key_space", "idempotency_key", name="job_idempotency_key"),
        Index("job_accepted", "campaign_id", "id", postgresql_where=text("status = 'accepted'")),
        Index("job_campaign", "campaign_id", "id"),
        Index("job_dead", "id", postgresql_where=text("status = 'dead'")),
        Index("job_kept_rows", "finished_at", postgresql_where=text("rows IS NOT NULL")),
        Index("job_import", "import_id", postgresql_where=text("import_id IS NOT NULL")),
    )

    number: int = _number()
    workspace_number: int = Field(
        sa_column=Column("workspace_id", BigInteger, ForeignKey("workspace.id"), nullable=False)
    )
    campaign_number: int = Field(sa_column=Column("campaign_id", BigInteger, ForeignKey("campaign.id"), nullable=False))
    status: JobStatus = Field(default="accepted", sa_column=Column(_C, nullable=False, server_default="accepted"))
    key_space: KeySpace | None = Field(default=None, sa_column=Column(_C))
    idempotency_key: str | None = Field(default=None, sa_column=Column(_C))
    fingerprint: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    rows: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    row_count: int = Field(sa_column=Column(Integer, nullable=False))
    row_errors: list[dict[str, Any]] | None = Field(default=None, sa_column=Column(JSONB))
    duplicate_rows: list[int] | None = Field(default=None, sa_column=Column(ARRAY(Integer)))
    outcomes: str | None = Field(default=None, sa_column=Column(_C))
    received: int = Field(sa_column=Column(Integer, nullable=False))
    duplicates: int = Field(sa_column=Column(Integer, nullable=False))
    skipped: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default="0"))
    errors: int = Field(sa_column=Column(Integer, nullable=False))
    created: int | None = Field(default=None, sa_column=Column(Integer))
    updated: int | None = Field(default=None, sa_column=Column(Integer))
    unchanged: int | None = Field(default=None, sa_column=Column(Integer))
    enrolled: int | None = Field(default=None, sa_column=Column(Integer))
    attempts: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default="0"))
    last_error: str | None = Field(default=None, sa_column=Column(Text))
    created_at: datetime = _created_at()
    finished_at: datetime | None = Field(default=None, sa_column=Column(_TIME))
    import_number: int | None = Field(
        default=None, sa_column=Column("import_id", BigInteger, ForeignKey("lead_import.id"))
    )

    @property
    def public_id(self) -> str:
        """`job_…`."""
        return public_id("job", self.number, self.created_at)


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

    number: int = _number()
    workspace_number: int = Field(
        sa_column=Column("workspace_id", BigInteger, ForeignKey("workspace.id"), nullable=False)
    )
    campaign_number: int = Field(sa_column=Column("campaign_id", BigInteger, ForeignKey("campaign.id"), nullable=False))
    reading: ImportStatus = Field(default="running", sa_column=Column(_C, nullable=False, server_default="running"))
    why: str | None = Field(default=None, sa_column=Column(Text))
    chunks: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default="0"))
    received: int = Field(default=0, sa_column=Column(BigInteger, nullable=False, server_default="0"))
    rejected: int = Field(default=0, sa_column=Column(BigInteger, nullable=False, server_default="0"))
    heard_at: datetime = Field(default=None, sa_column=Column(_TIME, nullable=False, server_default=text("now()")))
    created_at: datetime = _created_at()
    finished_at: datetime | None = Field(default=None, sa_column=Column(_TIME))

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
    email: str | None = Field(default=None, sa_column=Column(_C))
    field: str | None = Field(default=None, sa_column=Column(_C))
    code: str = Field(sa_column=Column(_C, nullable=False))
    message: str = Field(sa_column=Column(_C, nullable=False))


class Lead(SQLModel, table=True):
    """A contact in one campaign, with its enrollment.

    The enrollment is part of the row: in a table of its own it cost a third of the speed.
    """

    __table_args__ = (
        CheckConstraint("status IN ('waiting', 'active', 'completed', 'stopped')", name="lead_enrollment_status"),
        UniqueConstraint("campaign_id", "email", name="lead_campaign_email"),
        Index("lead_due", "campaign_id", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    )

    number: int = _number()
    campaign_number: int = _campaign_number()
    email: str = Field(sa_column=Column(_C, nullable=False))
    first_name: str | None = Field(default=None, sa_column=Column(_C))
    company: str | None = Field(default=None, sa_column=Column(_C))
    job_title: str | None = Field(default=None, sa_column=Column(_C))
    custom_variables: dict[str, Value] = Field(sa_column=Column(JSONB, nullable=False))
    status: EnrollmentStatus = Field(default="waiting", sa_column=Column(_C, nullable=False, server_default="waiting"))
    position: int = Field(default=0, sa_column=Column(SmallInteger, nullable=False, server_default="0"))
    due_at: datetime | None = Field(default=None, sa_column=Column(_TIME, server_default=text("now()")))
    enrolled_at: datetime = Field(sa_column=Column(_TIME, nullable=False, server_default=text("now()")))
    stop_reason: StopReason | None = Field(default=None, sa_column=Column(_C))
    created_at: datetime = _created_at()
    updated_at: datetime = Field(sa_column=Column(_TIME, nullable=False, server_default=text("now()")))

    @property
    def public_id(self) -> str:
        """`lead_…`."""
        return public_id("lead", self.number, self.created_at)

    @property
    def fields(self) -> LeadFields:
        """What the merge rule sees of it."""
        standard = {"firstName": self.first_name, "company": self.company, "jobTitle": self.job_title}
        return LeadFields(standard, self.custom_variables)


class Send(SQLModel, table=True):
    """One message of one step to one lead. UNIQUE (lead, step) is what keeps a step from going out twice.

    `held_until`: nobody may claim the send before: the end of a claim's lease, or of a back-off. `settled`: the
    enrollment has taken note of the outcome.
    """

    __table_args__ = (
        CheckConstraint(
            "status IN ('queued', 'sending', 'sent', 'failed', 'unknown', 'cancelled')", name="send_status"
        ),
        UniqueConstraint("lead_id", "step", name="send_lead_step"),
        Index("send_queued", "campaign_id", "id", postgresql_where=text("status = 'queued'")),
        Index(
            "send_unsettled",
            "campaign_id",
            "id",
            postgresql_where=text("status IN ('sent', 'failed') AND NOT settled"),
        ),
        Index("send_open", "status", "id", postgresql_where=text("status IN ('sending', 'unknown')")),
    )

    number: int = _number()
    campaign_number: int = _campaign_number()
    lead_number: int = Field(sa_column=Column("lead_id", BigInteger, nullable=False))
    step: int = Field(sa_column=Column(SmallInteger, nullable=False))
    status: SendStatus = Field(default="queued", sa_column=Column(_C, nullable=False, server_default="queued"))
    settled: bool = Field(default=False, nullable=False, sa_column_kwargs={"server_default": text("false")})
    claim_token: str | None = Field(default=None, sa_column=Column(UUID(as_uuid=False)))
    held_until: datetime = Field(sa_column=Column(_TIME, nullable=False, server_default=text("now()")))
    attempts: int = Field(default=0, sa_column=Column(SmallInteger, nullable=False, server_default="0"))
    last_error: str | None = Field(default=None, sa_column=Column(Text))
    created_at: datetime = _created_at()
    finished_at: datetime | None = Field(default=None, sa_column=Column(_TIME))

    @property
    def public_id(self) -> str:
        """`send_…`."""
        return public_id("send", self.number, self.created_at)


class Source(SQLModel, table=True):
    """Who may push leads into a campaign by webhook, how it signs, and how its payloads become leads.

    The secrets are stored as they are: whoever checks an HMAC needs the very secret that made it. No report shows them.
    """

    __table_args__ = (
        CheckConstraint("scheme IN ('standard', 'hmac')", name="source_scheme"),
        CheckConstraint("encoding IN ('hex', 'base64')", name="source_encoding"),
    )

    number: int = _number()
    workspace_number: int = Field(
        sa_column=Column("workspace_id", BigInteger, ForeignKey("workspace.id"), nullable=False, index=True)
    )
    campaign_number: int = Field(sa_column=Column("campaign_id", BigInteger, ForeignKey("campaign.id"), nullable=False))
    name: str = Field(sa_column=Column(Text, nullable=False))
    scheme: Scheme = Field(sa_column=Column(_C, nullable=False))
    secret: str = Field(sa_column=Column(_C, nullable=False))
    previous_secret: str | None = Field(default=None, sa_column=Column(_C))
    previous_secret_until: datetime | None = Field(default=None, sa_column=Column(_TIME))
    header: str | None = Field(default=None, sa_column=Column(_C))
    encoding: Encoding | None = Field(default=None, sa_column=Column(_C))
    prefix: str | None = Field(default=None, sa_column=Column(_C))
    id_header: str | None = Field(default=None, sa_column=Column(_C))
    id_path: str | None = Field(default=None, sa_column=Column(Text))
    leads_path: str = Field(sa_column=Column(Text, nullable=False))
    mapping: dict[str, str] = Field(sa_column=Column(JSONB, nullable=False))
    created_at: datetime = _created_at()
    disabled_at: datetime | None = Field(default=None, sa_column=Column(_TIME))

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

    number: int = _number()
    source_number: int = Field(sa_column=Column("source_id", BigInteger, ForeignKey("source.id"), nullable=False))
    received_at: datetime = Field(default=None, sa_column=Column(_TIME, nullable=False, server_default=text("now()")))
    outcome: Outcome = Field(sa_column=Column(_C, nullable=False))
    detail: str | None = Field(default=None, sa_column=Column(_C))
    job_number: int | None = Field(default=None, sa_column=Column("job_id", BigInteger))
    times: int = Field(default=1, sa_column=Column(BigInteger, nullable=False, server_default="1"))
