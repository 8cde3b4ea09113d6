"""Refusals: the ways a request can be turned down. The docstring of each is its message.

A bad row is no refusal: it is data, reported beside its neighbours (`domain.rows`). Trouble with PostgreSQL
or Redis is none either: the ledger waits it out.
"""

import inspect
from typing import ClassVar


class Refusal(Exception):
    """The request was refused."""

    code: ClassVar[str]
    retry_helps: ClassVar[bool] = False

    def __init__(self, **facts: object) -> None:
        super().__init__((inspect.getdoc(type(self)) or "").format(**facts))


class InvalidRequest(Refusal):
    """The request cannot be used: {reason}."""

    code = "invalid_request"


class PayloadTooLarge(Refusal):
    """The request has {size} {unit}, at most {limit} are taken at once: send it in parts."""

    code = "payload_too_large"


class AuthenticationFailed(Refusal):
    """The API key is missing, wrong, expired or revoked: send it as `Authorization: Bearer sk_live_…`."""

    code = "authentication_failed"


class PermissionDenied(Refusal):
    """The API key lacks the scope {scope}: use a key that has it."""

    code = "permission_denied"


class UnsupportedMediaType(Refusal):
    """The content type {given!r} is not taken here: send {expected}."""

    code = "unsupported_media_type"


class BacklogFull(Refusal):
    """There are {waiting:,} jobs waiting to be applied, at most {limit:,} may: send this again later."""

    code = "backlog_full"
    retry_helps = True


class TooManyImports(Refusal):
    """There are {running} imports running here, at most {limit} may at once: send this again later."""

    code = "too_many_imports"
    retry_helps = True


class RateLimited(Refusal):
    """The API key was used more than {limit:,} times a minute: send this again later."""

    code = "rate_limited"
    retry_helps = True


class JobDead(Refusal):
    """Job {job_id} could not be applied and is dead: its rows are kept, see its lastError, then retry it."""

    code = "job_dead"


class CampaignNotDraft(Refusal):
    """The campaign is {status}: its name and steps can be changed only while it is a draft."""

    code = "campaign_not_draft"


class LeadNotFound(Refusal):
    """There is no lead {lead!r} in this campaign: check the id or the address."""

    code = "lead_not_found"


class KeyNotFound(Refusal):
    """There is no API key {key_id!r}: check the id."""

    code = "key_not_found"


class SourceNotFound(Refusal):
    """There is no source {source_id!r}: check the id."""

    code = "source_not_found"


class ImportNotFound(Refusal):
    """There is no import {import_id!r}: check the id."""

    code = "import_not_found"


class WorkspaceNotFound(Refusal):
    """There is no workspace {name!r}: make it (`enroll workspace create --name …`), or list those there are."""

    code = "workspace_not_found"


class CampaignNotFound(Refusal):
    """There is no campaign {campaign_id!r}: check the id."""

    code = "campaign_not_found"


class JobNotFound(Refusal):
    """There is no job {job_id!r}: check the id."""

    code = "job_not_found"


class SendNotFound(Refusal):
    """There is no send {send_id!r}: check the id."""

    code = "send_not_found"


class OperationNotFound(Refusal):
    """There is no bulk operation {operation_id!r}: check the id."""

    code = "operation_not_found"


class OperationNotOpen(Refusal):
    """The bulk operation is {status}: it can be run once, after its preview, and cancelled while it runs."""

    code = "operation_not_open"


class JobNotDead(Refusal):
    """Job {job_id} is {status}: only a dead job can be retried."""

    code = "job_not_dead"


class JobNotApplied(Refusal):
    """Job {job_id} is {status}: its rows have results once it is applied."""

    code = "job_not_applied"


class SendNotUnknown(Refusal):
    """Send {send_id} is {status}: only a send whose outcome is unknown can be resolved."""

    code = "send_not_unknown"


class NameTaken(Refusal):
    """There is a workspace {name!r} already: choose another name."""

    code = "name_taken"


class NoSequenceSteps(Refusal):
    """The campaign has no sequence steps: add at least one before starting it."""

    code = "no_sequence_steps"


class NoLeadsEnrolled(Refusal):
    """The campaign has no leads and no accepted jobs: upsert leads before starting it."""

    code = "no_leads_enrolled"


class IdempotencyKeyReused(Refusal):
    """The idempotency key was used for another request: a new request takes a new key."""

    code = "idempotency_key_reused"


class ResultsExpired(Refusal):
    """The rows of job {job_id} were kept until {expired_at} and are gone: its counts remain."""

    code = "results_expired"
