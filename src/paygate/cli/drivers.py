"""``paygate drivers``: what is installed, what each driver can do, and what is broken."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from paygate import registry
from paygate.cli import options, show
from paygate.cli.exits import FINDINGS
from paygate.errors import DriverBroken

if TYPE_CHECKING:
    from paygate.domain.kind import Kind, Operation
    from paygate.gateway import Gateway
    from paygate.plugins import Installed

CURRENCIES_SHOWN = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Ability:
    """What a driver can do for one kind of payment; `currencies` is None if any is accepted."""

    kind: Kind
    operations: list[Operation]
    currencies: list[str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was found out about one installed driver.

    `problem` says why it cannot be loaded; `disagreements` lists contradictions between its
    traits and its methods. `kinds` and `abilities` are None if they depend on the settings of an
    account.
    """

    name: str
    package: str
    target: str
    problem: str = ""
    disagreements: list[str] = field(default_factory=list[str])
    kinds: list[Kind] | None = None
    abilities: list[Ability] | None = None

    @property
    def good(self) -> bool:
        """Whether nothing is wrong with it."""
        return not self.problem and not self.disagreements


def drivers(
    check: Annotated[
        bool,
        typer.Option("--check", help="Compare traits with methods; exit with 1 if one is broken."),
    ] = False,
    as_json: options.JsonOption = False,
) -> None:
    """List the installed drivers, what is broken, and what each can do, by kind and currency."""
    found = [_report(each) for each in registry.installed()]
    if as_json:
        show.write_json({"ok": all(each.good for each in found), "drivers": found})
    elif check:
        _tell_checked(found)
    else:
        show.console().print(_listed(found))
    if check and not all(each.good for each in found):
        raise typer.Exit(FINDINGS)


def _report(of: Installed) -> Report:
    bare = Report(name=of.name, package=of.package, target=of.target)
    try:
        accounts = registry.samples(registry.load(of.name), of.name)
    except DriverBroken as error:
        return replace(bare, problem=error.message)
    if not accounts:
        return bare
    problems = {each: None for account in accounts for each in disagreements(account)}
    abilities = {each.kind: each for account in accounts for each in _abilities(account)}
    return replace(
        bare,
        disagreements=list(problems),
        kinds=sorted(abilities),
        abilities=[abilities[kind] for kind in sorted(abilities)],
    )


def disagreements(account: Gateway) -> list[str]:
    """Return the contradictions between traits and methods of *account*."""
    try:
        return registry.disagreements(account)
    except (Exception, SystemExit) as error:  # noqa: BLE001  (a stranger's code must not hide the others)
        return [f"its traits cannot be read: {type(error).__name__}: {error}"]


def _abilities(account: Gateway) -> list[Ability]:
    try:
        return [
            Ability(
                kind=kind,
                operations=sorted(rail.operations),
                currencies=None if rail.currencies is None else sorted(rail.currencies),
            )
            for kind, rail in account.traits.rails.items()
        ]
    except (Exception, SystemExit):  # noqa: BLE001  (reported as a disagreement)
        return []


def _listed(found: list[Report]) -> Any:
    table = show.table("Driver", "Package", "Kinds", "State")
    for one in found:
        kinds = (
            "depends on the account" if one.kinds is None else ", ".join(map(show.words, one.kinds))
        )
        show.add(
            table,
            one.name,
            one.package,
            "" if one.problem else kinds,
            one.problem or "; ".join(one.disagreements) or "ready",
            style="" if one.good else "red",
        )
    return table


def _tell_checked(found: list[Report]) -> None:
    console = show.console()
    table = show.table("Driver", "Package", "Kind", "Can", "Currencies")
    for one in found:
        for ability in one.abilities or []:
            can = ", ".join(map(show.words, ability.operations))
            kind = show.words(ability.kind)
            show.add(table, one.name, one.package, kind, can, _currencies(ability.currencies))
        if not one.abilities and not one.problem:
            show.add(table, one.name, one.package, "?", "it needs an account: paygate check", "?")
    console.print(table)
    for one in found:
        for problem in [one.problem] if one.problem else one.disagreements:
            where = "" if one.problem else f"the driver {one.name!r} of package {one.package}: "
            show.say(f"{where}{problem}", style="red")
    bad = sum(not one.good for one in found)
    console.print(f"{len(found)} drivers, {bad or 'none'} broken")


def _currencies(codes: list[str] | None) -> str:
    if codes is None:
        return "any"
    shown = ", ".join(codes[:CURRENCIES_SHOWN])
    rest = len(codes) - CURRENCIES_SHOWN
    return f"{shown} and {rest} more" if rest > 0 else shown
