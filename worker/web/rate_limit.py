"""How often a key may call, a minute, counted in Redis for all processes together; off unless ENROLL_RATE_LIMIT is set.

| key in Redis                  | holds                                            |
|-------------------------------|--------------------------------------------------|
| `enrollment:rate:DIGEST:MINUTE` | how often the key was used in that minute      |
"""

import logging
from time import time
from typing import Any, cast

from redis import RedisError

from domain.api_key import ApiKey
from domain.errors import RateLimited
from worker.nudges import redis
from worker.redis_client import why_unreachable
from worker.settings import settings
from worker.web.threads import in_thread

_WINDOW_SECONDS = 60

log = logging.getLogger(__name__)


async def count_request(key: ApiKey) -> dict[str, str]:
    """Count one; give the RateLimit headers, or raise `RateLimited`. Where Redis is down nobody is held up."""
    limit = settings().rate_limit
    if not limit:
        return {}
    minute, second = divmod(int(time()), _WINDOW_SECONDS)
    used = await in_thread(_count, f"enrollment:rate:{key.digest.hex()[:32]}:{minute}")
    if used > limit:
        raise RateLimited(limit=limit)
    left = _WINDOW_SECONDS - second
    return {"RateLimit-Policy": f'"key";q={limit};w={_WINDOW_SECONDS}', "RateLimit": f'"key";r={limit - used};t={left}'}


def _count(name: str) -> int:
    try:
        with cast("Any", redis()).pipeline() as pipeline:
            used, _ = pipeline.incr(name).expire(name, 2 * _WINDOW_SECONDS).execute()
    except RedisError as error:
        log.warning("requests are not counted: %s", why_unreachable(error))
        return 0
    return int(used)
