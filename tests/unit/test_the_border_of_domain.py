"""`domain` decides and does nothing else: no I/O, no clock, no environment, and nothing of `worker`."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import domain

ALLOWED_PACKAGES = {
    "base64", "collections", "dataclasses", "datetime", "decimal", "domain", "enum", "functools", "hashlib", "hmac",
    "html", "idna", "inspect", "itertools", "jmespath", "json", "math", "pydantic", "pydantic_core", "re", "sqlmodel",
    "typing", "unicodedata", "zlib",
}  # fmt: skip
FORBIDDEN_CALLS = {"open", "print", "input", "exec", "eval", "__import__", "breakpoint"}
CLOCKS = {"now", "utcnow", "today", "fromtimestamp"}

FILES = sorted(Path(str(domain.__file__)).parent.rglob("*.py"))


def crossings(source: str) -> list[str]:
    """What in this source reaches over the border."""
    return [crossing for node in ast.walk(ast.parse(source)) for crossing in _crossings_of(node)]


def _crossings_of(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Import(names=names):
            yield from (f"import {name.name}" for name in names if not _is_allowed(name.name))
        case ast.ImportFrom(module=module, level=level):
            if level or not _is_allowed(module or ""):
                yield f"from {module}"
        case ast.Call(func=ast.Name(id=name)) if name in FORBIDDEN_CALLS:
            yield f"{name}()"
        case ast.Attribute(attr=name) if name in CLOCKS:
            yield f".{name}"


def _is_allowed(module: str) -> bool:
    return module.partition(".")[0] in ALLOWED_PACKAGES


def test_the_check_sees_the_files_of_domain() -> None:
    assert {"rows.py", "merge.py", "job.py"} <= {file.name for file in FILES}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_file_of_domain_crosses_the_border(file: Path) -> None:
    assert crossings(file.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("source", "crossing"),
    [
        ("import worker", "import worker"),
        ("from worker.store import ledger", "from worker.store"),
        ("def f():\n    from worker import nudges", "from worker"),
        ("from . import worker", "from None"),
        ("import json, os", "import os"),
        ("import os.path", "import os.path"),
        ("import time", "import time"),
        ("from time import monotonic", "from time"),
        ("from sqlalchemy import text", "from sqlalchemy"),
        ("import logging", "import logging"),
        ("from datetime import datetime\ndef f(now=None): return now or datetime.now()", ".now"),
        ("import datetime\nclock = datetime.date.today", ".today"),
        ("text = open('x').read()", "open()"),
        ("print('x')", "print()"),
        ("os = __import__('os')", "__import__()"),
    ],
)
def test_a_file_that_crosses_it_is_found(source: str, crossing: str) -> None:
    assert crossings(source) == [crossing]
