"""Settings: the environment (prefix `ENROLL_`) and `.env`, read once, frozen."""

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from worker import sentinels


class UnusableSetting(Exception):
    """A setting cannot be used. The message is one line that names the variable."""


def _scheme(*allowed: str) -> AfterValidator:
    def check(url: str) -> str:
        given = url.partition("://")[0].lower()
        if given not in allowed:
            expected = " or ".join(f"{scheme}://" for scheme in allowed)
            raise ValueError(f"must start with {expected}")
        if given == sentinels.SCHEME:
            sentinels.Sentinels.of(url)  # raises where it is none
        else:
            _ = urlsplit(url).port  # raises where it is no number
        return url

    return AfterValidator(check)


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


class Settings(BaseSettings):
    """Every setting of the product; README lists them with their meaning."""

    model_config = SettingsConfigDict(env_prefix="ENROLL_", env_file=".env", extra="ignore", frozen=True)

    database_url: Annotated[str, _scheme("postgresql", "postgres")] | None = None
    redis_url: Annotated[str, _scheme("redis", "rediss", sentinels.SCHEME)] | None = None
    transport_url: str | None = None
    mail_from: str = "Campaigns <campaigns@localhost>"
    data_dir: Annotated[Path, AfterValidator(_absolute)] = Path(".enroll")
    max_leads: int = Field(default=10_000, ge=1)
    max_body_bytes: int = Field(default=10 * 1024 * 1024, ge=1024)
    # Of a file over HTTP, inflated.
    max_import_bytes: int = Field(default=2 * 1024 * 1024 * 1024, ge=1024)
    api_host: str = "127.0.0.1"
    api_port: int = Field(default=8080, ge=1, le=65_535)
    sync_wait_seconds: float = Field(default=10, ge=0, le=30)
    max_backlog_jobs: int = Field(default=10_000, ge=1)
    max_backlog_jobs_in_all: int = Field(default=100_000, ge=1)
    # Requests a minute and key; 0: as many as they like.
    rate_limit: int = Field(default=0, ge=0)
    max_attempts: int = Field(default=5, ge=1)
    sweep_seconds: float = Field(default=10, gt=0)
    retention_days: int = Field(default=7, ge=1)
    # How long a message that a dead worker had taken stays out of sight before another gets it. A message
    # given out twice is harmless, so this is minutes, not Celery's hour.
    visibility_timeout: int = Field(default=120, ge=1)
    # Where a program serves /metrics without a key; none: nowhere. 0: on a free port, which it logs.
    metrics_port: int | None = Field(default=None, ge=0, le=65_535)
    metrics_host: str = "127.0.0.1"
    log_format: Literal["text", "json"] = "text"

    @property
    def effective_transport_url(self) -> str:
        """TRANSPORT_URL, or the default: one file a send under DATA_DIR/outbox."""
        return self.transport_url or f"file://{self.data_dir / 'outbox'}"


def load_settings() -> Settings:
    """Read the settings now; `UnusableSetting` names the first variable that cannot be used."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        variable = f"ENROLL_{'_'.join(map(str, first['loc'][:1])).upper()}"
        raise UnusableSetting(f"{variable} cannot be used: {first['msg'].removeprefix('Value error, ')}") from None


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process, read on first use."""
    return load_settings()
