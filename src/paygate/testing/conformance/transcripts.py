"""Transcripts: what a processor says, as files that people can read and write.

A file is about one operation and contains several cases. A case has facts, which the
test compares with the outcome, and the processor's responses to the requests of one
conversation, in order::

    # Acme's answers to a sale.
    money = sale                  <- a fact of the whole file

    === approve                   <- a case
    movement = tx_81              <- a fact of this case

    --- 200 sale                  <- a response: its status, and the request's step
    content-type: application/json

    {"id": "tx_81", "state": "paid", "cents": ${minor}}

Facts come before the first response, and ``#`` begins a comment there. A response is its
status, header lines, an empty line and the body, which extends to the next line that
begins a response or a case; empty lines at its end are ignored. The step may be left
out, and so may the empty line if there are no headers. A callback, which a processor
sends by itself, begins with ``--- POST`` or ``--- GET``.

``${our_ref}``, ``${payment}``, ``${key}``, ``${reference}``, ``${minor}`` (the amount in
minor units), ``${decimal}``, ``${currency}``, ``${currency_lower}``, ``${amount}`` (as the
subject's `amount_text` writes it), ``${now}`` and ``${now_unix}`` stand for the values of
the request, and the name of each fact stands for its value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from paygate.driver import Response, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_CASE: Final = re.compile(r"=== +([a-z][a-z0-9_]*) *")
_MESSAGE: Final = re.compile(r"--- +([1-5][0-9][0-9]|GET|POST)(?: +([A-Za-z0-9_.-]+))? *")
_FACT: Final = re.compile(r"([a-z][a-z0-9_]*) *= *(.*?) *")
_HEADER: Final = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*")
_PLACE: Final = re.compile(r"\$\{([a-z][a-z0-9_]*)\}")


class TranscriptError(UsageError):
    """A transcript is missing, cannot be read, or lacks a case that the class needs."""

    file: str
    line: int
    lacks: str


@dataclass(frozen=True, slots=True)
class Message:
    """One response of the processor, or one callback, as the file has it."""

    start: str
    step: str
    headers: Mapping[str, str]
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Case:
    """One conversation: the facts to compare with, and the processor's messages."""

    file: str
    name: str
    facts: Mapping[str, str]
    messages: tuple[Message, ...]
    line: int = 0
    """The line on which the case begins."""
    lines: Mapping[str, int] = field(default_factory=dict[str, int])
    """The line of each fact."""

    def asks(self, name: str = "") -> str:
        """Return the line that states the fact *name*, or that of the case if none does."""
        file = Path(self.file).name
        if name in self.lines:
            return f"{file}, line {self.lines[name]}: {name} = {self.facts[name]}"
        lacks = f", which has no {name!r}" if name else ""
        return f"{file}, line {self.line}: === {self.name}{lacks}"

    def fact(self, name: str) -> str:
        """Return the fact *name*, or raise `TranscriptError` if the case does not state it."""
        if name not in self.facts:
            raise TranscriptError(
                f"{self.file}: the case {self.name!r} has no fact {name!r}; add a line "
                f"'{name} = …' below '=== {self.name}', or at the top of the file for all cases",
                file=self.file,
                lacks=name,
            )
        return self.facts[name]

    def mentions(self, *names: str) -> bool:
        """Return whether a message contains one of the placeholders *names*."""
        texts = [message.text for message in self.messages]
        return any(f"${{{name}}}" in text for name in names for text in texts)

    def responses(self, values: Mapping[str, str]) -> list[Response]:
        """Return the responses, with the placeholders filled from *values* and the facts."""
        return [self.response(message, values) for message in self.messages]

    def response(self, message: Message, values: Mapping[str, str]) -> Response:
        """Return one response, with the placeholders filled from *values* and the facts."""
        return Response(
            status=int(message.start),
            headers=self._headers(message, values),
            body=self.body(message, values),
        )

    def body(self, message: Message, values: Mapping[str, str]) -> bytes:
        """Return the body of one message."""
        return self._filled(message.text, values).encode()

    def _headers(self, message: Message, values: Mapping[str, str]) -> dict[str, str]:
        return {name: self._filled(text, values) for name, text in message.headers.items()}

    def _filled(self, text: str, values: Mapping[str, str]) -> str:
        known = {**self.facts, **values}

        def value(place: re.Match[str]) -> str:
            if place[1] not in known:
                raise TranscriptError(
                    f"{self.file}: the case {self.name!r} has the unknown placeholder "
                    f"${{{place[1]}}}; known are {', '.join(sorted(known))}",
                    file=self.file,
                    lacks=place[1],
                )
            return known[place[1]]

        return _PLACE.sub(value, text)


@dataclass(frozen=True, slots=True)
class Transcript:
    """The cases of one file."""

    path: Path
    facts: Mapping[str, str]
    cases: Mapping[str, Case]

    def leaves_out(self, name: str) -> bool:
        """Return whether the fact `unreported` lists *name*, which never occurs here."""
        return name in self.facts.get("unreported", "").split(", ")

    def __contains__(self, name: str) -> bool:
        return name in self.cases

    def case(self, name: str, meaning: str = "") -> Case:
        """Return the case *name*, or raise `TranscriptError`, which says what it is for."""
        found = self.cases.get(name)
        if found is None:
            there = ", ".join(self.cases) or "none"
            raise TranscriptError(
                f"{self.path}: the case {name!r} is missing"
                f"{f' ({meaning})' if meaning else ''}; add '=== {name}' with what the processor "
                f"sends in that case (the file has: {there})",
                file=str(self.path),
                lacks=name,
            )
        if not found.messages and found.facts.get("sends") != "nothing":
            raise TranscriptError(
                f"{self.path}: the case {name!r} has no response; add '--- 200', headers, an empty "
                "line and the body",
                file=str(self.path),
                lacks=name,
            )
        return found

    def fact(self, name: str, meaning: str) -> str:
        """Return the fact *name* of the whole file, or raise `TranscriptError`."""
        if name not in self.facts:
            raise TranscriptError(
                f"{self.path}: the file has no fact {name!r} ({meaning}); add a line "
                f"'{name} = …' before its first case",
                file=str(self.path),
                lacks=name,
            )
        return self.facts[name]


def read_transcript(path: Path) -> Transcript:
    """Return the transcript at *path*, or raise `TranscriptError` with the file and the line."""
    try:
        found = path.stat()
        return _read(path, found.st_mtime_ns, found.st_size)
    except FileNotFoundError:
        raise TranscriptError(
            f"{path}: this transcript does not exist. Create it with what the processor responds "
            "to this operation",
            file=str(path),
            lacks=path.stem,
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise TranscriptError(f"{path}: cannot be read: {error}", file=str(path)) from None


@lru_cache(maxsize=256)
def _read(path: Path, _changed_ns: int, _size: int) -> Transcript:
    """Return the transcript from a cache until the file changes: many cases read it."""
    return parse_transcript(path.read_text(encoding="utf-8"), path)


def parse_transcript(text: str, path: Path) -> Transcript:
    """Return the transcript in *text*, the content of the file at *path*."""
    lines = _Lines(path, text)
    facts, at = lines.facts()
    cases: dict[str, Case] = {}
    for name, line in lines.cases():
        if name in cases:
            raise lines.error(f"the case {name!r} is defined twice; keep one of them")
        own, own_at = lines.facts()
        cases[name] = Case(
            file=str(path),
            name=name,
            facts={**facts, **own},
            messages=tuple(lines.messages()),
            line=line,
            lines={**at, **own_at},
        )
    return Transcript(path, facts, cases)


@dataclass(slots=True)
class _Lines:
    """The lines of a file, read from top to bottom."""

    path: Path
    text: str
    _lines: list[str] = field(init=False)
    _next: int = 0

    def __post_init__(self) -> None:
        self._lines = self.text.split("\n")

    def error(self, problem: str) -> TranscriptError:
        return TranscriptError(
            f"{self.path}, line {self._next}: {problem}", file=str(self.path), line=self._next
        )

    def facts(self) -> tuple[dict[str, str], dict[str, int]]:
        """Return the facts up to the next case or message, and the line of each."""
        found: dict[str, str] = {}
        at: dict[str, int] = {}
        while (line := self._peek()) is not None and not line.startswith(("=== ", "--- ")):
            self._next += 1
            if not line.strip() or line.startswith("#"):
                continue
            fact = _FACT.fullmatch(line)
            if fact is None:
                raise self.error(f"expected 'name = value', '=== case' or '--- status': {line!r}")
            found[fact[1]] = fact[2]
            at[fact[1]] = self._next
        return found, at

    def cases(self) -> Iterator[tuple[str, int]]:
        """Yield the name of each case, and the line on which it begins."""
        while (line := self._peek()) is not None:
            self._next += 1
            case = _CASE.fullmatch(line)
            if case is None:
                raise self.error(
                    f"a response must belong to a case; begin one with '=== name': {line!r}"
                )
            yield case[1], self._next

    def messages(self) -> Iterator[Message]:
        """Yield the messages of a case."""
        while (line := self._peek()) is not None and line.startswith("--- "):
            self._next += 1
            begun = _MESSAGE.fullmatch(line)
            if begun is None:
                raise self.error(f"expected '--- status step', such as '--- 200 sale': {line!r}")
            at = self._next
            headers = self._headers()
            yield Message(begun[1], begun[2] or "", headers, self._body(), at)

    def _headers(self) -> dict[str, str]:
        found: dict[str, str] = {}
        while (line := self._peek()) is not None and (header := _HEADER.fullmatch(line)):
            self._next += 1
            found[header[1].lower()] = header[2]
        if found and self._peek():
            self._next += 1
            raise self.error(f"expected a header or an empty line: {self._lines[self._next - 1]!r}")
        if self._peek() == "":
            self._next += 1
        return found

    def _body(self) -> str:
        body: list[str] = []
        while (line := self._peek()) is not None:
            if _MESSAGE.fullmatch(line) or _CASE.fullmatch(line):
                break
            body.append(line)
            self._next += 1
        return "\n".join(body).rstrip("\n")

    def _peek(self) -> str | None:
        return self._lines[self._next] if self._next < len(self._lines) else None
