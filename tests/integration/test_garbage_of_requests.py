"""What a refused request leaves behind: nothing that holds its body until a search for cycles comes by."""

import gc
import json
from collections.abc import Iterator
from types import FrameType

import pytest
from support.http import Caller

ASYNC = {"Prefer": "respond-async"}
NOBODYS = "camp_01hx4mrqpbcn7wh2gfk9yz6e3s"


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
    caller: Caller, garbage: list[object], leads: int
) -> None:
    campaign = caller.campaign()
    body = json.dumps({"leads": [{"email": f"{number}@x.test"} for number in range(leads)]})
    gc.collect()
    garbage.clear()

    refused = [
        caller(
            "POST",
            f"/v1/campaigns/{where}/leads/bulk",
            content=content,
            headers=ASYNC | {"Content-Type": "application/json"},
        )
        for where, content in ((campaign, body[:-1]), (NOBODYS, body))
    ]
    gc.collect()

    assert [answer.status_code for answer in refused] == [400, 404]
    frames = [kept.f_code for kept in garbage if isinstance(kept, FrameType)]
    assert [code.co_name for code in frames if "/worker/" in code.co_filename] == []
