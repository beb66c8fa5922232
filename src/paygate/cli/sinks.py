"""Sinks: the systems that receive events, and whether they work."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer

from paygate import plugins
from paygate.cli import options, show
from paygate.cli.exits import FINDINGS
from paygate.cli.opening import Where, with_gateways, with_ledger
from paygate.errors import PaygateError, SinkNotFound, Unsupported
from paygate.printing import counted, shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paygate.cashier.sync import Cashier
    from paygate.domain.status import SinkStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A sink: its kind and event types, if it is configured, and what waits for it.

    `status` is None if the ledger does not know it yet.
    """

    name: str
    configured: bool
    kind: str
    events: Sequence[str]
    status: SinkStatus | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The result for one sink; `accepted` is None if it cannot check its settings."""

    sink: str
    kind: str = ""
    accepted: bool | None = None
    problem: str = ""


@with_gateways
def list_(where: Where) -> None:
    """List the configured sinks, the others that the ledger knows, and what waits for each."""
    with where.open() as cashier:
        found = _listed(cashier)
    if where.as_json:
        show.write_json({"sinks": found})
        return
    if not found:
        show.console().print("No sinks.")
        return
    table = show.table("Sink", "Kind", "Events", "State", ">Set aside", ">Dead letters")
    for one in found:
        kind = one.kind if one.configured else "not configured"
        aside = 0 if one.status is None else one.status.set_aside
        dead = 0 if one.status is None else one.status.dead_letters
        show.add(table, one.name, kind, ", ".join(one.events), _state(one.status), aside, dead)
    show.console().print(table)


def installed(as_json: options.JsonOption = False) -> None:
    """List the kinds of sinks that installed packages provide, and which are broken."""
    found = plugins.installed(plugins.SINKS)
    bad = any(each.problem for each in found)
    if as_json:
        show.write_json({"ok": not bad, "installed": found})
    else:
        table = show.table("Kind", "Package", "State")
        for each in found:
            style = "red" if each.problem else ""
            show.add(table, each.name, each.package, each.problem or "ready", style=style)
        show.console().print(table)
    if bad:
        raise typer.Exit(FINDINGS)


@with_gateways
def check(
    where: Where,
    sink: Annotated[str | None, typer.Argument(help="One sink; all of them if left out.")] = None,
) -> None:
    """Check whether the settings of sinks work, without delivering an event."""
    findings = _findings(where, sink)
    bad = any(finding.problem for finding in findings)
    if where.as_json:
        show.write_json({"ok": not bad, "sinks": findings})
    else:
        table = show.table("Sink", "Kind", "Result")
        for one in findings:
            said = {True: "accepted", None: "settings are valid; this sink cannot check more"}
            style = "red" if one.problem else ""
            result = one.problem or said.get(one.accepted, "")
            show.add(table, one.sink, one.kind, result, style=style)
        show.console().print(table)
    if bad:
        raise typer.Exit(FINDINGS)


@with_ledger
def log(
    where: Where,
    sink: Annotated[str, typer.Argument(help="Name of the sink.")],
    event: Annotated[str | None, typer.Option(help="Id of one event.")] = None,
    limit: options.LimitOption = 100,
) -> None:
    """List the tries to deliver events to a sink, the newest first."""
    with where.open() as cashier:
        found = cashier.delivery_log(sink, event=event, limit=limit)
    if where.as_json:
        show.write_json({"deliveries": found})
        return
    if not found:
        show.console().print("No tries in the log.")
        return
    table = show.table("When", ">ms", "What, and about what", "Result")
    for one in found:
        when = f"{one.at:%Y-%m-%d %H:%M:%S}"
        what = f"{one.type}\n  {one.aggregate}\n  {one.event}"
        status = "" if one.status is None else f" ({one.status})"
        result = f"{one.outcome}{status}" + (f": {one.error}" if one.error else "")
        show.add(table, when, one.took_ms, what, result, style="red" if one.error else "")
    show.console().print(table)


@with_gateways
def resend(
    where: Where,
    sink: Annotated[str, typer.Argument(help="Name of the sink.")],
    event: Annotated[str, typer.Argument(help="Id of the event.")],
) -> None:
    """Send an event to a sink once more, at the next 'paygate event publish'."""
    with where.open() as cashier:
        cashier.resend_event(sink, event)
    if where.as_json:
        show.write_json({"resend": {"sink": sink, "event": event}})
        return
    show.console().print(f"{event} will be sent to {sink} again at the next publish")


@with_ledger
def resume(
    where: Where,
    sink: Annotated[str, typer.Argument(help="Name of the sink.")],
) -> None:
    """Try a sink that is stopped, or pauses, at the next 'paygate event publish'."""
    with where.open() as cashier:
        was_left_alone = cashier.resume_sink(sink)
    if where.as_json:
        show.write_json({"resume": {"sink": sink, "was_left_alone": was_left_alone}})
        return
    text = "will be tried at the next publish" if was_left_alone else "was not stopped or paused"
    show.console().print(f"{sink} {text}")


@with_ledger
def forget(
    where: Where,
    sink: Annotated[str, typer.Argument(help="Name of the sink.")],
) -> None:
    """Forget a sink that was removed, and the events that were set aside for it."""
    with where.open() as cashier:
        dropped = cashier.forget_sink(sink)
    if where.as_json:
        show.write_json({"forgotten": {"sink": sink, "events": dropped}})
        return
    show.console().print(f"{sink} is forgotten, with {counted(dropped, 'event')} set aside for it")


def _listed(cashier: Cashier) -> list[Listed]:
    known = {each.name: each for each in cashier.status().sinks}
    configured = cashier.sinks
    return [
        Listed(
            name=name,
            configured=name in configured,
            kind=configured[name].kind if name in configured else "",
            events=configured[name].events if name in configured else (),
            status=known.get(name),
        )
        for name in sorted({*known, *configured})
    ]


def _state(status: SinkStatus | None) -> str:
    if status is None:
        return ""
    if status.stopped:
        return f"stopped: {status.fault}"
    if status.unreached_since is not None:
        return f"not reached since {status.unreached_since:%Y-%m-%d %H:%M} UTC: {status.fault}"
    if status.behind_since is not None:
        return f"behind since {status.behind_since:%Y-%m-%d %H:%M} UTC"
    return "up to date"


def _findings(where: Where, only: str | None) -> list[Finding]:
    if where.app is not None:
        with where.open() as cashier:
            return [_checked(cashier, name) for name in _chosen(cashier.sinks, only)]
    settings = where.sinks()
    # Checking a sink needs no ledger, and must not register the sink in one.
    where = replace(where, ledger="sqlite://")
    found: list[Finding] = []
    for name in _chosen(settings, only):
        # Each by itself: one bad sink must not hide the results of the others.
        try:
            with where.open(make=True, gateways={}, sinks={name: settings[name]}) as cashier:
                found.append(_checked(cashier, name))
        except PaygateError as error:
            kind = settings[name].get("sink", "")
            kind = kind if isinstance(kind, str) else type(kind).__name__
            found.append(Finding(sink=name, kind=kind, accepted=False, problem=error.message))
    return found


def _checked(cashier: Cashier, name: str) -> Finding:
    kind = cashier.sinks[name].kind
    try:
        cashier.check_sink(name)
    except Unsupported:
        return Finding(sink=name, kind=kind)
    except PaygateError as error:
        return Finding(sink=name, kind=kind, accepted=False, problem=error.message)
    return Finding(sink=name, kind=kind, accepted=True)


def _chosen(sinks: Mapping[str, object], only: str | None) -> list[str]:
    if only is None and sinks:
        return sorted(sinks)
    if only is not None and only in sinks:
        return [only]
    known = sorted(sinks)
    asked = f"there is no sink {shown(only)}" if only else "no sink is configured"
    raise SinkNotFound(
        f"{asked}; name sinks in the file of --gateways as [sinks.NAME], or by --app; there are: "
        f"{', '.join(known) or 'none'}",
        name=only or "",
        known=known,
    )
