"""Transcripts: what a processor says, as files that a person can read and write.

A file is about one operation and holds several cases. A case has facts that the
test compares with, and the answers that the processor gives to the requests of
one conversation, in order::

    # Acme's answers to a sale.
    money = sale                  <- a fact of the whole file

    === approve                   <- a case
    movement = tx_81              <- a fact of this case

    --- 200 sale                  <- an answer: its status, and the request's step
    content-type: application/json

    {"id": "tx_81", "state": "paid", "cents": ${minor}}

Facts come before the first answer, ``#`` begins a comment there. An answer is
its status, header lines, an empty line and the body, which goes on until the next line
that begins an answer or a case; empty lines at its end do not count. The step may
be left out, and so may the empty line where there are no headers. What a
processor sends by itself, a callback, begins with ``--- POST`` or ``--- GET``.

``${our_ref}``, ``${payment}``, ``${key}``, ``${reference}``, ``${minor}`` (the amount in
minor units), ``${decimal}``, ``${currency}``, ``${currency_lower}``, ``${amount}`` (as the
test's `amount_text` writes it), ``${now}``, ``${now_unix}`` and each fact stand for what is asked.
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
    """A transcript that is missing, cannot be read, or lacks a case that the class needs."""

    file: str
    line: int
    lacks: str


@dataclass(frozen=True, slots=True)
class Message:
    """One answer of the processor, or one callback, as it stands in the file."""

    start: str
    step: str
    headers: Mapping[str, str]
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Case:
    """One conversation: facts to compare with, and what the processor says in it."""

    file: str
    name: str
    facts: Mapping[str, str]
    messages: tuple[Message, ...]
    line: int = 0
    """Where the case begins."""
    lines: Mapping[str, int] = field(default_factory=dict[str, int])
    """Where each fact stands."""

    def asks(self, name: str = "") -> str:
        """Return where the file asks for the fact *name*, or where the case is, if it does not."""
        file = Path(self.file).name
        if name in self.lines:
            return f"{file}, line {self.lines[name]}: {name} = {self.facts[name]}"
        lacks = f", which has no {name!r}" if name else ""
        return f"{file}, line {self.line}: === {self.name}{lacks}"

    def fact(self, name: str) -> str:
        """Tell the fact *name*, or raise `TranscriptError` where the author did not say it."""
        if name not in self.facts:
            raise TranscriptError(
                f"{self.file}: the case {self.name!r} does not say {name!r}; add a line "
                f"'{name} = …' below '=== {self.name}', or at the top of the file for all cases",
                file=self.file,
                lacks=name,
            )
        return self.facts[name]

    def mentions(self, *names: str) -> bool:
        """Tell whether one of the placeholders *names* stands in an answer."""
        texts = [message.text for message in self.messages]
        return any(f"${{{name}}}" in text for name in names for text in texts)

    def responses(self, values: Mapping[str, str]) -> list[Response]:
        """Return the answers, with *values* and the facts in their places."""
        return [self.response(message, values) for message in self.messages]

    def response(self, message: Message, values: Mapping[str, str]) -> Response:
        """Return one answer, with *values* and the facts in their places."""
        return Response(
            status=int(message.start),
            headers=self._headers(message, values),
            body=self.body(message, values),
        )

    def body(self, message: Message, values: Mapping[str, str]) -> bytes:
        """Write the body of one message."""
        return self._filled(message.text, values).encode()

    def _headers(self, message: Message, values: Mapping[str, str]) -> dict[str, str]:
        return {name: self._filled(text, values) for name, text in message.headers.items()}

    def _filled(self, text: str, values: Mapping[str, str]) -> str:
        known = {**self.facts, **values}

        def value(place: re.Match[str]) -> str:
            if place[1] not in known:
                raise TranscriptError(
                    f"{self.file}: the case {self.name!r} has ${{{place[1]}}}, which stands for "
                    f"nothing; there are {', '.join(sorted(known))}",
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
        """Return whether the file says that the processor never tells *name* here (`untold`)."""
        return name in self.facts.get("untold", "").split(", ")

    def __contains__(self, name: str) -> bool:
        return name in self.cases

    def case(self, name: str, meaning: str = "") -> Case:
        """Find the case *name*, or raise `TranscriptError` and say what it is for."""
        found = self.cases.get(name)
        if found is None:
            there = ", ".join(self.cases) or "none"
            raise TranscriptError(
                f"{self.path}: the case {name!r} is missing"
                f"{f' ({meaning})' if meaning else ''}; add '=== {name}' with what the processor "
                f"says then (there are: {there})",
                file=str(self.path),
                lacks=name,
            )
        if not found.messages:
            raise TranscriptError(
                f"{self.path}: the case {name!r} has no answer; add '--- 200', headers, an empty "
                "line and the body",
                file=str(self.path),
                lacks=name,
            )
        return found

    def fact(self, name: str, meaning: str) -> str:
        """Tell the fact *name* of the whole file, or raise `TranscriptError`."""
        if name not in self.facts:
            raise TranscriptError(
                f"{self.path}: the file does not say {name!r} ({meaning}); add a line "
                f"'{name} = …' before its first case",
                file=str(self.path),
                lacks=name,
            )
        return self.facts[name]


def read_transcript(path: Path) -> Transcript:
    """Read the file at *path*, or raise `TranscriptError` naming it and the line."""
    try:
        found = path.stat()
        return _read(path, found.st_mtime_ns, found.st_size)
    except FileNotFoundError:
        raise TranscriptError(
            f"{path}: there is no such transcript; write what the processor says to this "
            "operation into it",
            file=str(path),
            lacks=path.stem,
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise TranscriptError(f"{path}: cannot be read: {error}", file=str(path)) from None


@lru_cache(maxsize=256)
def _read(path: Path, _changed_ns: int, _size: int) -> Transcript:
    """Read a file once for as long as it stays the same: cases ask for it again and again."""
    return parse_transcript(path.read_text(encoding="utf-8"), path)


def parse_transcript(text: str, path: Path) -> Transcript:
    """Read the *text* of the file at *path*."""
    lines = _Lines(path, text)
    facts, at = lines.facts()
    cases: dict[str, Case] = {}
    for name, line in lines.cases():
        if name in cases:
            raise lines.error(f"the case {name!r} stands here a second time; give it one place")
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
    """The lines of a file, read from the top."""

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
        """Return the facts up to the next case or message, and on which line each stands."""
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
                    f"an answer must stand in a case; begin one by '=== name': {line!r}"
                )
            yield case[1], self._next

    def messages(self) -> Iterator[Message]:
        """Read the messages of a case."""
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
