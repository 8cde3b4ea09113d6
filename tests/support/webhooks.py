"""Senders of webhooks: sources made over HTTP, and what they deliver."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2 as httpx
from standardwebhooks import Webhook

from support.http import Caller

MAPPING = {"email": "email", "firstName": "name"}


class Sender:
    """A source of one campaign, and its other side, which knows the secret."""

    def __init__(self, caller: Caller, campaign: str | None = None, **rules: Any) -> None:
        self.caller = caller
        self.campaign = campaign or caller.campaign()
        given = {"scheme": "standard", "leadsPath": "data", "mapping": MAPPING, **rules}
        answer = caller("POST", "/v1/sources", json={"name": "Form", "campaignId": self.campaign, **given})
        assert answer.status_code == 201, answer.text
        self.made: dict[str, Any] = answer.json()["data"]
        self.id: str = self.made["id"]
        self.secret: str = self.made["secret"]

    def deliver(self, body: bytes, headers: dict[str, str]) -> httpx.Response:
        """Send these bytes under these headers, with no key."""
        return self.caller._client.post(self.made["url"], content=body, headers=headers)

    def send(self, *emails: str, message_id: str = "msg_1", **data: Any) -> httpx.Response:
        """Deliver leads as a sender of Standard Webhooks does."""
        body = json.dumps({"data": [{"email": email} for email in emails], **data}).encode()
        return self.deliver(body, standard_headers(self.secret, body, message_id))

    def deliveries(self) -> list[dict[str, Any]]:
        """What the owner sees of them, newest first."""
        found: list[dict[str, Any]] = self.caller("GET", f"/v1/sources/{self.id}/deliveries").json()["data"]
        return found

    def outcomes(self) -> list[str]:
        return [delivery["outcome"] for delivery in self.deliveries()]

    def act(self, action: str, **options: Any) -> httpx.Response:
        return self.caller("POST", f"/v1/sources/{self.id}/{action}", **options)


def standard_headers(
    secret: str, body: bytes, message_id: str = "msg_1", *, seconds_off: float = 0, others: tuple[str, ...] = ()
) -> dict[str, str]:
    """Sign with the official Python client; with the secrets of `others` before."""
    at = datetime.now(UTC) + timedelta(seconds=seconds_off)
    signatures = [Webhook(each).sign(message_id, at, body.decode()) for each in (*others, secret)]
    return {
        "Webhook-Id": message_id,
        "Webhook-Timestamp": str(int(at.timestamp())),
        "Webhook-Signature": " ".join(signatures),
    }


def hmac_headers(header: str, secret: str, body: bytes, *, encoding: str = "hex", prefix: str = "") -> dict[str, str]:
    """Sign as GitHub, Typeform and many others do."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    return {header: prefix + (digest.hex() if encoding == "hex" else base64.b64encode(digest).decode())}
