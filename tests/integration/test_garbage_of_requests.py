"""What a refused request leaves behind: nothing that holds its body until a search for cycles comes by."""

import gc
import json
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

import pytest
from support.http import Caller

ASYNC = {"Prefer": "respond-async"}
NOBODYS = "camp_01hx4mrqpbcn7wh2gfk9yz6e3s"


def out_of_order(_: object) -> NoReturn:
    raise RuntimeError("no commit today")


@pytest.fixture
def garbage() -> Iterator[list[object]]:
    """What has become unreachable in a circle by the end of the search that a test makes."""
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    yield gc.garbage
    gc.set_debug(0)
    gc.garbage.clear()
    gc.enable()


@pytest.mark.parametrize("leads", [1, 500])
def test_a_refused_request_leaves_no_frame_that_holds_its_body(
    caller: Caller, garbage: list[object], monkeypatch: pytest.MonkeyPatch, leads: int
) -> None:
    campaign = caller.campaign()
    body = json.dumps({"leads": [{"email": f"{number}@x.test"} for number in range(leads)]})
    gc.collect()
    garbage.clear()

    bulk = "/v1/campaigns/{}/leads/bulk"
    plain = ASYNC | {"Content-Type": "application/json"}
    refused = [
        caller("POST", bulk.format(campaign), content=body[:-1], headers=plain),
        caller("POST", f"{bulk.format(campaign)}?dryRun=true", content=body[:-1], headers=plain),
        caller("POST", bulk.format(NOBODYS), content=body, headers=plain),
        caller("POST", bulk.format(campaign), content=body, headers=plain | {"Authorization": "Bearer sk_live_x"}),
    ]
    monkeypatch.setattr("worker.web.group_commit.accept_together", out_of_order)
    refused.append(caller("POST", bulk.format(campaign), content=body, headers=plain))
    gc.collect()

    assert [answer.status_code for answer in refused] == [400, 400, 404, 401, 500]
    frames = [kept.f_code for kept in garbage if isinstance(kept, FrameType)]
    assert [code.co_name for code in frames if "/worker/" in code.co_filename] == []
