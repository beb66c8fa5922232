"""A list on the terminal: a table, or one record after another if a table would be too wide.

Ids, links, references and addresses are copied and searched for, so a word is never cut and
never broken over two lines. In a pipe, and on a terminal with enough room, each row has one line.
Otherwise a cell may have several lines. A column can be as narrow as its longest word. If the
columns still do not fit, each row becomes a record with a line for each of its columns. A word
longer than the terminal is wide has a line of its own, which the terminal wraps and copies whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console, ConsoleOptions

_GAP: Final = "  "
_BETWEEN: Final = " · "


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its heading, and whether it is aligned to the right, and never folded."""

    heading: str
    right: bool = False
    whole: bool = False


@dataclass(frozen=True, slots=True)
class _Row:
    cells: tuple[Text, ...]
    style: str


class Grid:
    """Rows to be printed on a console in *room* columns, or in as many as they need if None."""

    def __init__(self, columns: list[Column], *, room: int | None, indent: int = 0) -> None:
        self._columns = columns
        self._room = None if room is None else room - indent
        self._indent = " " * indent
        self._rows: list[_Row] = []

    @property
    def row_count(self) -> int:
        """How many rows there are."""
        return len(self._rows)

    def add(self, *cells: Text, style: str = "") -> None:
        """Add a row with a cell for each column."""
        self._rows.append(_Row(cells, style))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        """Yield the lines; each is printed as it is."""
        rows = [_Row(tuple(map(_on_one_line, row.cells)), row.style) for row in self._rows]
        widths = self._widths(rows, fold=False)
        if widths is None:
            rows = self._rows
            widths = self._widths(rows)
        lines = (
            self._records(console)
            if widths is None
            else self._table(console, options, rows, widths)
        )
        for line in lines:
            line.rstrip()
            yield Text(self._indent) + line

    def _widths(self, rows: list[_Row], *, fold: bool = True) -> list[int] | None:
        """Return the width of each column; None if they do not fit, folded if *fold* allows it."""
        by_column = zip(*(row.cells for row in rows), strict=True)
        cells = list(by_column) or [() for _ in self._columns]
        widths: list[int] = []
        least: list[int] = []
        for column, texts in zip(self._columns, cells, strict=True):
            lines = [Text(column.heading), *(line for text in texts for line in text.split("\n"))]
            words = [Text(word) for line in lines for word in line.plain.split()]
            widths.append(max(line.cell_len for line in lines))
            folded = max((word.cell_len for word in words), default=0)
            least.append(widths[-1] if column.whole or column.right else folded)
        if self._room is None:
            return widths
        room = self._room - len(_GAP) * (len(widths) - 1)
        while sum(widths) > room:
            spare = [width - low for width, low in zip(widths, least, strict=True)]
            if not fold or not any(spare):
                return None
            # The widest of the columns that can be folded gives way.
            widest = max(range(len(widths)), key=lambda each: (spare[each] > 0, widths[each]))
            widths[widest] -= 1
        return widths

    def _table(
        self, console: Console, options: ConsoleOptions, rows: list[_Row], widths: list[int]
    ) -> Iterator[Text]:
        headings = tuple(Text(column.heading, style="dim") for column in self._columns)
        yield from self._lines(console, _Row(headings, ""), widths)
        rule = "-" if options.ascii_only else "─"
        yield Text(rule * (sum(widths) + len(_GAP) * (len(widths) - 1)), style="dim")
        for row in rows:
            yield from self._lines(console, row, widths)

    def _lines(self, console: Console, row: _Row, widths: list[int]) -> Iterator[Text]:
        """Yield the lines of a row, whose cells are folded between words."""
        folded = (
            _folded(cell, console, width) for cell, width in zip(row.cells, widths, strict=True)
        )
        for parts in zip_longest(*folded, fillvalue=Text()):
            line = Text(style=row.style)
            for number, (column, part, width) in enumerate(
                zip(self._columns, parts, widths, strict=True)
            ):
                blank = " " * (width - part.cell_len)
                line.append(_GAP if number else "")
                line.append(blank if column.right else "")
                line.append_text(part)
                line.append("" if column.right else blank)
            yield line

    def _records(self, console: Console) -> Iterator[Text]:
        indent = max(len(column.heading) for column in self._columns) + len(_GAP)
        room = None if self._room is None else max(self._room - indent, 1)
        for number, row in enumerate(self._rows):
            if number:
                yield Text()
            for column, cell in zip(self._columns, row.cells, strict=True):
                label = column.heading
                for part in _folded(cell, console, room) if cell.plain.strip() else ():
                    found = Text(f"{label:{indent}}", style="dim")
                    yield found + Text(style=row.style).append_text(part)
                    label = ""


def _on_one_line(cell: Text) -> Text:
    """Return a cell with dots between its parts in place of line ends."""
    parts = [_stripped(line) for line in cell.split("\n")]
    return Text(_BETWEEN).join(part for part in parts if part)


def _stripped(line: Text) -> Text:
    """Return a line without its indent, and without the dot after which it was folded."""
    start = len(line.plain) - len(line.plain.lstrip())
    return line[start : max(start, len(line.plain.removesuffix(_BETWEEN.rstrip())))]


def _folded(cell: Text, console: Console, width: int | None) -> Iterator[Text]:
    """Yield the lines of a cell, folded between words; a longer word has a line of its own."""
    for line in cell.split("\n"):
        if width is None or line.cell_len <= width:
            yield line
        else:
            longest = max(Text(word).cell_len for word in line.plain.split() or [""])
            yield from line.wrap(console, max(width, longest))
