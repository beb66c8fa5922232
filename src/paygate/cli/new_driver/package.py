"""Writing the package: a template, less the parts that were not asked for.

In a template, ``@NAME@`` stands for the driver's name, ``@MODULE@`` for its module,
``@CLASS@`` for its class. A line that ends in ``#[refund]`` is written where refunds
are asked for; so is everything between the lines ``#[[refund]]`` and ``#[[/]]``.
``norefund`` is for where they are not.
"""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from paygate.errors import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

CAPABILITIES: Final = ("authorize", "refund", "redirect", "store", "webhooks")
"""What can be asked for, beside charging and inquiring."""

LENGTH_MAX: Final = 30
"""A longer name would not fit into the lines of the template."""

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_LINE: Final = re.compile(r"(.*?) *#\[([a-z]+)\]")
_BLOCK: Final = re.compile(r"\s*#\[\[([a-z]+|/)\]\]\s*")

_FILES: Final[Mapping[str, tuple[str, str]]] = {
    "pyproject.toml": ("", "pyproject.toml"),
    "README.md": ("", "README.md"),
    "gitignore": ("", ".gitignore"),
    "ci.yml": ("", ".github/workflows/ci.yml"),
    "init.py": ("", "src/@MODULE@/__init__.py"),
    "gateway.py": ("", "src/@MODULE@/gateway.py"),
    "wire.py": ("", "src/@MODULE@/wire.py"),
    "codes.py": ("", "src/@MODULE@/codes.py"),
    "settings.py": ("", "src/@MODULE@/settings.py"),
    "callbacks.py": ("webhooks", "src/@MODULE@/callbacks.py"),
    "py.typed": ("", "src/@MODULE@/py.typed"),
    "test_conformance.py": ("", "tests/test_conformance.py"),
    "amounts.txt": ("", "tests/transcripts/amounts.txt"),
    "charge.txt": ("", "tests/transcripts/charge.txt"),
    "look_up.txt": ("", "tests/transcripts/look_up.txt"),
    "check.txt": ("", "tests/transcripts/check.txt"),
    "authorize.txt": ("authorize", "tests/transcripts/authorize.txt"),
    "capture.txt": ("authorize", "tests/transcripts/capture.txt"),
    "void.txt": ("authorize", "tests/transcripts/void.txt"),
    "refund.txt": ("refund", "tests/transcripts/refund.txt"),
    "enroll.txt": ("store", "tests/transcripts/enroll.txt"),
    "forget.txt": ("store", "tests/transcripts/forget.txt"),
    "callbacks.txt": ("webhooks", "tests/transcripts/callbacks.txt"),
    "page_charge.txt": ("redirect", "tests/transcripts/page/charge.txt"),
    "page_complete.txt": ("redirect", "tests/transcripts/page/complete.txt"),
    "page_close.txt": ("redirect", "tests/transcripts/page/close.txt"),
    "page_amounts.txt": ("redirect", "tests/transcripts/page/amounts.txt"),
}
"""Each file of the template: what must be asked for, and where it is written."""


@dataclass(frozen=True, slots=True)
class Written:
    """A package that was written."""

    folder: Path
    files: tuple[Path, ...]


def write_package(name: str, into: Path, chosen: frozenset[str]) -> Written:
    """
    Write the package of the driver *name* into a new folder of *into*.

    Raises `InvalidValue` for a name that no driver can have, and where the folder is
    there already: nothing is written over.
    """
    _check(name, chosen)
    folder = into / f"paygate-{name}"
    if folder.exists():
        raise InvalidValue(f"{folder} is there already; nothing was written. Remove it, or --into")
    names = {
        "@NAME@": name,
        "@MODULE@": f"paygate_{name.replace('-', '_')}",
        "@CLASS@": "".join(part.capitalize() for part in name.split("-")),
    }
    wanted = chosen | {f"no{each}" for each in CAPABILITIES if each not in chosen}
    made: list[Path] = []
    for source, (needs, target) in _FILES.items():
        if needs and needs not in chosen:
            continue
        text = (files("paygate.cli.new_driver") / "template" / f"{source}.tmpl").read_text("utf-8")
        path = folder / _named(target, names)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_named("".join(_chosen(text, wanted)), names), encoding="utf-8")
        made.append(path)
    return Written(folder, tuple(made))


def _check(name: str, chosen: frozenset[str]) -> None:
    if not _NAME.fullmatch(name) or keyword.iskeyword(name) or len(name) > LENGTH_MAX:
        raise InvalidValue(
            f"{name!r} is no name for a driver: up to {LENGTH_MAX} small letters and digits, with "
            "'-' between words, such as acme or acme-checks"
        )
    unknown = chosen - set(CAPABILITIES)
    if unknown:
        raise InvalidValue(f"there is no capability {', '.join(sorted(unknown))}")


def _chosen(text: str, chosen: frozenset[str]) -> Iterator[str]:
    """Go through the lines that are asked for."""
    wanted = True
    for line in text.splitlines(keepends=True):
        block = _BLOCK.fullmatch(line)
        if block is not None:
            wanted = block[1] == "/" or block[1] in chosen
            continue
        marked = _LINE.fullmatch(line.rstrip("\n"))
        if not wanted or (marked and marked[2] not in chosen):
            continue
        yield f"{marked[1]}\n" if marked else line


def _named(text: str, names: Mapping[str, str]) -> str:
    for place, name in names.items():
        text = text.replace(place, name)
    return text
