"""The official clients of Standard Webhooks, for Python and for Node, sign what we accept."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

import pytest
from standardwebhooks import Webhook
from support import node
from support.database import sql
from support.http import Caller
from support.webhooks import Sender

PAYLOADS = [
    '{"data": [{"email": "a@x.test"}]}',
    '{ "data":[{"email":"zoë@x.test","name":"Zoë \\u00eb \\/ 1.0"}],\r\n "n": 1.00, "a": 1, "a": 2 }\n',
]
VERSION = "1.0.0"
SCRIPT = """
const { Webhook } = require("standardwebhooks");
const { secret, id, payload } = JSON.parse(require("fs").readFileSync(0, "utf8"));
const at = new Date();
const signature = new Webhook(secret).sign(id, at, payload);
console.log(JSON.stringify({ timestamp: String(Math.floor(at.getTime() / 1000)), signature }));
"""


class Signed(NamedTuple):
    timestamp: str
    signature: str


Client = Callable[[str, str, str], Signed]


def python_client(secret: str, message_id: str, payload: str) -> Signed:
    at = datetime.now(UTC)
    return Signed(str(int(at.timestamp())), Webhook(secret).sign(message_id, at, payload))


@pytest.fixture(scope="session")
def node_client(tmp_path_factory: pytest.TempPathFactory) -> Client:
    folder = tmp_path_factory.mktemp("node")
    node.install(folder, f"standardwebhooks@{VERSION}")

    def sign(secret: str, message_id: str, payload: str) -> Signed:
        given = json.dumps({"secret": secret, "id": message_id, "payload": payload})
        return Signed(**json.loads(node.run(folder, SCRIPT, given)))

    return sign


@pytest.fixture
def sender(caller: Caller) -> Sender:
    return Sender(caller)


@pytest.mark.parametrize("client", ["python_client", "node_client"])
def test_an_official_client_signs_what_we_accept_and_a_changed_byte_is_refused(
    sender: Sender, client: str, request: pytest.FixtureRequest
) -> None:
    sign: Client = python_client if client == "python_client" else request.getfixturevalue(client)
    for number, payload in enumerate(PAYLOADS):
        signed = sign(sender.secret, f"msg_{number}", payload)
        headers = {
            "webhook-id": f"msg_{number}",
            "webhook-timestamp": signed.timestamp,
            "webhook-signature": signed.signature,
        }
        assert sender.deliver(payload.replace("x.test", "y.test").encode(), headers).status_code == 401
        assert sender.deliver(payload.encode(), headers).status_code == 202

    assert sql("SELECT count(*) FROM job") == [(2,)]
