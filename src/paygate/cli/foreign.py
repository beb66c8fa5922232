"""What went wrong in somebody else's code, said so that it can be found and holds no secret."""

from __future__ import annotations

import re
from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING, Final

from paygate.domain.secret import DOTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType

_CREDENTIAL: Final = r"pass(?:word|phrase|wd)?|secret|token|key|credentials?"
_SAID: Final = re.compile(rf"\b({_CREDENTIAL})(\s*(?:=|:|\bis\b)\s*)\S+", re.IGNORECASE)
_IN_ADDRESS: Final = re.compile(r"(://[^\s/:@]*:)[^\s/@]+@")
_NAMED: Final = re.compile(_CREDENTIAL, re.IGNORECASE)
_SHOWN_MAX: Final = 300


def failure(error: BaseException) -> str:
    """Return type, message and position of *error*, the message without what looks secret."""
    message = _IN_ADDRESS.sub(rf"\1{DOTS}@", _SAID.sub(rf"\1\2{DOTS}", str(error)))
    said = ": ".join(filter(None, (type(error).__name__, message[:_SHOWN_MAX].strip())))
    position = _position(error.__traceback__)
    return f"{said} ({position})" if position else said


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
    """Return whether *file* may hold the reason: it is not of the imports, nor of this program."""
    return file.parent.name not in ("importlib", "cli")
