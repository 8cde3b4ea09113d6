"""What must be reached, measured by `enroll bench` in one run. On a machine that is left alone:

.venv/bin/pytest -m benchmark tests/benchmarks -n 0
"""

from typing import Any

import pytest
from support.benching import bench

from worker.bench.catalogue import ASIDES, LIMITS, MEASURES

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(7_200)]

RATIOS = [name for name in MEASURES if name not in ASIDES]
VALUES = [name for name in LIMITS if name not in ASIDES]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return bench(tmp_path_factory.mktemp("bench"))


@pytest.mark.parametrize("name", RATIOS)
def test_the_product_is_as_fast_beside_its_reference_as_it_must_be(name: str, told: Any) -> None:
    assert told["ratios"][name] >= (MEASURES[name].must_reach or 0)


@pytest.mark.parametrize("name", VALUES)
def test_the_product_takes_no_more_of_the_machine_than_it_may(name: str, told: Any) -> None:
    found = told[name]
    values = found.values() if isinstance(found, dict) else [found]
    assert max(values) <= (LIMITS[name].at_most or 0)
