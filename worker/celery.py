"""The Celery app: `celery -A worker worker`, `celery -A worker beat`."""

from celery import Celery

from worker import messages

messages.register_plain_json()
app = Celery("enroll", include=["worker.tasks"])
app.config_from_object("worker.celery_settings")
