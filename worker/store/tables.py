"""The tables. The migrations make them; a test holds both equal.

They stand beside the statements, not in `domain`, because collation, JSONB and partial indexes are the store's
matter.

- Every row is numbered by the database; `domain.identifiers` derives its public id.
- Texts that are compared are COLLATE "C": an incoming column with another collation than the lead's
  made the merge 40 times slower, because the join could not use the unique index.
- `lead` and `send` carry no foreign keys: they are written only in their campaign's lane, campaigns are never
  deleted, and a check for each row would cost more than the row.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
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

from domain.campaign import CampaignStatus
from domain.identifiers import public_id
from domain.job import JobStatus, KeySpace
from domain.merge import LeadFields
from domain.rows import Value
from domain.send import SendStatus
from domain.sequence import EnrollmentStatus, SequenceStep, StopReason
from worker.store.columns import C_TEXT, TIME, campaign_column, now_column, number_column, workspace_column


class Workspace(SQLModel, table=True):
    """The tenant."""

    number: int = number_column()
    name: str = Field(sa_column=Column(C_TEXT, nullable=False, unique=True))
    created_at: datetime = now_column()

    @property
    def public_id(self) -> str:
        """`ws_…`."""
        return public_id("ws", self.number, self.created_at)


class Campaign(SQLModel, table=True):
    """A sequence of steps and the leads enrolled in it."""

    __table_args__ = (
        CheckConstraint("status IN ('draft', 'running', 'paused')", name="campaign_status"),
        Index("campaign_running", "id", postgresql_where=text("status = 'running'")),
    )

    number: int = number_column()
    workspace_number: int = workspace_column(index=True)
    name: str = Field(sa_column=Column(Text, nullable=False))
    status: CampaignStatus = Field(default="draft", sa_column=Column(C_TEXT, nullable=False, server_default="draft"))
    sequence_steps: list[dict[str, Any]] = Field(sa_column=Column(JSONB, nullable=False))
    created_at: datetime = now_column()
    started_at: datetime | None = Field(default=None, sa_column=Column(TIME))
    paused_at: datetime | None = Field(default=None, sa_column=Column(TIME))
    running_since: datetime | None = Field(default=None, sa_column=Column(TIME))

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

    `rows` are the folded rows as `row_format` writes them; `duplicate_rows` are pairs (input index,
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
        Index("job_workspace", "workspace_id", "id"),
        Index("job_failing", "id", postgresql_where=text("status = 'accepted' AND last_error IS NOT NULL")),
        Index("job_dead", "id", postgresql_where=text("status = 'dead'")),
        Index("job_kept_rows", "finished_at", postgresql_where=text("rows IS NOT NULL")),
        Index("job_import", "import_id", postgresql_where=text("import_id IS NOT NULL")),
        # Counting an attempt writes each job of a batch: in its page 8 µs a job, elsewhere and in six indexes 41.
        {"postgresql_with": {"fillfactor": 50}},
    )

    number: int = number_column()
    workspace_number: int = workspace_column()
    campaign_number: int = Field(sa_column=Column("campaign_id", BigInteger, ForeignKey("campaign.id"), nullable=False))
    status: JobStatus = Field(default="accepted", sa_column=Column(C_TEXT, nullable=False, server_default="accepted"))
    key_space: KeySpace | None = Field(default=None, sa_column=Column(C_TEXT))
    idempotency_key: str | None = Field(default=None, sa_column=Column(C_TEXT))
    fingerprint: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    rows: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    row_count: int = Field(sa_column=Column(Integer, nullable=False))
    row_errors: list[dict[str, Any]] | None = Field(default=None, sa_column=Column(JSONB))
    duplicate_rows: list[int] | None = Field(default=None, sa_column=Column(ARRAY(Integer)))
    outcomes: str | None = Field(default=None, sa_column=Column(C_TEXT))
    received: int = Field(sa_column=Column(Integer, nullable=False))
    duplicates: int = Field(sa_column=Column(Integer, nullable=False))
    skipped: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default="0"))
    errors: int = Field(sa_column=Column(Integer, nullable=False))
    created: int | None = Field(default=None, sa_column=Column(Integer))
    updated: int | None = Field(default=None, sa_column=Column(Integer))
    unchanged: int | None = Field(default=None, sa_column=Column(Integer))
    enrolled: int | None = Field(default=None, sa_column=Column(Integer))
    attempts: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default="0"))
    suspect: bool = Field(default=False, sa_column=Column(Boolean, nullable=False, server_default=text("false")))
    last_error: str | None = Field(default=None, sa_column=Column(Text))
    created_at: datetime = now_column()
    taken_at: datetime | None = Field(default=None, sa_column=Column(TIME))
    applied_by: str | None = Field(default=None, sa_column=Column(C_TEXT))
    finished_at: datetime | None = Field(default=None, sa_column=Column(TIME))
    import_number: int | None = Field(
        default=None, sa_column=Column("import_id", BigInteger, ForeignKey("lead_import.id"))
    )
    trace: str | None = Field(default=None, sa_column=Column(Text))

    @property
    def public_id(self) -> str:
        """`job_…`."""
        return public_id("job", self.number, self.created_at)


class Lead(SQLModel, table=True):
    """A contact in one campaign, with its enrollment.

    The enrollment is part of the row: in a table of its own it cost a third of the speed.
    """

    __table_args__ = (
        CheckConstraint("status IN ('waiting', 'active', 'completed', 'stopped')", name="lead_enrollment_status"),
        UniqueConstraint("campaign_id", "email", name="lead_campaign_email"),
        Index("lead_due", "campaign_id", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    )

    number: int = number_column()
    campaign_number: int = campaign_column()
    email: str = Field(sa_column=Column(C_TEXT, nullable=False))
    first_name: str | None = Field(default=None, sa_column=Column(C_TEXT))
    company: str | None = Field(default=None, sa_column=Column(C_TEXT))
    job_title: str | None = Field(default=None, sa_column=Column(C_TEXT))
    custom_variables: dict[str, Value] = Field(sa_column=Column(JSONB, nullable=False))
    status: EnrollmentStatus = Field(
        default="waiting", sa_column=Column(C_TEXT, nullable=False, server_default="waiting")
    )
    position: int = Field(default=0, sa_column=Column(SmallInteger, nullable=False, server_default="0"))
    due_at: datetime | None = Field(default=None, sa_column=Column(TIME, server_default=text("now()")))
    enrolled_at: datetime = Field(sa_column=Column(TIME, nullable=False, server_default=text("now()")))
    stop_reason: StopReason | None = Field(default=None, sa_column=Column(C_TEXT))
    created_at: datetime = now_column()
    updated_at: datetime = Field(sa_column=Column(TIME, nullable=False, server_default=text("now()")))

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
    enrollment has taken note of the outcome. `trace`: the W3C traceparent it belongs to. `accepted_at`: when the job
    was accepted that brought its lead into a campaign that ran.
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
        Index("send_failed", "id", postgresql_where=text("status = 'failed'")),
        Index("send_failed_of_campaign", "campaign_id", "id", postgresql_where=text("status = 'failed'")),
        Index("send_retrying", "id", postgresql_where=text("status = 'queued' AND last_error IS NOT NULL")),
        Index("send_open", "status", "id", postgresql_where=text("status IN ('sending', 'unknown')")),
    )

    number: int = number_column()
    campaign_number: int = campaign_column()
    lead_number: int = Field(sa_column=Column("lead_id", BigInteger, nullable=False))
    step: int = Field(sa_column=Column(SmallInteger, nullable=False))
    status: SendStatus = Field(default="queued", sa_column=Column(C_TEXT, nullable=False, server_default="queued"))
    settled: bool = Field(default=False, nullable=False, sa_column_kwargs={"server_default": text("false")})
    claim_token: str | None = Field(default=None, sa_column=Column(UUID(as_uuid=False)))
    held_until: datetime = Field(sa_column=Column(TIME, nullable=False, server_default=text("now()")))
    attempts: int = Field(default=0, sa_column=Column(SmallInteger, nullable=False, server_default="0"))
    last_error: str | None = Field(default=None, sa_column=Column(Text))
    created_at: datetime = now_column()
    finished_at: datetime | None = Field(default=None, sa_column=Column(TIME))
    trace: str | None = Field(default=None, sa_column=Column(Text))
    accepted_at: datetime | None = Field(default=None, sa_column=Column(TIME))

    @property
    def public_id(self) -> str:
        """`send_…`."""
        return public_id("send", self.number, self.created_at)
