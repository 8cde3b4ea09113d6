"""The app of this process, made once: that takes 0.2 s or more. What outlives a call is made anew at each start."""

from functools import lru_cache

from fastapi import FastAPI

from worker.web.app import create_app


@lru_cache(maxsize=1)
def shared_app() -> FastAPI:
    return create_app()
