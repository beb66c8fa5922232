"""Measure speed, each number with its floor: ``python -m benchmarks --help``."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sqlite3
import statistics
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.rounds import Measured


def _import(rounds: int) -> list[Measured]:
    from benchmarks import importing

    return [importing.measure(rounds)]


def _stripe(rounds: int) -> list[Measured]:
    from benchmarks import stripe_charge

    return [stripe_charge.measure(rounds)]


def _authorize_net(rounds: int) -> list[Measured]:
    from benchmarks import authorize_net_charge

    return [authorize_net_charge.measure(rounds)]


def _paypal(rounds: int) -> list[Measured]:
    from benchmarks import paypal_charge

    return [paypal_charge.measure(rounds)]


def _in_flight(rounds: int) -> list[Measured]:
    from benchmarks import in_flight

    return [in_flight.measure(rounds)]


def _webhook(rounds: int) -> list[Measured]:
    from benchmarks import stripe_webhook

    return [stripe_webhook.measure(rounds)]


def _callbacks(rounds: int) -> list[Measured]:
    from benchmarks import callbacks

    return callbacks.measure(rounds)


def _collect(rounds: int) -> list[Measured]:
    from benchmarks import collecting

    return collecting.measure(rounds)


def _publishing(rounds: int) -> list[Measured]:
    from benchmarks import publishing

    return publishing.measure(rounds)


def _webhooks_out(rounds: int) -> list[Measured]:
    from benchmarks import webhooks_out

    return webhooks_out.measure(rounds)


def _bitcoin(rounds: int) -> list[Measured]:
    from benchmarks import bitcoin_chain

    return bitcoin_chain.measure(rounds)


def _due_work(rounds: int) -> list[Measured]:
    from benchmarks import due_work

    return due_work.measure(rounds)


def _bank_statement(rounds: int) -> list[Measured]:
    from benchmarks import bank_statement

    return bank_statement.measure(rounds)


def _invoice_run(rounds: int) -> list[Measured]:
    from benchmarks import invoice_run

    return invoice_run.measure(rounds)


def _sweeps(rounds: int) -> list[Measured]:
    from benchmarks import sweeps

    return sweeps.measure(rounds)


def _scale(rounds: int) -> list[Measured]:
    from benchmarks import scale

    return scale.measure(rounds)


def _pages(rounds: int) -> list[Measured]:
    from benchmarks import pages

    return pages.measure(rounds)


def _api(rounds: int) -> list[Measured]:
    from benchmarks import api

    return api.measure(rounds)


def _postgres(rounds: int) -> list[Measured]:
    from benchmarks import on_postgres

    return on_postgres.measure(rounds)


BENCHMARKS: dict[str, Callable[[int], list[Measured]]] = {
    "import": _import,
    "stripe": _stripe,
    "authorize-net": _authorize_net,
    "paypal": _paypal,
    "in-flight": _in_flight,
    "webhook": _webhook,
    "callbacks": _callbacks,
    "collect": _collect,
    "publishing": _publishing,
    "webhooks-out": _webhooks_out,
    "bitcoin": _bitcoin,
    "pages": _pages,
    "api": _api,
    "postgres": _postgres,
    "due-work": _due_work,
    "bank-statement": _bank_statement,
    "invoice-run": _invoice_run,
    "scale": _scale,
    "sweeps": _sweeps,
}

# Those that take minutes and much disk, or need a server, run only if they are named.
_ASKED_FOR = (
    "bank-statement",
    "due-work",
    "invoice-run",
    "postgres",
    "scale",
    "sweeps",
    "webhooks-out",
)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("only", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}")
    parser.add_argument(
        "--rounds", type=int, default=15, help="how often ours and floor take turns"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there too")
    asked = parser.parse_args(arguments)
    if unknown := set(asked.only) - BENCHMARKS.keys():
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}")
    all_ = [name for name in BENCHMARKS if name not in _ASKED_FOR]
    wanted = [name for name in BENCHMARKS if name in (asked.only or all_)]
    results = [result for name in wanted for result in BENCHMARKS[name](asked.rounds)]
    show(results)
    if asked.json:
        report = {"machine": machine(), "results": [result.as_json() for result in results]}
        asked.json.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", "utf-8")


def show(results: Sequence[Measured]) -> None:
    row = "{:<31} {:>9} {:>9}  {:<17} {:>6} {:>13} {:>7}  {}"
    print(row.format("", "ours", "floor", "unit", "ratio", "quartiles", "target", "floor"))
    for result in results:
        ratios = result.ratios
        low, _, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
        print(
            row.format(
                result.name,
                f"{statistics.median(result.ours):,.1f}",
                f"{statistics.median(result.floor):,.1f}",
                result.unit,
                f"{result.ratio:.2f}",
                f"{low:.2f} to {high:.2f}",
                str(result.target or "none"),
                f"{result.floor_name}{'' if result.met else '  (falls short)'}",
            )
        )
    for result in results:
        for note, number in result.notes.items():
            print(f"{result.name}: {note}: {number:,.1f}")
    print(", ".join(f"{name} {value}" for name, value in machine().items()))


def machine() -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        **{name: _version(name) for name in ("httpx", "httpcore", "h11", "httptools", "pydantic")},
        "processor": _processor(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
    }


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    try:
        facts = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in facts.splitlines() if "model name" in line]
    return names[0] if names else platform.machine()


if __name__ == "__main__":
    main()
