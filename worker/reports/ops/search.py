"""What somebody looks for: a lead by its exact address, a send by its id."""

from dataclasses import dataclass

from sqlalchemy import text
from sqlmodel import Session

from domain.email_address import normalise
from domain.errors import SendNotFound
from domain.identifiers import public_id, row_key
from worker.reports.ops.snapshot import rows

MOST = 50

# One look into the index for each campaign: an address is unique in its campaign only.
_LEADS = text("""
SELECT campaign.id, campaign.created_at, campaign.name, lead.id AS lead_id, lead.created_at AS lead_created_at,
    lead.email, lead.status
FROM campaign CROSS JOIN LATERAL (
    SELECT * FROM lead WHERE lead.campaign_id = campaign.id AND lead.email = :email OFFSET 0
) AS lead
WHERE CAST(:workspace AS bigint) IS NULL OR campaign.workspace_id = :workspace
LIMIT :most
""")
_SEND = text("""
SELECT campaign.id, campaign.created_at, lead.id AS lead_id, lead.created_at AS lead_created_at
FROM send JOIN campaign ON campaign.id = send.campaign_id JOIN lead ON lead.id = send.lead_id
WHERE send.id = :number AND (CAST(:workspace AS bigint) IS NULL OR campaign.workspace_id = :workspace)
""")


@dataclass(frozen=True, slots=True)
class Found:
    """A lead that has the address."""

    campaign_id: str
    campaign: str
    lead_id: str
    email: str
    status: str


def find_leads(session: Session, address: str, workspace: int | None) -> list[Found]:
    """Find leads by their address, however written."""
    found = rows(session, _LEADS, email=normalise(address) or "", workspace=workspace, most=MOST)
    return [
        Found(
            public_id("camp", row.id, row.created_at),
            row.name,
            public_id("lead", row.lead_id, row.lead_created_at),
            row.email,
            row.status,
        )
        for row in found
    ]


def send_of(session: Session, send_id: str, workspace: int | None) -> str:
    """Give the page of the lead that a send is for."""
    key = row_key("send", send_id)
    found = rows(session, _SEND, number=key.number, workspace=workspace) if key else []
    if not found:
        raise SendNotFound(send_id=send_id)
    campaign = public_id("camp", found[0].id, found[0].created_at)
    return f"/ops/campaigns/{campaign}/leads/{public_id('lead', found[0].lead_id, found[0].lead_created_at)}"
