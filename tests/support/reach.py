"""Which classes of ours can be reached from an annotation: what a reader of it may have to name."""

import ast
import inspect
import re
import sys
import types
import typing
from collections.abc import Callable, Collection, Iterator, Mapping
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

from paygate.cashier.verbs import each_verb, verb

RETURNS = re.compile(r"Flow\[(.*)\]", re.DOTALL)


def is_ours(thing: type) -> bool:
    """Return whether paygate defines *thing*."""
    return thing.__module__.partition(".")[0] == "paygate"


def is_protocol(thing: type) -> bool:
    """Return whether somebody else writes *thing*, and so needs what its methods speak of."""
    return bool(getattr(thing, "_is_protocol", False))


@cache
def names_of(module: str) -> Mapping[str, Any]:
    """Return what the names of *module* stand for, those that only type checkers import too."""
    found = sys.modules[module]
    names = dict(vars(found))
    for node in ast.parse(inspect.getsource(found)).body:
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                imports = (ast.Import, ast.ImportFrom)
                body: list[ast.stmt] = [each for each in node.body if isinstance(each, imports)]
                exec(compile(ast.Module(body, []), module, "exec"), names)  # noqa: S102  (our own)
            case _:
                pass
    return names


def meaning(annotation: object, module: str) -> object:
    """Return what *annotation*, written in *module*, means; text is evaluated."""
    text = annotation.__forward_arg__ if isinstance(annotation, typing.ForwardRef) else annotation
    return eval(text, dict(names_of(module))) if isinstance(text, str) else text  # noqa: S307


def written(function: Callable[..., Any]) -> Iterator[object]:
    """Yield the meaning of each annotation of *function*; of a flow, what it returns."""
    for name, annotation in function.__annotations__.items():
        result = RETURNS.fullmatch(annotation) if name == "return" else None
        yield meaning(result[1] if result else annotation, function.__module__)


def public_functions(thing: type) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield by name the public verbs, methods and getters that *thing* itself defines."""
    for name, value in vars(thing).items():
        if name.startswith("_"):
            continue
        match value:
            case verb():
                yield name, value.flow
            case property(fget=getter) if getter is not None:
                yield name, getter
            case classmethod() | staticmethod():
                yield name, cast("Any", value).__func__
            case types.FunctionType():
                yield name, value
            case _:
                pass


def public_functions_of(face: type) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield by name what a host calls on *face*: each verb as its flow, and what is no verb."""
    verbs = each_verb(face)
    for base in face.__mro__:
        if is_ours(base):
            for name, function in public_functions(base):
                if name not in verbs or function is verbs[name].flow:
                    yield name, function


def parts(thing: type) -> Iterator[object]:
    """Yield what *thing* is made of: its public fields and properties, or a protocol's methods."""
    for base in thing.__mro__:
        if not is_ours(base):
            continue
        for name, annotation in vars(base).get("__annotations__", {}).items():
            if not name.startswith("_"):
                yield meaning(annotation, base.__module__)
        for name, function in public_functions(base):
            if is_protocol(thing) or isinstance(vars(base)[name], property):
                yield from written(function)


def classes_in(start: object, module: str, *, stop: Collection[type] = ()) -> set[type]:
    """Return each class of paygate that *start* leads to, through generics, unions and fields."""
    found: set[type] = set()
    waiting = [(start, module)]
    while waiting:
        given, at = waiting.pop()
        each = meaning(given, at)
        match each:
            case TypeVar():
                waiting += [(b, at) for b in (each.__bound__, *each.__constraints__) if b]
            case list():
                waiting += [(b, at) for b in cast("list[object]", each)]
            case _ if typing.get_origin(each) is typing.Literal:
                pass
            case _ if typing.get_origin(each) is not None:
                inner = (typing.get_origin(each), *typing.get_args(each))
                waiting += [(b, at) for b in inner]
            case _ if inspect.isclass(each) and each not in found and is_ours(each):
                found.add(each)
                if not issubclass(each, Enum) and each not in stop:
                    waiting += [(b, each.__module__) for b in parts(each)]
            case _:
                pass
    return found


IMPORT = re.compile(r"^[ \t]*(?:>>> )?(?:from|import)[ \t]+(paygate(?:\.\w+)*)\b", re.MULTILINE)


def imported(page: Path) -> set[str]:
    """Return the modules of paygate that *page* imports, which is text or a program."""
    return set(IMPORT.findall(page.read_text("utf-8")))
