"""The file that holds the steps of a sequence."""

from pathlib import Path
from typing import Annotated, cast

from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import from_json

from domain.sequence import MAX_SEQUENCE_STEPS, SequenceStep
from worker.cli.failures import CommandFailed

_STEPS = TypeAdapter[list[SequenceStep]](Annotated[list[SequenceStep], Field(max_length=MAX_SEQUENCE_STEPS)])


def read_steps(file: Path) -> list[SequenceStep]:
    """Read a JSON list of steps, alone or under `sequenceSteps`; `CommandFailed` names the first thing wrong."""
    try:
        return _STEPS.validate_python(_steps_of(from_json(file.read_bytes(), allow_inf_nan=False)))
    except ValidationError as error:
        raise CommandFailed(f"the steps in {file} cannot be used: {_first_fault(error)}") from None
    except ValueError as error:
        raise CommandFailed(f"{file} is not JSON: {error}") from None


def _steps_of(document: object) -> object:
    if not isinstance(document, dict):
        return document
    return cast("dict[str, object]", document).get("sequenceSteps")


def _first_fault(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    step, *field = first["loc"] or [None]
    place = f"step {step + 1}" if isinstance(step, int) else "the file"
    return f"{', '.join([place, *map(str, field)])}: {_more(first['msg'], error.error_count() - 1)}"


def _more(message: str, others: int) -> str:
    return f"{message} (and {others} more)" if others else message
