"""A source: a sender of webhooks, and how what it sends becomes leads."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from domain.bulk_upsert import Limits, read_json
from domain.errors import InvalidRequest, PayloadTooLarge
from domain.expression import NotAnExpression, Search, TooCostly, Unsearchable, compiled
from domain.job import IdempotencyKey, is_key
from domain.rows import MAX_VARIABLES, STANDARD_FIELDS, RowError, is_variable_name
from domain.signature import Encoding, Scheme, fault_of_secret

Outcome = Literal[
    "accepted",
    "replayed",
    "no_leads",
    "refused",
    "invalid_request",
    "payload_too_large",
    "backlog_full",
    "idempotency_key_reused",
]
"""What became of a delivery. `refused`: not signed as it must be, or the source is disabled."""

DELIVERIES_KEPT = 50
MAX_MAPPED_FIELDS = MAX_VARIABLES + 1 + len(STANDARD_FIELDS)
_FAULTS_TOLD = 20


def _expression(text: str) -> str:
    try:
        compiled(text)
    except NotAnExpression as fault:
        raise _fault(f"this is no JMESPath expression: {fault}") from None
    return text


def _field(name: str) -> str:
    if not is_variable_name(name):
        raise _fault("a field is email, firstName, company, jobTitle or the name of a custom variable")
    return name


def _fault(reason: str) -> PydanticCustomError:
    return PydanticCustomError("source", "{reason}", {"reason": reason})


Expression = Annotated[str, AfterValidator(_expression)]
HeaderName = Annotated[str, Field(pattern=r"^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,100}$")]
Fields = Annotated[dict[Annotated[str, AfterValidator(_field)], Expression], Field(max_length=MAX_MAPPED_FIELDS)]


class SourceRules(BaseModel):
    """How a source signs, and how its payloads are read.

    `leadsPath` finds the list of leads, or the one lead, in a payload. `mapping` finds each field in a lead; where it
    is empty, leads are taken as they are.
    """

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)

    scheme: Scheme
    secret: str | None = Field(default=None, description="One is made up where none is given.")
    header: HeaderName | None = Field(default=None, description="Which header holds the signature (`hmac`).")
    encoding: Encoding | None = Field(default=None, description="How it is written (`hmac`): `hex` by default.")
    prefix: str | None = Field(default=None, pattern="^[ -~]{0,50}$", description="What stands before it (`hmac`).")
    id_header: HeaderName | None = Field(default=None, description="Which header holds the id of a delivery (`hmac`).")
    id_path: Expression | None = Field(default=None, description="Or where in the payload it is (`hmac`).")
    leads_path: Expression = Field(examples=["data.contacts", "@"])
    mapping: Fields = Field(examples=[{"email": "email", "firstName": "name.first"}])

    @model_validator(mode="after")
    def _check(self) -> Self:
        fault = self._fault_of_scheme() or (self.secret is not None and fault_of_secret(self.scheme, self.secret))
        if not fault and self.mapping and "email" not in self.mapping:
            fault = "mapping needs email, or to be empty: then leads are taken as they are"
        if fault:
            raise _fault(fault)
        return self

    def _fault_of_scheme(self) -> str | None:
        if self.scheme == "hmac" and self.header is None:
            return "hmac needs header: the name of the header that holds the signature"
        if self.id_header is not None and self.id_path is not None:
            return "an id is in a header or in the payload: give idHeader or idPath"
        of_hmac = {"header", "encoding", "prefix", "id_header", "id_path"}
        given = [to_camel(name) for name in sorted(of_hmac & self.model_dump(exclude_none=True).keys())]
        if self.scheme == "standard" and given:
            return f"standard has its own headers and its own id: leave out {', '.join(given)}"
        return None


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a payload becomes leads. `id_path`: where the id of the delivery is, if it is in the payload."""

    leads_path: str
    mapping: Mapping[str, str]
    id_path: str | None = None


@dataclass(frozen=True, slots=True)
class Mapped:
    """What a payload becomes: rows as any door takes them, and why the first fields that failed did."""

    leads: list[object]
    message_id: str | None
    faults: list[str]


def read_payload(recipe: Recipe, body: bytes, limits: Limits) -> Mapped:
    """Read a payload; `InvalidRequest` where nothing can be made of it.

    A field that cannot be computed fails its row alone.
    """
    payload = read_json(body, limits)
    search = Search()
    try:
        found = _rows(search, recipe.leads_path, payload, limits)
        faults: list[str] = []
        leads = _mapped(search, recipe.mapping, found, faults) if recipe.mapping else found
        return Mapped(leads, _message_id(search, recipe.id_path, payload), faults)
    except TooCostly:
        raise InvalidRequest(reason="the expressions of the source make too much of this payload") from None


def message_key(source_id: str, message_id: str) -> IdempotencyKey:
    """Give the key of a delivery with an id: the same id is the same job, for ever."""
    key = f"{source_id}:{message_id}"
    return IdempotencyKey("hook", key if is_key(key) else f"{source_id}#{_digest(message_id.encode())}")


def body_key(source_id: str, body: bytes) -> IdempotencyKey:
    """Give the key of a delivery without an id: the same bytes are the same job, for a day."""
    return IdempotencyKey("hook", f"{source_id}={_digest(body)}")


def summary(errors: list[RowError], faults: list[str], received: int) -> str | None:
    """Say how many rows were not taken and why the first was not; None when all were."""
    if not errors:
        return None
    first = faults[0] if faults else f"row {errors[0].index}: {errors[0].message}"
    return f"{len(errors):,} of {received:,} rows were not taken: {first}"


def _rows(search: Search, leads_path: str, payload: object, limits: Limits) -> list[object]:
    try:
        found = search.find(leads_path, payload)
    except Unsearchable as fault:
        raise InvalidRequest(reason=f"leadsPath: {fault}") from None
    if isinstance(found, dict):
        return [cast("object", found)]
    if not isinstance(found, list | None):
        raise InvalidRequest(reason="leadsPath finds neither a list nor an object")
    rows = cast("list[object]", found or [])
    if len(rows) > limits.max_leads:
        raise PayloadTooLarge(size=f"{len(rows):,}", unit="leads", limit=f"{limits.max_leads:,}")
    return rows


def _mapped(search: Search, mapping: Mapping[str, str], rows: list[object], faults: list[str]) -> list[object]:
    leads: list[object] = []
    for index, row in enumerate(rows):
        found = {field: _value(search, expression, row) for field, expression in mapping.items()}
        if len(faults) < _FAULTS_TOLD:
            faults += [f"row {index}, {name}: {value}" for name, value in found.items() if isinstance(value, _Fault)]
        # JMESPath does not tell null from nothing. What is not there must not clear what is stored.
        leads.append({field: value for field, value in found.items() if value is not None})
    return leads


def _value(search: Search, expression: str, row: object) -> Any:
    try:
        return search.find(expression, row)
    except Unsearchable as fault:
        return _Fault(fault=str(fault))


class _Fault(dict[str, str]):
    """Stands where a value could not be computed. A lead has no such values, so its row is refused, alone."""

    def __str__(self) -> str:
        return self["fault"]


def _message_id(search: Search, id_path: str | None, payload: object) -> str | None:
    try:
        found = search.find(id_path, payload) if id_path else None
    except Unsearchable:
        return None
    return str(found) if isinstance(found, str | int) and not isinstance(found, bool) and found != "" else None


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()
