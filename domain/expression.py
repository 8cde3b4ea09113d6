"""JMESPath expressions, checked when they are written and bounded in what they may cost when they are used.

JMESPath has no loops, and still an expression can blow up: `[@,@][]` doubles a list, so a hundred of them in a row give
more elements than there are atoms, in 900 characters; `to_string` doubles backslashes; lists that share their parts
are small until something writes them out. So each search counts what it does and what it makes, and ends when that is
too much. (A process to be killed for each payload would cost 50 ms; a whitelist of expressions would forbid the
useful ones.)
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import jmespath
from jmespath.exceptions import JMESPathTypeError
from jmespath.functions import Functions
from jmespath.visitor import Options, TreeInterpreter
from pydantic_core import PydanticSerializationError, to_json

MAX_EXPRESSION_CHARACTERS = 1_000
MAX_STEPS = 2_000_000
"""Of 10,000 leads with 20 fields each, most take 400,000."""

_MAX_DEPTH = 50
_MAX_GLUE_CHARACTERS = 100_000
_CHARACTERS_A_STEP = 8
# What makes lists out of lists costs their length; what makes anything else costs all that is in it.
_REARRANGING = {"flatten", "slice", "projection", "value_projection", "filter_projection"}
_LONG = {str, list, dict}
_MAKING = {"multi_select_list", "multi_select_dict", "function_expression"}


class NotAnExpression(Exception):
    """The text is no JMESPath expression that is taken. The message says why."""


class Unsearchable(Exception):
    """The expression cannot be used on this value. The message says why, without quoting the value."""


class TooCostly(Exception):
    """The expressions make too much of this payload."""


class Compiled(NamedTuple):
    """An expression ready for use. `path`: the keys to follow, where it asks for nothing else."""

    tree: Any
    path: tuple[str, ...] | None


@lru_cache(maxsize=4096)
def compiled(text: str) -> Compiled:
    """Compile an expression, or raise `NotAnExpression`."""
    if len(text) > MAX_EXPRESSION_CHARACTERS or "\0" in text:
        raise NotAnExpression(f"an expression has at most {MAX_EXPRESSION_CHARACTERS:,} characters, none of them NUL")
    try:
        tree: Any = jmespath.compile(text).parsed
        to_json(tree)
    except RecursionError:
        raise _too_deep() from None
    except PydanticSerializationError:
        raise NotAnExpression("it holds half a character (a lone surrogate), which no value can") from None
    except Exception as error:  # noqa: BLE001  # jmespath lets errors of json and of its own lexer through
        raise NotAnExpression(_first_line(str(error))) from None
    for depth, node in _nodes(tree):
        if depth > _MAX_DEPTH:
            raise _too_deep()
        if node["type"] == "function_expression":
            _check_call(node["value"], len(node["children"]))
    return Compiled(tree, _path(tree))


class Search(TreeInterpreter):
    """Searches in one payload. All expressions together may take `steps`; `TooCostly` when they are used up."""

    def __init__(self, steps: int = MAX_STEPS) -> None:
        super().__init__(Options(custom_functions=_Functions(self)))
        self._steps = steps

    def find(self, text: str, value: object) -> Any:
        """Give what the expression finds in the value; None where there is nothing."""
        tree, path = compiled(text)
        if path is not None:
            return self._follow(path, value)
        try:
            return self.visit(tree, value)
        except TooCostly:
            raise
        except JMESPathTypeError as error:
            expected = " or ".join(error.expected_types).replace("-", " of ")
            raise Unsearchable(f"{error.function_name}() takes {expected}, this is {_name_of(error)}") from None
        except Exception as error:  # noqa: BLE001  # whatever Python says to values that do not fit
            raise Unsearchable(f"it cannot be computed ({type(error).__name__})") from None

    def _follow(self, path: tuple[str, ...], value: Any) -> Any:
        # Most mappings are paths: 0.9 µs instead of 3.3 µs with the interpreter.
        self.spend(1 + len(path))
        for key in path:
            value = value.get(key) if value.__class__ is dict else None
        return value

    def visit(self, node: Any, *args: Any, **_: Any) -> Any:
        """Evaluate one node of an expression."""
        self.spend(1)
        kind = node["type"]
        result = super().visit(node, *args)
        if kind in _REARRANGING:
            self.spend(_length(result))
        elif kind in _MAKING:
            self._spend_on_all_of(result)
        return result

    def spend(self, steps: int) -> None:
        """Count what was done."""
        self._steps -= steps
        if self._steps < 0:
            raise TooCostly

    def _spend_on_all_of(self, value: Any) -> None:
        # What occurs twice counts twice: written out, it is there twice.
        pending = [value]
        while pending:
            one = pending.pop()
            self.spend(_length(one))
            pending.extend(part for part in _parts(one) if type(part) in _LONG)


class _Functions(Functions):
    def __init__(self, search: Search) -> None:
        self._search = search

    def call_function(self, function_name: str, resolved_args: Iterable[Any]) -> Any:
        arguments = list(resolved_args)
        self._search.spend(sum(map(_length, arguments)))
        if function_name == "join" and _glue_characters(*arguments) > _MAX_GLUE_CHARACTERS:
            raise TooCostly
        return super().call_function(function_name, arguments)


def _path(tree: Any) -> tuple[str, ...] | None:
    if tree["type"] == "current":
        return ()
    fields = tree["children"] if tree["type"] == "subexpression" else [tree]
    return tuple(field["value"] for field in fields) if all(field["type"] == "field" for field in fields) else None


def _check_call(name: str, given: int) -> None:
    if name not in Functions.FUNCTION_TABLE:
        raise NotAnExpression(f"there is no function {name}()")
    wanted: Any = Functions.FUNCTION_TABLE[name]["signature"]
    variadic = wanted[-1].get("variadic", False)
    if given < len(wanted) or (given > len(wanted) and not variadic):
        raise NotAnExpression(f"{name}() is given {given} arguments, it takes {'at least ' * variadic}{len(wanted)}")


def _nodes(tree: Any) -> Iterator[tuple[int, Any]]:
    pending = [(1, tree)]
    while pending:
        depth, node = pending.pop()
        yield depth, node
        # The children of a slice are numbers.
        children: list[Any] = [] if node["type"] == "slice" else node.get("children", [])
        pending.extend((depth + 1, child) for child in children)


def _length(value: Any) -> int:
    kind = _kind(value)
    if kind is str:
        return 1 + len(value) // _CHARACTERS_A_STEP
    return 1 + len(value) if kind in _LONG else 1


def _parts(value: Any) -> Iterable[Any]:
    kind = _kind(value)
    if kind is dict:
        return value.values()
    return value if kind is list else ()


def _kind(value: object) -> type[object]:
    return type(value)


def _glue_characters(glue: Any = "", parts: Any = ()) -> int:
    return len(glue) * len(parts) if _kind(glue) is str and _kind(parts) is list else 0


def _first_line(message: str) -> str:
    return message.partition(", for expression")[0].partition("\n")[0].rstrip(":")


def _name_of(error: JMESPathTypeError) -> str:
    # For an element of a list jmespath gives the name that Python has for it.
    names = {"NoneType": "null", "str": "string", "dict": "object", "list": "array", "bool": "boolean"}
    return names.get(error.actual_type, error.actual_type)


def _too_deep() -> NotAnExpression:
    return NotAnExpression(f"it is nested deeper than {_MAX_DEPTH} levels")
