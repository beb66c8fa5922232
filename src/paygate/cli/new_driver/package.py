"""Writing the package: a template, without the parts that were not requested.

In a template, ``@NAME@`` stands for the driver's name, ``@MODULE@`` for its module,
``@CLASS@`` for its class, ``@ENV@`` for the prefix of its environment variables. A line
that ends in ``#[refund]`` is written if refunds are requested; so is everything between
the lines ``#[[refund]]`` and ``#[[/]]``. ``norefund`` is for packages without them. `_wanted`
defines all these marks.
"""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass
from importlib.metadata import entry_points
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from paygate import registry
from paygate.errors import InvalidValue
from paygate.printing import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

CAPABILITIES: Final = ("authorize", "refund", "redirect", "store", "webhooks")
"""What can be requested in addition to charging and inquiring."""

KINDS: Final[Mapping[str, frozenset[str]]] = {
    "card": frozenset(CAPABILITIES),
    "e_check": frozenset({"refund", "store", "webhooks"}),
    "redirect": frozenset({"refund", "webhooks"}),
    "voucher": frozenset({"webhooks"}),
}
"""What can be requested, by the kind of payment that the driver collects."""

LENGTH_MAX: Final = 30
"""A longer name would not fit into the lines of the template."""

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_LINE: Final = re.compile(r"(.*?) *#\[([a-z_]+)\]")
_BLOCK: Final = re.compile(r"\s*#\[\[([a-z_]+|/)\]\]\s*")

_TRANSCRIPTS: Final = "tests/transcripts"

_FILES: Final[Sequence[tuple[str, str, str]]] = (
    ("pyproject.toml", "", "pyproject.toml"),
    ("README.md", "", "README.md"),
    ("gitignore", "", ".gitignore"),
    ("ci.yml", "", ".github/workflows/ci.yml"),
    ("init.py", "", "src/@MODULE@/__init__.py"),
    ("gateway.py", "", "src/@MODULE@/gateway.py"),
    ("wire.py", "", "src/@MODULE@/wire.py"),
    ("codes.py", "", "src/@MODULE@/codes.py"),
    ("settings.py", "", "src/@MODULE@/settings.py"),
    ("callbacks.py", "webhooks", "src/@MODULE@/callbacks.py"),
    ("py.typed", "", "src/@MODULE@/py.typed"),
    ("test_conformance.py", "", "tests/test_conformance.py"),
    ("amounts.txt", "", f"{_TRANSCRIPTS}/amounts.txt"),
    ("check.txt", "", f"{_TRANSCRIPTS}/check.txt"),
    ("charge.txt", "sale", f"{_TRANSCRIPTS}/charge.txt"),
    ("look_up.txt", "sale", f"{_TRANSCRIPTS}/look_up.txt"),
    ("authorize.txt", "authorize", f"{_TRANSCRIPTS}/authorize.txt"),
    ("look_up_authorize.txt", "authorize", f"{_TRANSCRIPTS}/look_up_authorize.txt"),
    ("capture.txt", "authorize", f"{_TRANSCRIPTS}/capture.txt"),
    ("look_up_capture.txt", "authorize", f"{_TRANSCRIPTS}/look_up_capture.txt"),
    ("void.txt", "authorize", f"{_TRANSCRIPTS}/void.txt"),
    ("look_up_void.txt", "authorize", f"{_TRANSCRIPTS}/look_up_void.txt"),
    ("refund.txt", "refund", f"{_TRANSCRIPTS}/refund.txt"),
    ("look_up_refund.txt", "refund", f"{_TRANSCRIPTS}/look_up_refund.txt"),
    ("enroll.txt", "store", f"{_TRANSCRIPTS}/enroll.txt"),
    ("look_up_enroll.txt", "store", f"{_TRANSCRIPTS}/look_up_enroll.txt"),
    ("forget.txt", "store", f"{_TRANSCRIPTS}/forget.txt"),
    ("callbacks.txt", "webhooks", f"{_TRANSCRIPTS}/callbacks.txt"),
    ("amounts.txt", "both", f"{_TRANSCRIPTS}/@AWAY@amounts.txt"),
    ("page_charge.txt", "redirect", f"{_TRANSCRIPTS}/@AWAY@charge.txt"),
    ("page_complete.txt", "redirect", f"{_TRANSCRIPTS}/@AWAY@complete.txt"),
    ("slip_charge.txt", "voucher", f"{_TRANSCRIPTS}/charge.txt"),
    ("page_withdraw.txt", "away", f"{_TRANSCRIPTS}/@AWAY@withdraw.txt"),
    ("away_look_up.txt", "away", f"{_TRANSCRIPTS}/@AWAY@look_up.txt"),
    ("away_look_up_complete.txt", "redirect", f"{_TRANSCRIPTS}/@AWAY@look_up_complete.txt"),
    ("away_look_up_withdraw.txt", "away", f"{_TRANSCRIPTS}/@AWAY@look_up_withdraw.txt"),
)
"""Each file of the template: what must be requested for it, and its path in the package."""


@dataclass(frozen=True, slots=True)
class Written:
    """A package that was written."""

    folder: Path
    files: tuple[Path, ...]


def write_package(name: str, into: Path, chosen: frozenset[str], kind: str = "card") -> Written:
    """
    Write the package of the driver *name* into a new folder of *into*.

    It collects payments of *kind* and can do what is *chosen*. Raises `InvalidValue` if a driver
    cannot have the name or a built-in driver has it, if the kind cannot do what is chosen,
    and if the folder already exists: nothing is overwritten.
    """
    _check_name(name)
    _check_chosen(kind, chosen)
    folder = into / f"paygate-{name}"
    if folder.exists():
        raise InvalidValue(
            f"{folder} already exists; nothing was written. Choose another folder with --into"
        )
    names = {
        "@NAME@": name,
        "@MODULE@": f"paygate_{name.replace('-', '_')}",
        "@CLASS@": "".join(part.capitalize() for part in name.split("-")),
        "@ENV@": name.replace("-", "_").upper(),
        "@AWAY@": "page/" if kind == "card" else "",
    }
    wanted = _wanted(kind, chosen)
    made: list[Path] = []
    for source, needs, target in _FILES:
        if needs and needs not in wanted:
            continue
        text = (files("paygate.cli.new_driver") / "template" / f"{source}.tmpl").read_text("utf-8")
        path = folder / _named(target, names)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_named("".join(_chosen(text, wanted)), names), encoding="utf-8")
        made.append(path)
    return Written(folder, tuple(made))


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name) or keyword.iskeyword(name) or len(name) > LENGTH_MAX:
        raise InvalidValue(
            f"{shown(name)} cannot be the name of a driver: use up to {LENGTH_MAX} lower-case "
            "letters and digits, with '-' between words, such as acme or acme-checks"
        )
    if name.replace("-", "_") in {each.replace("-", "_") for each in _own_names()}:
        raise InvalidValue(
            f"{name!r} is a built-in driver, and two with one name are ambiguous; "
            f"choose another name, such as {name}-direct"
        )


def _own_names() -> set[str]:
    """Return the names of the drivers that are part of paygate."""
    points = entry_points(group=registry.GROUP)
    return {each.name for each in points if each.value.startswith("paygate.")}


def _check_chosen(kind: str, chosen: frozenset[str]) -> None:
    if kind not in KINDS:
        raise InvalidValue(f"there is no kind {shown(kind)}; choose one of {', '.join(KINDS)}")
    unknown = chosen - set(CAPABILITIES)
    if unknown:
        raise InvalidValue(f"there is no capability {', '.join(sorted(unknown))}")
    beyond = chosen - KINDS[kind]
    if beyond:
        raise InvalidValue(
            f"--kind {kind} has no {', '.join(f'--{each}' for each in sorted(beyond))}; it has "
            f"{', '.join(f'--{each}' for each in sorted(KINDS[kind]))}"
        )


def _wanted(kind: str, chosen: frozenset[str]) -> frozenset[str]:
    """Return the marks of the lines to write for *kind* with what is *chosen*."""
    redirect = kind == "redirect" or "redirect" in chosen
    sale = kind in ("card", "e_check")
    marks = {
        **{each: kind == each for each in KINDS},
        **{each: each in chosen for each in CAPABILITIES},
        "redirect": redirect,
        "sale": sale,
        "saleonly": sale and not redirect,
        "cardonly": kind == "card" and not redirect,
        "both": sale and redirect,
        "pageonly": kind == "redirect",
        "away": redirect or kind == "voucher",
        "awayonly": not sale,
        "ends": redirect or kind == "voucher" or "authorize" in chosen,
        "more": bool(chosen - {"webhooks"}) or not sale,
    }
    marks["imports"] = marks["more"] or "webhooks" in chosen or not marks["cardonly"]
    return frozenset(each if there else f"no{each}" for each, there in marks.items())


def _chosen(text: str, chosen: frozenset[str]) -> Iterator[str]:
    """Yield the lines that are requested."""
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
