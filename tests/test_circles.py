"""No file imports another in a circle, imports for the type checkers and late ones included.

Files in a circle can only be read together. The import contracts keep the rooms apart; this is
about the files in them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent / "src"


def read(root: Path) -> dict[str, set[str]]:
    """Return which modules under *root* each of them imports; faces, which hand on, left out."""
    files = {
        ".".join(file.relative_to(root).with_suffix("").parts): file
        for file in root.rglob("*.py")
        if file.name != "__init__.py"
    }
    return {
        name: {each for each in named(file) if each in files and each != name}
        for name, file in files.items()
    }


def named(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                yield from (each.name for each in names)
            case ast.ImportFrom(module=str(module), names=names):
                yield module
                yield from (f"{module}.{each.name}" for each in names)
            case _:
                pass


def circles(imports: Mapping[str, set[str]]) -> list[set[str]]:
    """Return the sets of modules that reach one another."""
    reached = {name: reach(name, imports) for name in imports}
    found: list[set[str]] = []
    for name in sorted(imports):
        tied = {other for other in reached[name] if name in reached[other]}
        if tied and tied not in found:
            found.append(tied)
    return found


def reach(name: str, imports: Mapping[str, set[str]]) -> set[str]:
    reached: set[str] = set()
    ahead = [*imports[name]]
    while ahead:
        step = ahead.pop()
        if step not in reached:
            reached.add(step)
            ahead += imports[step]
    return reached


def test_no_file_imports_another_in_a_circle() -> None:
    assert circles(read(ROOT)) == []


def test_a_circle_is_seen_however_it_is_imported(tmp_path: Path) -> None:
    (tmp_path / "house").mkdir()
    for name, text in {
        "a": "from house import b, d",
        "b": "import typing\nif typing.TYPE_CHECKING:\n    from house.c import C",
        "c": "class C:\n    def late(self):\n        import house.a",
        "d": "import json",
        "e": "from house.a import x",
    }.items():
        (tmp_path / "house" / f"{name}.py").write_text(text)

    assert circles(read(tmp_path)) == [{"house.a", "house.b", "house.c"}]
