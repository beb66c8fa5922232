"""Errors of foreign code, described so that they can be found and contain no secret."""

from __future__ import annotations

import re
from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from paygate.domain.private import without_private
from paygate.domain.secret import DOTS
from paygate.errors import PaygateError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType

    from pydantic_core import ErrorDetails

_CREDENTIAL: Final = (
    r"pass(?:word|phrase|wd)|pwd|secret|token|credential|authori[sz]ation|bearer"
    r"|(?<![A-Za-z])(?:api)?keys?(?![A-Za-z])|(?-i:(?<=[a-z])Keys?(?![a-z]))"
)
_NAMED: Final = re.compile(_CREDENTIAL, re.IGNORECASE)
# The end of a secret, or its position in a sentence, is not known: everything after it is removed.
_AFTER_NAME: Final = re.compile(
    rf"((?:{_CREDENTIAL})\w*)(?!\w)(?=.*\w).*|(\binput_value)=.*", re.IGNORECASE | re.DOTALL
)
_ADDRESS: Final = re.compile(r"(\w+://)\S*@|\S+:\S*@(?=\w)")
_QUERY: Final = re.compile(r"(\w+://[^\s?#]*)[?#]\S*")
_LOOKS_SECRET: Final = re.compile(
    r"\b(?:sk|rk|pk|whsec|[a-z]+_(?:live|test))_\w+"
    r"|(?=[A-Za-z0-9_+/=~%-]*[0-9])(?=[A-Za-z0-9_+/=~%-]*[A-Za-z])[A-Za-z0-9_+/=~%-]{12,}"
    r"|[A-Za-z0-9_+=~%-]{32,}"
)
_READ_MAX: Final = 3_000
_SHOWN_MAX: Final = 300


def failure(error: BaseException) -> str:
    """Return type, message and location of *error*, without what looks like a secret."""
    said = ": ".join(filter(None, (type(error).__name__, _message(error))))
    position = _position(error.__traceback__)
    return f"{said} ({position})" if position else said


def trace_of(error: BaseException) -> str:
    """Return the traceback of *error* and its causes: locations, types, and messages as `failure`.

    A line of source may contain a secret, and so may a note, so neither is shown.
    """
    told: list[str] = []
    cause: BaseException | None = error
    seen: set[int] = set()
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        frames = extract_tb(cause.__traceback__)
        places = [
            f'  File "{each.filename}", line {each.lineno}, in {each.name}' for each in frames
        ]
        said = cause.message if isinstance(cause, PaygateError) else _message(cause)
        ended = ": ".join(filter(None, (type(cause).__name__, said)))
        told.append("\n".join(["Traceback (most recent call last):", *places, ended, ""]))
        hidden = None if cause.__suppress_context__ else cause.__context__
        cause = cause.__cause__ or hidden
    return "\n...and then:\n\n".join(reversed(told))


def _message(error: BaseException) -> str:
    """Return the message of *error*, without what looks like a secret."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001  (of the host's own class)
        return ""
    if isinstance(error, ValidationError):
        text = " ".join(
            [f"{error.error_count()} validation error for {error.title}"]
            + [_told(each) for each in error.errors(include_input=False, include_url=False)]
        )
    text = " ".join(_ADDRESS.sub(rf"\1{DOTS}@", text[:_READ_MAX]).split())
    text = _QUERY.sub(rf"\1?{DOTS}", text)
    text = _AFTER_NAME.sub(lambda found: f"{found[1] or found[2]} {DOTS}", text)
    return without_private(_LOOKS_SECRET.sub(DOTS, text))[:_SHOWN_MAX].strip()


def _told(mistake: ErrorDetails) -> str:
    return f"{'.'.join(map(str, mistake['loc']))} {mistake['msg']}".strip()


def secrets_of(environment: Mapping[str, str]) -> Iterable[str]:
    """Return the values of the variables whose names say that they are secret."""
    return [value for name, value in environment.items() if _NAMED.search(name)]


def _position(trace: TracebackType | None) -> str:
    """Return file and line, in the files below the working directory if it happened in one."""
    here = Path.cwd()
    frames = [(Path(frame.filename), frame.lineno) for frame in extract_tb(trace)]
    real = [(file, line) for file, line in frames if file.is_absolute() and _is_code(file)]
    own = [(file.relative_to(here), line) for file, line in real if file.is_relative_to(here)]
    file, line = (own or real or [(Path(), None)])[-1]
    return "" if line is None else f"{file}:{line}"


def _is_code(file: Path) -> bool:
    """Return whether *file* may contain the cause: not the import system, and not this program."""
    return file.parent.name not in ("importlib", "cli")
