"""Verbs: written once, as flows, and offered by each face in its own way.

A group of verbs derives from `Verbs`. A face also derives from one of the two ways of running a
flow: `AtOnce` returns its result, `Awaited` returns a coroutine of it. Type checkers see the
same through the overloads of `verb`; each face gets a real function for every verb, with the
verb's signature and docstring.
"""

from __future__ import annotations

import inspect
from types import FunctionType
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Concatenate,
    Generic,
    ParamSpec,
    TypeAlias,
    TypeVar,
    cast,
    overload,
)

from paygate.cashier import arguments
from paygate.domain.secret import Sealed

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from paygate.service.flow import Flow

P = ParamSpec("P")
T = TypeVar("T")

Given: TypeAlias = "tuple[tuple[Any, ...], dict[str, Any]]"
"""The positional and the named arguments of a call."""


class verb(Generic[P, T]):  # noqa: N801  (a decorator, like property)
    """A public verb, written as a flow and offered by each face in its own way."""

    def __init__(self, flow: Callable[Concatenate[Any, P], Flow[T]]) -> None:
        self.flow = flow
        self.__doc__ = flow.__doc__
        self._takes_token = str(flow.__annotations__.get("method", "")).startswith("Method |")
        self._takes_parameters = "parameters" in flow.__annotations__
        self._takes_settings = "settings" in flow.__annotations__
        self.name = flow.__name__
        self.on_accounts = False
        self.of_no_tenant = False

    def __set_name__(self, owner: type, name: str) -> None:
        """Note what the group of the verb says about it: see `Verbs`."""
        self.on_accounts = getattr(owner, "_on_accounts", False)
        self.of_no_tenant = name in getattr(owner, "_of_no_tenant", ())

    def seal(self, given: dict[str, Any]) -> None:
        """
        Replace a token in plain text among the arguments *given* by a sealed one.

        The parameters that a payer's browser brought back are sealed as well, and settings. The
        faces call this before anything can raise: a traceback shows the locals of each frame, which
        then hold no token.
        """
        if self._takes_token and given.get("method") is not None:
            given["method"] = arguments.sealed_method(given["method"])
        if self._takes_parameters and given.get("parameters") is not None:
            given["parameters"] = Sealed(given["parameters"])
        if self._takes_settings and given.get("settings") is not None:
            given["settings"] = Sealed(given["settings"])

    if TYPE_CHECKING:

        @overload
        def __get__(self, instance: AtOnce, owner: Any) -> Callable[P, T]: ...
        @overload
        def __get__(self, instance: Awaited, owner: Any) -> Callable[P, Coroutine[Any, Any, T]]: ...
        @overload
        def __get__(self, instance: Verbs, owner: Any) -> Callable[P, Flow[T]]: ...
        def __get__(self, instance: Any, owner: Any) -> Any: ...

    else:

        def __get__(self, instance: Verbs | None, owner: type) -> Any:
            """Return the flow itself; the faces replace this with functions of their own."""
            return self if instance is None else self.flow.__get__(instance, owner)


class Verbs:
    """A group of verbs; without a face, each of them returns its flow."""

    _on_accounts: ClassVar[bool] = False
    """Whether the verbs of the group use gateway accounts."""
    _of_no_tenant: ClassVar[frozenset[str]] = frozenset()
    """The verbs of the group that concern the whole ledger, whichever tenant asks for them."""


class AtOnce:
    """A face whose verbs run their flow and return its result."""

    def _run(self, flow: Flow[T]) -> T:
        """Run *flow* and return its result."""
        raise NotImplementedError

    def _call(self, _: verb[Any, Any], flow: Callable[..., Flow[T]], given: Given, /) -> T:
        """Run *flow*, a verb on this face, with the arguments *given*."""
        args, kwargs = given
        return self._run(flow(self, *args, **kwargs))

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        for name, source in _unbound(cls).items():
            setattr(cls, name, _at_once(name, source, cls))


class Awaited:
    """A face whose verbs are coroutines that run their flow."""

    async def _run(self, flow: Flow[T]) -> T:
        """Run *flow* and return its result."""
        raise NotImplementedError

    async def _call(self, _: verb[Any, Any], flow: Callable[..., Flow[T]], given: Given, /) -> T:
        """Run *flow*, a verb on this face, with the arguments *given*."""
        args, kwargs = given
        return await self._run(flow(self, *args, **kwargs))

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        for name, source in _unbound(cls).items():
            setattr(cls, name, _awaited(name, source, cls))


def each_verb(face: type) -> dict[str, verb[Any, Any]]:
    """Return the verbs that *face* inherits, by name."""
    return {
        name: value
        for base in reversed(face.__mro__)
        for name, value in vars(base).items()
        if isinstance(value, verb)
    }


def named_for(flow: Callable[..., T], face: type) -> Callable[..., T]:
    """Return *flow* under its name on *face*, which Python puts into its messages."""
    function = cast("FunctionType", flow)
    made = FunctionType(
        function.__code__,
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    made.__kwdefaults__ = function.__kwdefaults__
    made.__annotations__ = function.__annotations__
    made.__doc__, made.__module__ = function.__doc__, function.__module__
    made.__qualname__ = f"{face.__qualname__}.{function.__name__}"
    return cast("Callable[..., T]", made)


def _unbound(face: type) -> dict[str, verb[Any, Any]]:
    """Return the verbs of *face* that are not functions yet, bound before or its own."""
    return {
        name: source
        for name, source in each_verb(face).items()
        if isinstance(inspect.getattr_static(face, name), verb)
    }


def _at_once(name: str, source: verb[Any, Any], face: type) -> Callable[..., Any]:
    flow = named_for(source.flow, face)

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        source.seal(kwargs)
        return self._call(source, flow, (args, kwargs))

    _dress(call, name, source, face)
    return call


def _awaited(name: str, source: verb[Any, Any], face: type) -> Callable[..., Any]:
    flow = named_for(source.flow, face)

    async def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        source.seal(kwargs)
        return await self._call(source, flow, (args, kwargs))

    _dress(call, name, source, face)
    return call


def _dress(call: Callable[..., Any], name: str, source: verb[Any, Any], face: type) -> None:
    """Give *call* the name, signature and docstring of its verb."""
    call.__name__ = name
    call.__qualname__ = f"{face.__qualname__}.{name}"
    call.__module__ = face.__module__
    call.__doc__ = source.__doc__
    signature = inspect.signature(source.flow)
    returns = str(signature.return_annotation)
    if returns.startswith("Flow["):
        returns = returns.removeprefix("Flow[").removesuffix("]")
    call.__signature__ = signature.replace(return_annotation=returns)  # type: ignore[attr-defined]
    call.__annotations__ = {**source.flow.__annotations__, "return": returns}
