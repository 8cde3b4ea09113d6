"""Traces, with the extra `otel`: one from the request to an API through its job to the message that leaves.

On where OpenTelemetry is installed and told where to send (OTEL_EXPORTER_OTLP_ENDPOINT or …_TRACES_ENDPOINT); its own
variables do the rest. Off, all of this does nothing, and nothing of it is imported.

A job keeps the trace it was accepted in, and the sends of its leads keep it on: what happens days later is part of
it, and no message that got lost can cut it. Where jobs of several traces are applied together, each has its own span,
and the sends released with them go on in the first. Spans carry ids, counts and patterns, no values.
"""

import os
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from importlib.util import find_spec
from time import time_ns
from typing import Any

from worker.observability import context

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_FLUSH_MILLISECONDS = 2_000


@lru_cache(maxsize=1)
def is_on() -> bool:
    """Tell whether there is somebody to tell."""
    wanted = any(os.environ.get(name) for name in _ENDPOINTS)
    disabled = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    return wanted and not disabled and find_spec("opentelemetry.exporter") is not None


def traceparent() -> str | None:
    """Give the span that is under way, in the form of W3C; None where none is, or nobody records it."""
    return _written(_api().get_current_span()) if is_on() else None


@contextmanager
def span(name: str, parent: str | None = None, **facts: object) -> Generator[Callable[[str], None]]:
    """Trace what is done inside; gives what renames it. Without a parent it is a part of what is under way."""
    if not is_on():
        yield lambda _: None
        return
    options = {"record_exception": False, "set_status_on_exception": False}  # both would quote the error's message
    with _tracer().start_as_current_span(
        name, context=_context(parent), attributes=_attributes(facts), **options
    ) as made:
        try:
            yield made.update_name
        finally:
            made.set_attributes(_attributes({}))


def batch(name: str, parents: Sequence[str], seconds: float, **facts: object) -> str | None:
    """Trace what has just been done for several at once: a span in the trace of each. Gives the first."""
    if not (parents and is_on()):
        return None
    made = [_past(name, parent, seconds, facts) for parent in parents]
    return made[0]


def flush() -> None:
    """Send what is to be told before this process ends."""
    if is_on() and _provider.cache_info().currsize:
        _provider(os.getpid()).force_flush(_FLUSH_MILLISECONDS)


def _past(name: str, parent: str, seconds: float, facts: dict[str, object]) -> str | None:
    began = time_ns() - int(seconds * 1_000_000_000)
    done = _tracer().start_span(name, context=_context(parent), attributes=_attributes(facts), start_time=began)
    done.end()
    return _written(done)


def _attributes(facts: dict[str, object]) -> dict[str, Any]:
    ids = {f"enroll.{name}": value for name, value in context.ids().items()}
    return {**ids, **{f"enroll.{name}": value for name, value in facts.items()}}


def _written(of: Any) -> str | None:
    known = of.get_span_context()
    if not (known.is_valid and known.trace_flags.sampled):
        return None
    return f"00-{known.trace_id:032x}-{known.span_id:016x}-01"


def _context(parent: str | None) -> Any:
    if parent is None:
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415  # the extra

    return TraceContextTextMapPropagator().extract({"traceparent": parent})


def _api() -> Any:
    from opentelemetry import trace  # noqa: PLC0415  # the extra

    return trace


def _tracer() -> Any:
    return _provider(os.getpid()).get_tracer("enroll")


@lru_cache(maxsize=1)
def _provider(process: int) -> Any:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415  # the extra
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415  # as above
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415  # as above
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415  # as above

    # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win over this.
    named = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": "enroll"}
    provider = TracerProvider(resource=Resource.create({**named, "process.pid": process}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider
