"""The API and the operations page inside this process, on the store of the test."""

from collections.abc import Callable, Iterator

import pytest
from conftest import Store
from support.http import Caller, NewCaller, serving
from support.ops import Person, page


@pytest.fixture
def new_caller(store: Store) -> Iterator[NewCaller]:  # noqa: ARG001  # the store it serves
    with serving() as make:
        yield make


@pytest.fixture
def caller(new_caller: NewCaller) -> Caller:
    return new_caller()


@pytest.fixture
def let_in(store: Store) -> Iterator[Callable[..., Person]]:  # noqa: ARG001  # the store it looks at
    with page() as made:
        yield made
