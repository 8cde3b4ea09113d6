"""The one place for messages that cannot become a job: the stream `enrollment:dead` in Redis.

Each entry has `reason` (a code, then words) and `entry` (the message as far as it can be read).
"""

import json
import logging

from worker.nudges import redis
from worker.observability import record

STREAM = "enrollment:dead"
# A producer that never stops sending to a wrong campaign must not fill Redis: the newest are kept.
_KEPT = 10_000

log = logging.getLogger(__name__)


def bury(reason: str, entry: object) -> None:
    """Keep a message that cannot be a job; raises when Redis cannot take it, so that the message stays queued."""
    text = entry if isinstance(entry, str) else json.dumps(entry, ensure_ascii=True, default=repr)
    redis().xadd(STREAM, {"reason": reason, "entry": text}, maxlen=_KEPT, approximate=True)
    record.buried()
    # The code alone: its words may quote the message, where leads can stand in any place.
    code = reason.partition(":")[0]
    log.warning("a message cannot become a job and went to the stream %s: %s", STREAM, code)
