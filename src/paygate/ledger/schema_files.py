"""The numbered schema files of a database, of which each brings a ledger one version further."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

SCHEMA: Final = 1
"""The number of the newest schema file, which is the same for each database."""


@dataclass(frozen=True)
class SchemaFiles:
    """The schema files in a folder; the newest one has the number of the schema that is known."""

    folder: Traversable

    @cached_property
    def newest(self) -> int:
        """The number of the newest file; a ledger of a higher number is refused."""
        return max(self._names)

    def text(self, number: int) -> str:
        """Return what is in the file of schema *number*."""
        return (self.folder / self._names[number]).read_text("utf-8")

    @cached_property
    def _names(self) -> dict[int, str]:
        names = [each.name for each in self.folder.iterdir() if each.name.endswith(".sql")]
        return {int(name.partition("_")[0]): name for name in names}


SQLITE: Final = SchemaFiles(resources.files("paygate.ledger") / "schema" / "sqlite")
POSTGRES: Final = SchemaFiles(resources.files("paygate.ledger") / "schema" / "postgres")
