"""Declared traits: those of a driver, limited to what the simulated processor can play."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from paygate.domain.kind import Operation
from paygate.errors import Unsupported
from paygate.testing.processor.rails import RAILS

if TYPE_CHECKING:
    from paygate.domain.kind import Kind
    from paygate.gateway import Rail, Traits

_STARTS: Final = frozenset({Operation.CHARGE, Operation.AUTHORIZE})


def playable(traits: Traits) -> Traits:
    """
    Return *traits* limited to the simulator's kinds and operations, in any currency.

    Idempotency, inquiry and callbacks stay as declared. The result can be pickled, whatever
    mappings the driver uses. Raises `Unsupported` if no rail is left that can collect money.
    """
    rails = {
        kind: _played(kind, rail)
        for kind, rail in traits.rails.items()
        if kind in RAILS and rail.operations & RAILS[kind].operations & _STARTS
    }
    if not rails:
        offered = "; ".join(f"{kind}: {_listed(rail)}" for kind, rail in traits.rails.items())
        raise Unsupported(
            f"the simulator plays charges and authorizations of {', '.join(RAILS)}, but these "
            f"traits offer neither ({offered or 'no rail at all'}); the conformance kit "
            "(paygate.testing.conformance) tests a driver of any kind"
        )
    return replace(traits, rails=rails, live=False)


def left_out(traits: Traits) -> dict[Kind, list[Operation]]:
    """Return the operations of *traits* that are not played, by kind."""
    rails = playable(traits).rails
    missing = {
        kind: sorted(rail.operations - (rails[kind].operations if kind in rails else frozenset()))
        for kind, rail in traits.rails.items()
    }
    return {kind: operations for kind, operations in missing.items() if operations}


def _played(kind: Kind, rail: Rail) -> Rail:
    """Return the rail that the simulated processor plays, with its own methods."""
    own = RAILS[kind]
    return replace(
        rail,
        methods=own.methods,
        operations=rail.operations & own.operations,
        currencies=None,
        limits={},
        payer_fields=frozenset(),
        needs_return_url=own.needs_return_url,
    )


def _listed(rail: Rail) -> str:
    return ", ".join(sorted(rail.operations)) or "nothing"
