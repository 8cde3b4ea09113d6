"""How Celery is set up, each line against a fault that was seen."""

from kombu.entity import Exchange, Queue

from worker.redis_client import celery_broker
from worker.settings import settings

QUEUES = ("enrollment", "sequencer", "delivery", "maintenance")

broker_url, _how_to_reach_the_master = celery_broker()
broker_connection_retry_on_startup = True
broker_connection_max_retries = None
broker_channel_error_retry = True
broker_transport_options = {
    "visibility_timeout": settings().visibility_timeout,
    # Without these two a message of a killed worker comes back up to 100 s late, whatever the timeout above.
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "health_check_interval": 10,
    "socket_timeout": 15,
    "socket_connect_timeout": 3,
    "socket_keepalive": True,
    **_how_to_reach_the_master,
}

# The anonymous exchange goes straight to the queue of that name; a named one keeps its bindings in Redis, where
# FLUSHALL takes them away and every later publish fails.
_DIRECT = Exchange("", type="direct")
task_queues = [Queue(name, exchange=_DIRECT, routing_key=name) for name in QUEUES]
task_default_queue = "enrollment"
task_default_exchange = ""
task_default_routing_key = "enrollment"
task_create_missing_queues = False
task_routes = {
    "leads.*": {"queue": "enrollment"},
    "sequencer.*": {"queue": "sequencer"},
    "delivery.*": {"queue": "delivery"},
    "maintenance.*": {"queue": "maintenance"},
}

task_serializer = "json"
accept_content = ["json"]
task_ignore_result = True
result_backend = None
worker_prefetch_multiplier = 1
# A message is gone only when its work is done, and back on the queue when its worker dies; the ledger makes a
# message that comes twice harmless.
task_acks_late = True
task_reject_on_worker_lost = True
worker_cancel_long_running_tasks_on_connection_loss = False
worker_redirect_stdouts = False
worker_consumer = "worker.consumer:Consumer"

# In memory: the one schedule is an interval, and the file of the default scheduler is a pickle.
beat_scheduler = "celery.beat:Scheduler"
beat_schedule = {
    "sweep": {
        "task": "maintenance.sweep",
        "schedule": settings().sweep_seconds,
        # Sweeps that nobody took up do not pile up.
        "options": {"expires": settings().sweep_seconds},
    },
}
