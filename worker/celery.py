"""The Celery app: `celery -A worker worker`, `celery -A worker beat`."""

from typing import Any

from celery import Celery

from worker import lost_channels, messages

messages.register_plain_json()
lost_channels.admit_the_loss()
app: Any = Celery("enroll", task_cls="worker.calls:CallTask", include=["worker.tasks", "worker.signals"])
app.config_from_object("worker.celery_settings")
