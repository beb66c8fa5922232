"""Reading: the JSON body and the query of a request, or what is wrong with them.

JSON leaves open what two members with one name mean, and two programs that read the same text
differently disagree about money. So what is doubtful is refused: names that occur twice, unknown
names, NaN and infinity, and texts nested deeper than anything that is asked here.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar
from urllib.parse import parse_qsl

from pydantic import BaseModel, ValidationError

from paygate.printing import shown
from paygate.web.api.problems import ProblemError, ProblemFault

if TYPE_CHECKING:
    from collections.abc import Mapping

M = TypeVar("M", bound=BaseModel)

DEPTH_MAX: Final = 32
"""How deep a body may be nested; the host's own data is the only part that can be."""

_FAULTS_MAX: Final = 20
_STRINGS: Final = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)


def read_json(body: bytes) -> dict[str, Any]:
    """Return the object that *body* is, or raise `ProblemError` with status 400."""
    if _depth(body) > DEPTH_MAX:
        raise ProblemError(400, f"the body is nested deeper than {DEPTH_MAX} levels")
    try:
        found = json.loads(
            body.decode("utf-8"), object_pairs_hook=_object, parse_constant=_no_number
        )
    except UnicodeDecodeError:
        raise ProblemError(400, "the body is not UTF-8") from None
    except (ValueError, RecursionError):
        raise ProblemError(400, "the body is not JSON") from None
    if not isinstance(found, dict):
        raise ProblemError(422, "the body must be a JSON object")
    return found  # pyright: ignore[reportUnknownVariableType]


def _depth(body: bytes) -> int:
    deepest = depth = 0
    for each in _STRINGS.sub(b"", body):
        if each in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif each in b"]}":
            depth -= 1
    return deepest


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ProblemError(400, f"the body has the member {shown(twice)} twice in one object")
    return found


def _no_number(text: str) -> NoReturn:
    raise ProblemError(400, f"{text} is not a number in JSON")


def read_body_as(model: type[M], given: Mapping[str, Any]) -> M:
    """Return *given* as *model*, or raise `ProblemError` that lists what is wrong and where."""
    try:
        return model.model_validate(given, strict=True)
    except ValidationError as error:
        faults = _faults(error)
        detail = f"{faults[0].pointer}: {faults[0].detail}"
        raise ProblemError(422, detail, faults=faults) from None


def read_query_as(model: type[M], query: str) -> M:
    """Return the parameters of a query as *model*; unknown and repeated ones are refused."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="replace", max_num_fields=100)
    except ValueError:
        raise ProblemError(400, "the query has too many parameters") from None
    given = dict(pairs)
    if len(given) < len(pairs):
        raise ProblemError(400, "a parameter of the query occurs twice")
    try:
        return model.model_validate_strings(given)
    except ValidationError as error:
        first = _faults(error)[0]
        name = first.pointer.removeprefix("/")
        raise ProblemError(400, f"query parameter {shown(name)}: {first.detail}") from None


def _faults(error: ValidationError) -> list[ProblemFault]:
    """Return what is wrong without what was given, which may be long or secret."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return [
        ProblemFault(pointer=_pointer(each["loc"]), detail=each["msg"])
        for each in found[:_FAULTS_MAX]
    ]


def _pointer(location: tuple[int | str, ...]) -> str:
    parts = [str(each)[:80].replace("~", "~0").replace("/", "~1") for each in location]
    return "".join(f"/{each}" for each in parts)
