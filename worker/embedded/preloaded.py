"""What the programs of `enroll up` have in common, loaded once by the process that they are forked from.

Nothing here may read the settings, open a connection or start a thread: forked programs would share it.
"""

import os
from importlib import import_module

from worker import garbage

_MODULES = (
    "celery.app.amqp",
    "celery.app.control",
    "celery.app.events",
    "celery.app.log",
    "celery.apps.beat",
    "celery.apps.worker",
    "celery.bin.celery",
    "celery.concurrency.prefork",
    "celery.worker.autoscale",
    "celery.worker.components",
    "celery.worker.consumer",
    "celery.worker.consumer.delayed_delivery",
    "celery.worker.strategy",
    "kombu.transport.redis",
    "uvicorn.lifespan.on",
    "uvicorn.protocols.http.auto",
    "worker.calls",
    "worker.celery",
    "worker.cli.api",
    "worker.cli.intake_command",
    "worker.cli.main",
    "worker.consumer",
    "worker.intake",
    "worker.signals",
    "worker.tasks",
    "worker.web.server",
)

# A terminal that goes away is the supervisor's business: without this process nobody would tell how programs ended.
os.setsid()
for name in _MODULES:
    import_module(name)
garbage.search_rarely()  # a search in the children would write to all that they share
