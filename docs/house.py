"""Draw the picture of the layers from the import contract: ``python docs/house.py``.

One band is one layer. Its packages import only from the layers below; neighbors in one layer
do not import each other unless the contract lets them. `tests/test_house.py` compares the
picture with the contract in ``pyproject.toml``.
"""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).parent.parent
PICTURE = ROOT / "docs" / "_static" / "house.svg"
WIDTH, GAP, MARGIN = 960, 10, 14
LINES_MAX = 3

STYLE = """
  .floor { fill: #f4f6f8; stroke: #c5ced6; }
  .room { fill: #ffffff; stroke: #5b7083; }
  .name { font: 600 15px system-ui, sans-serif; fill: #17324d; }
  .about { font: 12px system-ui, sans-serif; fill: #44566a; }
"""


def floors() -> list[list[str]]:
    """Return the packages and modules of each layer, from the top down."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    [layers] = [each for each in contracts if each.get("containers") == ["paygate"]]
    found: list[list[str]] = []
    for layer in layers["layers"]:
        rooms = [name.strip(" ()") for name in re.split(r"[|:]", layer)]
        present = [room for room in rooms if source_of(room) is not None]
        if present:
            found.append(present)
    return found


def source_of(room: str) -> Path | None:
    """Return the file with the docstring of *room*, if it exists."""
    package = ROOT / "src" / "paygate" / room
    for path in (package / "__init__.py", package.with_suffix(".py")):
        if path.exists():
            return path
    return None


def about(room: str) -> str:
    """Return the first words of the docstring of *room*."""
    source = source_of(room)
    assert source is not None, f"the layer names {room}, which does not exist"
    docstring = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
    first = docstring.partition("\n")[0].rstrip(".").replace("`", "")
    _, colon, after = first.partition(": ")
    return after if colon else first


def drawn() -> str:
    """Return the picture as SVG."""
    shapes: list[str] = []
    top = MARGIN
    for rooms in floors():
        width = (WIDTH - 2 * MARGIN - GAP * (len(rooms) + 1)) / len(rooms)
        texts = [_wrapped(about(room), int(width / 6.7)) for room in rooms]
        height = 32 + 14 * max(map(len, texts))
        shapes.append(
            f'<rect class="floor" x="{MARGIN}" y="{top}" width="{WIDTH - 2 * MARGIN}" '
            f'height="{height + 2 * GAP}" rx="8"/>'
        )
        for number, (room, lines) in enumerate(zip(rooms, texts, strict=True)):
            left = MARGIN + GAP + number * (width + GAP)
            shapes += _room(room, lines, left, top + GAP, width, height)
        top += height + 3 * GAP
    bottom = top - GAP + MARGIN
    names = "; ".join(", ".join(rooms) for rooms in floors())
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom}" role="img">',
            f"<title>The layers of paygate, from the top: {escape(names)}</title>",
            f"<style>{STYLE}</style>",
            f'<rect width="{WIDTH}" height="{bottom}" fill="#ffffff"/>',
            *shapes,
            "</svg>\n",
        ]
    )


def _room(
    name: str, lines: list[str], left: float, top: int, width: float, height: int
) -> list[str]:
    middle = left + width / 2
    box = f'x="{left:.1f}" y="{top}" width="{width:.1f}" height="{height}"'
    shapes = [
        f'<rect class="room" {box} rx="5"/>',
        f'<text class="name" x="{middle:.1f}" y="{top + 20}" text-anchor="middle">{name}</text>',
    ]
    for number, line in enumerate(lines):
        at = f'x="{middle:.1f}" y="{top + 37 + 14 * number}"'
        shapes.append(f'<text class="about" {at} text-anchor="middle">{escape(line)}</text>')
    return shapes


def _wrapped(text: str, columns: int) -> list[str]:
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) + 1 > columns and lines[-1]:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return (
        lines if len(lines) <= LINES_MAX else [*lines[: LINES_MAX - 1], f"{lines[LINES_MAX - 1]} …"]
    )


if __name__ == "__main__":
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(drawn(), encoding="utf-8")
