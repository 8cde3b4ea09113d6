"""Logs, as text or as JSON (ENROLL_LOG_FORMAT): each line says which request, campaign and job it is about.

Nothing of a lead stands in them. So of an exception there are its name and the lines that led to it, never its message,
which may quote what a lead holds, whoever logs it: we, Celery or uvicorn.
"""

import logging
import traceback
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, cast

from pydantic_core import to_json

from worker.observability import context
from worker.settings import settings

ExcInfo = tuple[type[BaseException] | None, BaseException | None, TracebackType | None]


class _Formatter(logging.Formatter):
    def formatException(self, ei: Any) -> str:  # noqa: N802  # logging's own name
        """Tell an exception without its message."""
        kind, _, trace = cast("ExcInfo", ei)
        return f"{kind.__name__ if kind else 'error'}\n{''.join(traceback.format_tb(trace))}".rstrip()

    def said(self, record: logging.LogRecord) -> str:
        """Give the message; of a task that failed Celery's own would quote the error."""
        told: Any = record.args
        if record.name == "celery.app.trace" and record.levelno > logging.INFO and isinstance(told, dict):
            facts = cast("dict[str, object]", told)
            return f"Task {facts.get('name')}[{facts.get('id')}] failed"
        return record.getMessage()


class TextFormatter(_Formatter):
    """For people: `[time: LEVEL/process] message  campaign=camp_… job=job_…`."""

    def format(self, record: logging.LogRecord) -> str:
        """Give one line, and the lines of code where there is an exception."""
        ids = " ".join(f"{name}={value}" for name, value in context.ids().items())
        line = f"[{self.formatTime(record)}: {record.levelname}/{record.processName}] {self.said(record)}"
        where = f"\n{self.formatException(record.exc_info)}" if record.exc_info else ""
        return f"{line}  {ids}{where}" if ids else f"{line}{where}"


class JsonFormatter(_Formatter):
    """For programs: one object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Give one line."""
        told: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": self.said(record),
            "process": record.process,
            **context.ids(),
        }
        if record.exc_info:
            told["error"] = self.formatException(record.exc_info)
        return to_json(told).decode()


def configure(level: int = logging.INFO, file: str | None = None) -> None:
    """Let all loggers of this process write to stderr, or to a file, in the one format."""
    handler = logging.FileHandler(Path(file)) if file else logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if settings().log_format == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.captureWarnings(capture=True)
