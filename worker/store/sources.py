"""Sources of webhooks: made, found, given another secret, disabled."""

import secrets
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import func
from sqlmodel import Session, select

from domain.errors import InvalidRequest, SourceNotFound
from domain.identifiers import row_key
from domain.signature import SECRET_BYTES, Scheme, Seal, fault_of_secret, new_secret
from domain.source import Recipe, SourceRules
from worker.store.campaigns import find_campaign
from worker.store.connection import transaction
from worker.store.finding import find
from worker.store.tables import Campaign, Source


class KnownSource(NamedTuple):
    """A source, and the public id of its campaign."""

    row: Source
    campaign_id: str

    @property
    def recipe(self) -> Recipe:
        """How its payloads become leads."""
        return Recipe(self.row.leads_path, self.row.mapping, self.row.id_path)

    def seal(self, now: datetime) -> Seal:
        """How it signs at this time."""
        source = self.row
        overlaps = source.previous_secret_until is not None and source.previous_secret_until > now
        # Two in any case: how long the check takes does not tell whether the secret is being changed.
        accepted = (source.secret, (overlaps and source.previous_secret) or source.secret)
        if source.scheme == "standard":
            return Seal("standard", accepted)
        return Seal("hmac", accepted, source.header or "", source.encoding or "hex", source.prefix or "")


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


def look_up(source_id: str) -> tuple[KnownSource | None, datetime]:
    """Give the source that an address names, of whatever workspace, and the time."""
    with transaction() as session:
        source = find(session, Source, row_key("src", source_id))
        # No campaign has the number 0. An unknown source takes the same statements: the time tells nothing.
        campaign = session.get(Campaign, source.campaign_number if source else 0)
        return (KnownSource(source, campaign.public_id) if source and campaign else None), _now(session)


def _made_up(scheme: Scheme) -> str:
    return new_secret(scheme, secrets.token_bytes(SECRET_BYTES))


def _now(session: Session) -> datetime:
    return session.exec(select(func.now())).one()
