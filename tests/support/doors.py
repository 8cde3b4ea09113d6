"""Producers: everyone who pushes leads, through any door, with no code of ours beyond the door itself."""

import json
import os
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from celery import Celery


def send_message(campaign_id: str, leads: Sequence[Any], *, key: str | None = None, **options: Any) -> str:
    """Send `leads.bulk_upsert` as any upstream service would, leads as text; give the task's id."""
    kwargs = {"campaign_id": campaign_id, "leads": json.dumps(leads), "idempotency_key": key}
    return (
        _producer(os.environ["ENROLL_REDIS_URL"])
        .send_task("leads.bulk_upsert", kwargs=kwargs, queue="enrollment", **options)
        .id
    )


@lru_cache(maxsize=1)
def _producer(url: str) -> Any:
    return Celery(broker=url)
