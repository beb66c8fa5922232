"""The cases of the sheet on bank statements: each file, and what it says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paygate.domain.bank_statement import BankEntry, StatementEnd, StatementHead
from paygate.statements import ColumnMap, read_statement


@dataclass(frozen=True)
class Vector:
    """A file of the sheet and the expected reading of it."""

    name: str
    path: Path
    says: dict[str, Any]

    @property
    def columns(self) -> ColumnMap | None:
        """The column map, if the file is a table."""
        if self.says["format"] != "csv":
            return None
        return ColumnMap(**{k: v for k, v in self.says["map"].items() if k != "header"})

    def statements(self) -> list[tuple[StatementHead, list[BankEntry], StatementEnd]]:
        """Read the file, one tuple for each statement."""
        found: list[tuple[StatementHead, list[BankEntry], StatementEnd]] = []
        head: StatementHead | None = None
        entries: list[BankEntry] = []
        with self.path.open("rb") as file:
            for part in read_statement(file, columns=self.columns):
                match part:
                    case StatementHead():
                        head, entries = part, []
                    case BankEntry():
                        entries.append(part)
                    case StatementEnd():
                        assert head is not None
                        found.append((head, entries, part))
        return found


def vectors(protocols: Path) -> Iterator[Vector]:
    """Yield each statement file of the sheet."""
    for case in sorted((protocols / "bank" / "vectors").iterdir()):
        if not case.is_dir():
            continue
        expected = json.loads((case / "expected.json").read_text())
        for name, says in expected.get("files", {}).items():
            if "statements" in says:
                yield Vector(f"{case.name}/{name}", case / name, says)
