"""A mutant: a bug that is planted into the engine of this process, and taken out again.

It replaces attributes of the engine's modules, so whoever runs flows in this
process runs them with the bug. What it replaces must be there: when the engine is
rewritten, a mutant that would no longer change anything says so.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from paygate.driving import relay
from paygate.service.flow import Write
from paygate.testing.simulation.bias import NONE

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from paygate.service.flow import Flow, Step
    from paygate.testing.simulation.bias import Bias


NO_AUTOPAY: Final = dict.fromkeys(
    ("agree", "bill", "autopay run", "autopay change", "autopay days"), 0
)
"""The actions of automatic payment, which a bias leaves out for bugs that are elsewhere."""


class MutantGone(RuntimeError):
    """The engine has changed, and the place where a bug was to be planted is not there."""


@dataclass(frozen=True, slots=True)
class Patch:
    """Replace the attribute *name* of *module* by what *make* makes of it."""

    module: str
    name: str
    make: Callable[[Any], Any]

    @contextmanager
    def applied(self) -> Generator[None, None, None]:
        """Replace it for as long as the context lasts."""
        owner = import_module(f"paygate.{self.module}")
        if self.name not in vars(owner):
            raise MutantGone(f"paygate.{self.module} has no {self.name} to plant a bug in")
        original = getattr(owner, self.name)
        planted = self.make(original)
        if planted is original or planted == original:
            raise MutantGone(f"what was planted in paygate.{self.module}.{self.name} is no change")
        setattr(owner, self.name, planted)
        try:
            yield
        finally:
            setattr(owner, self.name, original)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """
    A bug: what it plants, which rule of ours it breaks, and when that shows.

    Where that is a rare coincidence, *bias* makes it a common one in the simulator.
    """

    name: str
    plants: str
    breaks: str
    shows: str
    patches: tuple[Patch, ...]
    bias: Bias = NONE

    @contextmanager
    def planted(self) -> Generator[None, None, None]:
        """Run the engine of this process with the bug for as long as the context lasts."""
        with ExitStack() as stack:
            for patch in self.patches:
                stack.enter_context(patch.applied())
            yield


def without(text: str, put: str = "") -> Callable[[Any], Any]:
    """Make a statement that lacks *text*, or has *put* in its place."""

    def make(statement: Any) -> Any:
        if text not in statement:
            raise MutantGone(f"the statement does not say {text!r} any more")
        return statement.replace(text, put)

    return make


def rewritten(flow: Flow[Any], write: Callable[[Write], Generator[Step, Any, Any]]) -> Flow[Any]:
    """Run *flow*, but do each of its transactions in the way of *write*."""
    return relay(flow, lambda step: write(step) if isinstance(step, Write) else as_it_is(step))


def as_it_is(step: Step) -> Generator[Step, Any, Any]:
    """Leave *step* to whoever runs the flow."""
    return (yield step)
