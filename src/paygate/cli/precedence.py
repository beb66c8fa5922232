"""Which options count if the function of --app, other options and variables disagree.

The function of --app opens the ledger with its own accounts. What else the caller names must not be
ignored silently: somebody would read, or write, the wrong books. So the command line comes before
the environment, and what contradicts itself on the command line is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from paygate.errors import InvalidValue

if TYPE_CHECKING:
    import typer

_OF_FUNCTION: Final = ("ledger", "gateways", "zone")
"""What the function of --app decides."""


def settled(ctx: typer.Context, given: dict[str, Any]) -> dict[str, Any]:
    """
    Return the shared options *given*, without the function or without what it decides.

    Raises `InvalidValue` if it is not clear which ledger is meant.
    """
    if given.get("app") is None:
        return given
    named = [name for name in _OF_FUNCTION if is_typed(ctx, name)]
    if is_typed(ctx, "app"):
        if named:
            raise InvalidValue(
                f"the function of --app opens the ledger, with accounts and a zone of its own: "
                f"leave --{named[0]} out, or leave --app out",
                argument=named[0],
            )
        return given | {"gateways": None}
    # The function comes from the environment.
    if "ledger" in named or (named and "ledger" not in given):
        return given | {"app": None}
    if named:
        raise InvalidValue(
            f"PAYGATE_APP names a function that opens the ledger, which does not use "
            f"--{named[0]}: add --ledger, which is used instead of the function, or leave "
            f"--{named[0]} out",
            argument=named[0],
        )
    return given | {"gateways": None}


def is_typed(ctx: typer.Context, parameter: str) -> bool:
    """Return whether an option is on the command line; the environment may set it for others."""
    source = ctx.get_parameter_source(parameter)
    return source is not None and source.name == "COMMANDLINE"
