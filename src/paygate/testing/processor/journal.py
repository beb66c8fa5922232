"""The fake processor's journal: its own truth of the money that it moved.

On disk it is one JSON object per line and per transaction. A line is on disk before the
response is sent, so for every response that arrives, the money is in the journal.
"""

from __future__ import annotations

import json
import os
import weakref
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paygate.domain.money import Money
from paygate.domain.movement import MovementKind
from paygate.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


_to_json = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Entry:
    """One movement of money, as the processor recorded it."""

    sequence: int
    kind: MovementKind
    movement_id: str
    reference: str
    our_ref: str
    payment: str
    currency: str
    minor: int
    at: datetime
    undoes: str = ""
    code: str = ""

    @property
    def amount(self) -> Money:
        """The amount that moved; always positive."""
        return Money(self.currency, self.minor)

    def as_json(self) -> dict[str, Any]:
        """Return the entry as plain JSON values."""
        return {
            "sequence": self.sequence,
            "kind": str(self.kind),
            "movement_id": self.movement_id,
            "reference": self.reference,
            "our_ref": self.our_ref,
            "payment": self.payment,
            "currency": self.currency,
            "minor": self.minor,
            "at": self.at.isoformat(),
            "undoes": self.undoes,
            "code": self.code,
        }

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Entry:
        """Return the entry that `as_json` wrote."""
        values = dict(plain)
        values["kind"] = MovementKind(plain["kind"])
        values["at"] = datetime.fromisoformat(plain["at"])
        return cls(**values)


def moved(entries: Iterable[Entry], currency: str) -> Money:
    """Return the money in minus the money out in *currency*."""
    total = 0
    for entry in entries:
        if entry.currency == currency:
            total += entry.minor if entry.kind.inward else -entry.minor
    return Money(currency, total)


def read_journal(path: Path | str) -> list[Entry]:
    """Return the movements in a journal file; its processor may be running."""
    lines, _ = _intact(Path(path).read_bytes())
    return [Entry.from_json(entry) for line in lines for entry in line.get("moved", ())]


class JournalFile:
    """An append-only file of JSON lines, each on the disk before `append` returns."""

    def __init__(self, path: Path | str) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        # Tests rarely close a fake, so its file is closed with it, without a warning.
        self._close = weakref.finalize(self, os.close, self._file)

    def load(self) -> list[dict[str, Any]]:
        """Return all lines, and truncate a last one that a crash left incomplete."""
        with open(self._file, "rb", closefd=False) as reader:
            reader.seek(0)
            lines, size = _intact(reader.read())
        os.ftruncate(self._file, size)
        os.fsync(self._file)
        return lines

    def append(self, line: Mapping[str, Any]) -> None:
        """Append one line, and wait until it is on disk."""
        rest = _to_json(line).encode() + b"\n"
        while rest:
            rest = rest[os.write(self._file, rest) :]
        os.fsync(self._file)

    def close(self) -> None:
        """Close the file; nothing can be appended afterwards."""
        self._close()
        self._file = -1


def _intact(raw: bytes) -> tuple[list[dict[str, Any]], int]:
    """Return the complete lines, and the position at which they end."""
    end = raw.rfind(b"\n") + 1
    lines: list[dict[str, Any]] = []
    for number, line in enumerate(raw[:end].splitlines(), start=1):
        try:
            lines.append(json.loads(line))
        except ValueError:
            raise StoreError(
                f"line {number} of the fake processor's journal is damaged; start with a new file",
                line=number,
            ) from None
    return lines, end
