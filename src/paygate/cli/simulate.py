"""Simulate: test the engine on this machine, seed by seed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from paygate.cli import options, show
from paygate.cli.exits import FINDINGS
from paygate.cli.opening import Where
from paygate.cli.precedence import is_typed, settled
from paygate.cli.traits import traits_of_account, traits_of_driver
from paygate.errors import InvalidValue
from paygate.printing import counted

if TYPE_CHECKING:
    from rich.progress import Progress

    from paygate.domain.kind import Kind, Operation
    from paygate.gateway import Traits
    from paygate.testing.simulation import Result, Summary

_SHRUNK_MAX = 3
"""How many of the failing seeds are reduced; each takes some seconds."""


def simulate(
    ctx: typer.Context,
    seeds: Annotated[int, typer.Option(min=1, help="How many schedules to play.")] = 1000,
    first: Annotated[int, typer.Option(help="The first seed.")] = 0,
    jobs: Annotated[int, typer.Option(min=1, help="Processes to play them in.")] = 1,
    driver: Annotated[
        str | None,
        typer.Option(help="Play processors with the traits of this installed driver."),
    ] = None,
    via: Annotated[
        str | None, typer.Option(help="Play processors with the traits of this gateway account.")
    ] = None,
    gateways: options.GatewaysOption = None,
    app: options.AppOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Test the engine with crashes, faults and odd processors; exits with status 1 on a violation.

    The same seed plays the same schedule. A seed that violates a rule is shown with the
    fewest events that still violate it.

    The author of a driver names it, or an account of it if its traits depend on
    settings: the processors then behave as it declares. The driver's own code is not called;
    the conformance kit tests that.
    """
    if driver and via:
        raise InvalidValue("--via names an account, which has its driver; leave --driver out")
    if not via and any(is_typed(ctx, each) for each in ("gateways", "app")):
        raise InvalidValue("--gateways and --app are where --via finds its account; give --via")
    declared = None
    if driver:
        declared = traits_of_driver(driver)
    elif via:
        where = Where(ctx=ctx, **settled(ctx, {"gateways": gateways, "app": app}))
        declared = traits_of_account(where, via)
    _sweep(seeds, first, jobs, declared, as_json=as_json)


def _sweep(seeds: int, first: int, jobs: int, declared: Traits | None, *, as_json: bool) -> None:
    from rich.text import Text

    from paygate.testing.simulation import Summary, playable, shrink, sweep

    traits = None if declared is None else playable(declared)
    total, began = Summary(), time.monotonic()
    with _progress(as_json) as progress:
        task = progress.add_task("", total=seeds)
        for block in sweep(first, seeds, jobs, traits=traits):
            total.add(block)
            progress.advance(task, block.seeds)
    took_s = time.monotonic() - began
    small = [shrink(result, traits) for result in total.broken[:_SHRUNK_MAX]]
    if as_json:
        driven = {} if declared is None else {"driver_called": False}
        played = {**_told(total, small, took_s), **_played(declared), **driven}
        show.write_json({"simulation": played})
    else:
        for word, rails in _played(declared).items():
            for kind, operations in rails.items():
                names = ", ".join(map(show.words, operations))
                line = f"{show.words(word)} {show.words(kind)}: {names}"
                show.console().print(Text(line))
        _tell(total, small, took_s, driven=declared is not None)
    if total.broken:
        raise typer.Exit(FINDINGS)


def _played(declared: Traits | None) -> dict[str, dict[Kind, list[Operation]]]:
    """Return which of a driver's traits are played, and which are not."""
    from paygate.testing.simulation import left_out, playable

    if declared is None:
        return {}
    rails = playable(declared).rails
    played = {kind: sorted(rail.operations) for kind, rail in rails.items()}
    return {"played": played, "not_played": left_out(declared)}


def _progress(quiet: bool) -> Progress:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("schedules"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=show.console(stderr=True),
        transient=True,
        disable=quiet,
    )


def _told(total: Summary, small: list[Result], took_s: float) -> dict[str, object]:
    return {
        "seeds": total.seeds,
        "violations": len(total.broken),
        "steps": total.steps,
        "commits": total.commits,
        "seconds": round(took_s, 1),
        "covered": dict(sorted(total.covered.items())),
        "broken": [
            {"seed": result.seed, "violation": str(result.violations[0])} for result in total.broken
        ],
        "shrunken": [
            {
                "seed": result.seed,
                "violation": str(result.violations[0]),
                "events": list(result.events),
            }
            for result in small
        ],
    }


def _tell(total: Summary, small: list[Result], took_s: float, *, driven: bool) -> None:
    from rich.text import Text

    console = show.console()
    for result in small:
        show.say(f"seed {result.seed} breaks {result.violations[0]}", style="red")
        console.print(Text("The fewest events that still do:"))
        for line in result.events:
            console.print(Text(f"  {line}"))
        console.print()
    for result in total.broken[len(small) :]:
        show.say(f"seed {result.seed} breaks {result.violations[0]}", style="red")
    console.print(
        f"{total.steps} steps and {total.commits} commits in {took_s:.0f} s, "
        f"{total.seeds / took_s:.0f} schedules a second"
    )
    # Someone who reads only the last line must not conclude that the driver was tested.
    aside = "; the driver's own code was not called" if driven else ""
    console.print(
        f"{counted(total.seeds, 'seed')}, {counted(len(total.broken), 'violation')}{aside}",
    )
