"""Sources of webhooks: made, found, given another secret, disabled."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import func, text
from sqlmodel import Session, select

from domain.errors import InvalidRequest, SourceNotFound
from domain.identifiers import RowKey, public_id, row_key
from domain.signature import SECRET_BYTES, Scheme, Seal, fault_of_secret, new_secret
from domain.source import Recipe, SourceRules
from worker.store.campaigns import find_campaign
from worker.store.connection import transaction
from worker.store.door_tables import Source
from worker.store.finding import find
from worker.store.tables import Campaign


class KnownSource(NamedTuple):
    """A source, and the public id of its campaign."""

    row: Source
    campaign_id: str

    @property
    def recipe(self) -> Recipe:
        """How its payloads become leads."""
        return Recipe(self.row.leads_path, self.row.mapping, self.row.id_path)


class Hook(NamedTuple):
    """What it takes to receive a delivery of a source now."""

    number: int
    workspace: int
    source_id: str
    campaign_id: str
    disabled: bool
    id_header: str
    seal: Seal
    recipe: Recipe


# One statement and one row for whatever address: with three and the ORM's rows a known source took 1.5 ms longer to say
# no than an unknown one, now they are 0.1 ms apart.
_LOOK_UP = text("""
SELECT now() AS now, source.*, campaign.created_at AS campaign_created_at
FROM (VALUES (1)) AS always
LEFT JOIN source ON source.id = :number AND date_trunc('milliseconds', source.created_at) = :created_at
LEFT JOIN campaign ON campaign.id = source.campaign_id
""")
_NO_ROW = RowKey(0, datetime(1970, 1, 1, tzinfo=UTC))


def create_source(workspace: int, campaign_id: str, name: str, rules: SourceRules) -> KnownSource:
    """Make a source that pushes into a campaign of the workspace."""
    with transaction() as session:
        campaign = find_campaign(session, campaign_id, workspace)
        source = Source(
            workspace_number=workspace,
            campaign_number=campaign.number,
            name=name,
            secret=rules.secret or _made_up(rules.scheme),
            **rules.model_dump(include=SourceRules.model_fields.keys() - {"secret"}),
        )
        session.add(source)
        session.flush()
        session.refresh(source)
    return KnownSource(source, campaign.public_id)


def rotate_secret(source_id: str, workspace: int, overlap: timedelta, secret: str | None = None) -> KnownSource:
    """Give a source another secret; the one before is good for `overlap` more, the one before that no longer."""
    with transaction() as session:
        known = find_source(session, source_id, workspace, lock=True)
        source = known.row
        fault = secret and fault_of_secret(source.scheme, secret)
        if fault:
            raise InvalidRequest(reason=fault)
        source.previous_secret = source.secret if overlap else None
        source.previous_secret_until = _now(session) + overlap if overlap else None
        source.secret = secret or _made_up(source.scheme)
    return known


def switch_source(source_id: str, workspace: int, *, on: bool) -> KnownSource:
    """Enable or disable a source; again: nothing changes."""
    with transaction() as session:
        known = find_source(session, source_id, workspace, lock=True)
        known.row.disabled_at = None if on else known.row.disabled_at or _now(session)
    return known


def find_source(session: Session, source_id: str, workspace: int, *, lock: bool = False) -> KnownSource:
    """Read a source by its public id; one of another workspace does not exist."""
    source = find(session, Source, row_key("src", source_id), workspace=workspace, lock=lock)
    if source is None:
        raise SourceNotFound(source_id=source_id)
    return KnownSource(source, session.get_one(Campaign, source.campaign_number).public_id)


def look_up(source_id: str) -> tuple[Hook | None, datetime]:
    """Give what an address names, in whatever workspace, and the time."""
    key = row_key("src", source_id) or _NO_ROW
    with transaction() as session:
        row = session.connection().execute(_LOOK_UP, key._asdict()).one()
    return (None if row.id is None else _hook(row)), row.now


def _hook(row: Any) -> Hook:
    return Hook(
        number=row.id,
        workspace=row.workspace_id,
        source_id=public_id("src", row.id, row.created_at),
        campaign_id=public_id("camp", row.campaign_id, row.campaign_created_at),
        disabled=row.disabled_at is not None,
        id_header="webhook-id" if row.scheme == "standard" else (row.id_header or "").lower(),
        seal=_seal(row),
        recipe=Recipe(row.leads_path, row.mapping, row.id_path),
    )


def _seal(row: Any) -> Seal:
    overlaps = row.previous_secret_until is not None and row.previous_secret_until > row.now
    # Two in any case: how long the check takes does not tell whether the secret is being changed.
    accepted = (row.secret, row.previous_secret if overlaps else row.secret)
    if row.scheme == "standard":
        return Seal("standard", accepted)
    return Seal("hmac", accepted, row.header, row.encoding or "hex", row.prefix or "")


def _made_up(scheme: Scheme) -> str:
    return new_secret(scheme, secrets.token_bytes(SECRET_BYTES))


def _now(session: Session) -> datetime:
    return session.exec(select(func.now())).one()
