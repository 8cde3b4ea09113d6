"""The tables of operations: what the stages did, who works, who did what about it.

None of them is needed to be right; every stage would go on without. `stage_minute`, `stage_age` and `worker_start` are
kept for a day, workers for an hour after they were last seen, previews nobody ran for an hour, attempts as long as the
rows of their job, audit and operations for good.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field, SQLModel

from domain.identifiers import public_id
from domain.operation import OperationKind, OperationStatus
from domain.stage import PausableStage, Stage
from worker.store.columns import C_TEXT, TIME, now_column, number_column, workspace_column


def _key(name: str, kind: Any) -> Any:
    return Field(sa_column=Column(name, kind, primary_key=True, autoincrement=False))


def _count() -> Any:
    return Field(default=0, sa_column=Column(BigInteger, nullable=False, server_default="0"))


def _small_count() -> Any:
    return Field(default=0, sa_column=Column(Integer, nullable=False, server_default="0"))


def _seconds() -> Any:
    return Field(default=0.0, sa_column=Column(Double, nullable=False, server_default="0"))


class StageMinute(SQLModel, table=True):
    """What one process did at one stage in one minute. A process has rows of its own, so that nobody waits for them.

    Waits and runs are counted in the bands of `domain.stage`.
    """

    __tablename__: Any = "stage_minute"

    minute: datetime = _key("minute", TIME)
    stage: Stage = _key("stage", C_TEXT)
    process: str = _key("process", C_TEXT)
    workspace_number: int = _key("workspace_id", BigInteger)
    wait_band: int = _key("wait_band", SmallInteger)
    run_band: int = _key("run_band", SmallInteger)
    done: int = _count()
    failed: int = _count()
    retried: int = _count()
    wait_seconds: float = _seconds()
    run_seconds: float = _seconds()
    done_at: datetime | None = Field(default=None, sa_column=Column(TIME))


class CampaignMinute(SQLModel, table=True):
    """How far a campaign came in one minute; what is older than an hour is added up in the row of the minute 0 (1970).

    Only ever written in the campaign's lane, with the work itself. `sent` and `failed`: sends whose outcome the
    enrollment has taken note of. `given_up`: steps that nobody will get any more, because one before them failed.
    """

    __tablename__: Any = "campaign_minute"
    __table_args__ = (Index("campaign_minute_minute", "minute"),)

    campaign_number: int = _key("campaign_id", BigInteger)
    minute: datetime = _key("minute", TIME)
    enrolled: int = _count()
    released: int = _count()
    sent: int = _count()
    failed: int = _count()
    given_up: int = _count()
    released_at: datetime | None = Field(default=None, sa_column=Column(TIME))


class StageAge(SQLModel, table=True):
    """How old the oldest due item of a stage was in one minute, at worst; as the sweep saw it."""

    __tablename__: Any = "stage_age"

    minute: datetime = _key("minute", TIME)
    stage: Stage = _key("stage", C_TEXT)
    oldest_seconds: float = Field(sa_column=Column(Double, nullable=False))
    due: int = Field(sa_column=Column(BigInteger, nullable=False))


class StagePause(SQLModel, table=True):
    """A stage that takes nothing up until somebody resumes it."""

    __tablename__: Any = "stage_pause"
    __table_args__ = (CheckConstraint("stage IN ('apply', 'release', 'deliver')", name="stage_pause_stage"),)

    stage: PausableStage = _key("stage", C_TEXT)
    paused_at: datetime = now_column()
    paused_by: str = Field(sa_column=Column(Text, nullable=False))
    why: str = Field(sa_column=Column(Text, nullable=False))


class WorkerRow(SQLModel, table=True):
    """A Celery worker, as its main process says every few seconds."""

    __tablename__: Any = "worker"

    name: str = _key("name", C_TEXT)
    queues: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    slots: int = Field(sa_column=Column(Integer, nullable=False))
    busy: int = _small_count()
    host: str = Field(sa_column=Column(Text, nullable=False))
    pid: int = Field(sa_column=Column(Integer, nullable=False))
    started_at: datetime = now_column()
    seen_at: datetime = now_column()
    version: str = Field(sa_column=Column(Text, nullable=False, server_default="unknown"))


class WorkerStart(SQLModel, table=True):
    """A worker that started, and what it ran: where the version changes, there was a deployment."""

    __tablename__: Any = "worker_start"

    started_at: datetime = Field(default=None, sa_column=Column(TIME, primary_key=True, server_default=text("now()")))
    name: str = _key("name", C_TEXT)
    version: str = Field(sa_column=Column(Text, nullable=False))


class JobAttempt(SQLModel, table=True):
    """A try at a job that failed. The one that succeeded is told by the job itself.

    `together`: how many jobs were tried at once; of several, none is known to be what failed, and none counts it.
    """

    __tablename__: Any = "job_attempt"
    __table_args__ = (Index("job_attempt_job", "job_id", "id"),)

    number: int = number_column()
    job_number: int = Field(sa_column=Column("job_id", BigInteger, nullable=False))
    attempt: int = Field(sa_column=Column(Integer, nullable=False))
    together: int = Field(sa_column=Column(Integer, nullable=False))
    worker: str = Field(sa_column=Column(C_TEXT, nullable=False))
    started_at: datetime = Field(sa_column=Column(TIME, nullable=False))
    ended_at: datetime = now_column()
    error: str = Field(sa_column=Column(Text, nullable=False))


class OpsSession(SQLModel, table=True):
    """A person at the operations page. `digest`: the SHA-256 of the cookie. It is as good as its key is."""

    __tablename__: Any = "ops_session"

    digest: bytes = _key("digest", LargeBinary)
    key_number: int = Field(sa_column=Column("key_id", BigInteger, ForeignKey("api_key.id"), nullable=False))
    created_at: datetime = now_column()
    expires_at: datetime = Field(sa_column=Column(TIME, nullable=False))
    unmasked_until: datetime | None = Field(default=None, sa_column=Column(TIME))


class Audit(SQLModel, table=True):
    """What a person did, by the operations page, the API or the command line: never changed, never removed."""

    __table_args__ = (
        Index("audit_target", "target", "id"),
        Index("audit_workspace", "workspace_id", "id"),
    )

    number: int = number_column()
    workspace_number: int = workspace_column()
    at: datetime = now_column()
    who: str = Field(sa_column=Column(Text, nullable=False))
    action: str = Field(sa_column=Column(C_TEXT, nullable=False))
    target: str | None = Field(default=None, sa_column=Column(C_TEXT))
    why: str | None = Field(default=None, sa_column=Column(Text))
    before: str | None = Field(default=None, sa_column=Column(Text))
    after: str | None = Field(default=None, sa_column=Column(Text))
    result: str = Field(sa_column=Column(Text, nullable=False))


class Operation(SQLModel, table=True):
    """One action on many items: the set is frozen when it is previewed, and worked through by a worker."""

    __table_args__ = (
        CheckConstraint("kind IN ('retryJobs', 'resolveSent', 'resolveNotSent')", name="operation_kind"),
        CheckConstraint(
            "status IN ('previewed', 'running', 'cancelling', 'cancelled', 'done', 'failed')", name="operation_status"
        ),
        Index("operation_open", "id", postgresql_where=text("status IN ('running', 'cancelling')")),
        Index("operation_workspace", "workspace_id", "id"),
    )

    number: int = number_column()
    workspace_number: int = workspace_column()
    kind: OperationKind = Field(sa_column=Column(C_TEXT, nullable=False))
    status: OperationStatus = Field(
        default="previewed", sa_column=Column(C_TEXT, nullable=False, server_default="previewed")
    )
    filter: str = Field(sa_column=Column(Text, nullable=False))
    who: str = Field(sa_column=Column(Text, nullable=False))
    why: str | None = Field(default=None, sa_column=Column(Text))
    eligible: int = Field(sa_column=Column(Integer, nullable=False))
    ineligible: dict[str, int] = Field(sa_column=Column(JSONB, nullable=False))
    done: int = _small_count()
    skipped: int = _small_count()
    failed: int = _small_count()
    created_at: datetime = now_column()
    started_at: datetime | None = Field(default=None, sa_column=Column(TIME))
    heard_at: datetime | None = Field(default=None, sa_column=Column(TIME))
    finished_at: datetime | None = Field(default=None, sa_column=Column(TIME))

    @property
    def public_id(self) -> str:
        """`op_…`."""
        return public_id("op", self.number, self.created_at)


class OperationItem(SQLModel, table=True):
    """One item of an operation. `outcome`: `done`, or why it was skipped; None while it is open."""

    __tablename__: Any = "operation_item"
    __table_args__ = (
        Index("operation_item_open", "operation_id", "item", postgresql_where=text("outcome IS NULL")),
        Index("operation_item_item", "item"),
    )

    operation_number: int = Field(
        sa_column=Column(
            "operation_id",
            BigInteger,
            ForeignKey("operation.id", ondelete="CASCADE"),
            primary_key=True,
            autoincrement=False,
        )
    )
    item: int = _key("item", BigInteger)
    outcome: str | None = Field(default=None, sa_column=Column(C_TEXT))
