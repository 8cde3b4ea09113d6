"""The parts of the OpenAPI document that FastAPI cannot know: raw bodies, and the failures that all calls share."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from worker.web.errors import Failure

_REFERENCE = "#/components/schemas/{model}"
_raw_models: dict[str, type[BaseModel]] = {}

ANY_JSON: dict[str, Any] = {"requestBody": {"required": True, "content": {"application/json": {"schema": {}}}}}
"""Describes a body that may be any JSON document."""

Responses = dict[int | str, dict[str, Any]]


def failures(*statuses: int) -> Responses:
    """Name the failures of a call; those of the key are every call's."""
    return {status: {"model": Failure} for status in sorted({401, 403, 500, 503, *statuses})}


def raw_body(content: Mapping[str, type[BaseModel] | None]) -> dict[str, Any]:
    """Describe a body that the call reads itself, by content type; None: any text."""
    for model in content.values():
        if model is not None:
            _raw_models[model.__name__] = model
    described = {name: {"schema": _schema_of(model)} for name, model in content.items()}
    return {"requestBody": {"required": True, "content": described}}


def document(app: FastAPI) -> dict[str, Any]:
    """Make the OpenAPI document, with the models of raw bodies."""
    if app.openapi_schema is None:
        made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        inputs = [(model, "validation") for model in _raw_models.values()]
        _, definitions = models_json_schema(inputs, ref_template=_REFERENCE)  # pyright: ignore[reportArgumentType]  # a literal
        made["components"]["schemas"].update(definitions.get("$defs", {}))
        app.openapi_schema = made
    return app.openapi_schema


def _schema_of(model: type[BaseModel] | None) -> dict[str, Any]:
    return {"type": "string"} if model is None else {"$ref": _REFERENCE.format(model=model.__name__)}
