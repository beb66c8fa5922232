"""The public names by subject, for the pages of the reference that list them.

Each name of the three doors `paygate`, `paygate.driver` and `paygate.testing` belongs to one
subject of one page. Errors are not here: the page of errors lists them all.
"""

from __future__ import annotations

import ast
import inspect
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import paygate
import paygate.driver
import paygate.testing
from paygate import Cashier, errors
from paygate.cashier.verbs import each_verb


class Subject(NamedTuple):
    """A part of a page: its heading, a sentence, and what belongs to it, in that order."""

    title: str
    about: str
    names: str
    verbs: str = ""


class Page(NamedTuple):
    """A page of the reference: the door that it describes, and its subjects."""

    door: ModuleType
    subjects: tuple[Subject, ...]


DOOR_OF: Mapping[str, ModuleType] = {
    "host": paygate,
    "driver": paygate.driver,
    "kit": paygate.driver,
    "testing": paygate.testing,
}


def pages() -> Iterator[tuple[str, Page]]:
    """Yield the pages, as `subjects.toml` arranges them."""
    arranged = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
    for title, door in DOOR_OF.items():
        yield title, Page(door, tuple(Subject(**each) for each in arranged[title]))


PAGES = dict(pages())
DOORS = (paygate, paygate.driver, paygate.testing)


def is_error(door: ModuleType, name: str) -> bool:
    """Return whether *name* is an error, which the page of errors lists."""
    thing = getattr(door, name)
    return inspect.isclass(thing) and issubclass(thing, errors.PaygateError)


def placed() -> Iterator[tuple[str, str]]:
    """Yield the title of the page and each name that it lists, as often as it does."""
    for title, page in PAGES.items():
        for subject in page.subjects:
            for name in subject.names.split():
                yield title, name


def mistakes() -> list[str]:
    """Return the names that `subjects.toml` lacks, and those in it that are gone."""
    there = {name for _, name in placed()}
    missing = [
        f"{door.__name__}.{name} has no subject"
        for door in DOORS
        for name in door.__all__
        if name not in there and not is_error(door, name)
    ]
    gone = [
        f"{page.door.__name__}.{name} is no public name"
        for page in PAGES.values()
        for subject in page.subjects
        for name in subject.names.split()
        if name not in page.door.__all__
    ]
    return missing + gone


def listed(title: str) -> Iterator[str]:
    """Yield the subjects of a page as Markdown: a sentence, and tables of verbs and names."""
    page = PAGES[title]
    for subject in page.subjects:
        yield from (f"### {subject.title}", "", subject.about, "")
        if subject.verbs:
            yield from ("| Verb | What it does |", "| --- | --- |")
            for name in subject.verbs.split():
                yield row(verb_called(name), summary_of(getattr(Cashier, name)))
            yield ""
        others = [door for door in DOORS if door is not page.door]
        also = {
            name: [door.__name__ for door in others if name in door.__all__]
            for name in subject.names.split()
        }
        shared = any(also.values())
        yield "| Name | What it is |" + (" Also in |" if shared else "")
        yield "| --- | --- |" + (" --- |" if shared else "")
        for name, doors in also.items():
            more = [", ".join(f"`{door}`" for door in doors)] if shared else []
            yield row(f"`{name}`", summary(page.door, name), *more)
        yield ""


def row(*cells: str) -> str:
    escaped = [cell.replace("|", "\\|") for cell in cells]
    return f"| {' | '.join(escaped)} |"


def verb_called(name: str) -> str:
    """Return how a verb is called, with the arguments that it needs."""
    verb: Any = each_verb(Cashier).get(name)
    member = inspect.getattr_static(Cashier, name)
    if verb is None and isinstance(member, property):
        return f"`{name}`"
    # A verb is called with what its flow takes after the ledger, and a method without itself.
    function = getattr(Cashier, name) if verb is None else verb.flow
    parameters = [*inspect.signature(function).parameters.values()]
    parameters = (
        parameters[1:] if verb or (parameters[:1] and parameters[0].name == "self") else parameters
    )
    needed = [
        each.name
        for each in parameters
        if each.default is each.empty and each.kind is not each.VAR_KEYWORD
    ]
    more = "" if len(needed) == len(parameters) else ", …" if needed else "…"
    return f"`{name}({', '.join(needed)}{more})`"


def summary_of(thing: Any) -> str:
    return (inspect.getdoc(thing) or "").split("\n\n", 1)[0].replace("\n", " ")


def summary(door: ModuleType, name: str) -> str:
    """Return the first line about a name: of its docstring, or of the text below a constant."""
    thing = getattr(door, name)
    if inspect.isclass(thing) or inspect.isroutine(thing):
        return summary_of(thing)
    return text_below(door.__name__, name).split("\n\n", 1)[0].replace("\n", " ")


def text_below(module: str, name: str) -> str:
    """Return the string below the definition of a constant or an alias, wherever that is."""
    here = import_module(module)
    home = vars(here).get("_HOMES", {}).get(name)
    if home is not None:
        package = "paygate.testing" if here is paygate.testing else "paygate"
        return text_below(f"{package}.{home}", name)
    texts, sources = read(module)
    return (
        texts[name] if name in texts else text_below(sources[name], name) if name in sources else ""
    )


@cache
def read(module: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return the texts below the definitions of a module, and from where it imports names."""
    tree = ast.parse(inspect.getsource(import_module(module)))
    texts: dict[str, str] = {}
    for definition, text in zip(tree.body, tree.body[1:], strict=False):
        match definition, text:
            case (
                ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str() as written)),
            ):
                texts[name] = inspect.cleandoc(written)
            case _:
                pass
    sources = {
        alias.asname or alias.name: each.module
        for each in ast.walk(tree)
        if isinstance(each, ast.ImportFrom) and each.module
        for alias in each.names
    }
    return texts, sources


def in_full(title: str) -> Iterator[str]:
    """Yield the subjects of a page again, each with the directives that show names in full."""
    page = PAGES[title]
    for subject in page.subjects:
        yield from (f"### {subject.title} in full", "", "```{eval-rst}")
        for name in subject.verbs.split():
            yield from (
                f".. autoattribute:: paygate.Cashier.{name}"
                if is_data(name)
                else f".. automethod:: paygate.Cashier.{name}",
                "",
            )
        for name in subject.names.split():
            yield from directive(page.door, name)
        yield from ("```", "")


def is_data(name: str) -> bool:
    return isinstance(inspect.getattr_static(Cashier, name), property)


def directive(door: ModuleType, name: str) -> Iterator[str]:
    thing = getattr(door, name)
    path = f"{door.__name__}.{name}"
    if name in ("Cashier", "AsyncCashier"):
        yield from (f".. autoclass:: {path}", "")
    elif inspect.isclass(thing):
        yield from (
            f".. autoclass:: {path}",
            "   :members:",
            "   :inherited-members: Exception, object, StrEnum, str, BaseModel",
            "",
        )
    elif inspect.isroutine(thing):
        yield from (f".. autofunction:: {path}", "")
    else:
        yield from (f".. py:data:: {path}", "", f"   {summary(door, name)}", "")
