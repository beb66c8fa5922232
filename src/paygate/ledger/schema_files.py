"""The numbered schema files; each upgrades a ledger by one version."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

SCHEMA: Final = 1
"""The number of the newest schema file, the same for SQLite and PostgreSQL."""

UNFINISHED: Final = "unfinished copy"
"""The value instead of the number in a database into which a ledger is still being copied."""

_SET_SCHEMA: Final = """
INSERT INTO paygate_meta (name, value) VALUES ('schema', '{number}')
ON CONFLICT (name) DO UPDATE SET value = excluded.value;
"""


@dataclass(frozen=True)
class SchemaFiles:
    """The schema files of one database, in one folder."""

    folder: Traversable

    @cached_property
    def newest(self) -> int:
        """The highest number; a ledger with a higher one is refused."""
        return max(self._names)

    def text(self, number: int) -> str:
        """Return the text of schema file *number*."""
        return (self.folder / self._names[number]).read_text("utf-8")

    def script(self, after: int = 0) -> str:
        """Return the SQL that brings a ledger from schema *after* to the newest."""
        numbers = range(after + 1, self.newest + 1)
        return "".join(self.text(number) + _SET_SCHEMA.format(number=number) for number in numbers)

    @cached_property
    def _names(self) -> dict[int, str]:
        names = [each.name for each in self.folder.iterdir() if each.name.endswith(".sql")]
        return {int(name.partition("_")[0]): name for name in names}


SQLITE: Final = SchemaFiles(resources.files("paygate.ledger") / "schema" / "sqlite")
POSTGRES: Final = SchemaFiles(resources.files("paygate.ledger") / "schema" / "postgres")
