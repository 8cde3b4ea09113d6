"""Celery's beat alone: it sends the tasks of `worker.celery` by name and need not load them, which takes a second."""

from typing import Any

from celery import Celery

app: Any = Celery("enroll")
app.config_from_object("worker.celery_settings")
