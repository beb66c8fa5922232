"""
The mutation gate: ``python -m tests.mutation``.

Each planted bug runs before the simulator, the crash sweep and the state machine, in
this order, until one of them catches it. Its last line is ``K/K planted bugs caught``;
with ``--write`` the table of them goes into the documents.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from tests.mutation.catchers import by_machine, by_simulator, by_sweep
from tests.support.mutants import MUTANTS, Mutant

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "mutants.md"
SEEDS = 60


@dataclass(frozen=True)
class Catch:
    """Who caught a planted bug, after how many tries, and what he saw."""

    mutant: str
    by: str
    after: int
    saw: str
    took_s: float


def catch(name: str, seeds: int) -> Catch:
    """Plant a bug and let everybody look for it in turn."""
    [mutant] = [each for each in MUTANTS if each.name == name]
    began = time.monotonic()
    looking: dict[str, Callable[[], tuple[int, str]]] = {
        "simulator": lambda: by_simulator(mutant, seeds),
        "sweep": lambda: by_sweep(mutant),
        "state machine": lambda: by_machine(mutant),
    }
    for who, look in looking.items():
        after, saw = look()
        if saw:
            return Catch(name, who, after, saw, time.monotonic() - began)
    return Catch(name, "", 0, "", time.monotonic() - began)


def main() -> int:
    """Plant every bug; tell who caught it."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="seeds of the simulator per bug")
    parser.add_argument("--only", action="append", default=[], help="only the bug of this name")
    parser.add_argument("--write", action="store_true", help=f"write the table to {PAGE.name}")
    asked = parser.parse_args()
    names = [m.name for m in MUTANTS if not asked.only or m.name in asked.only]
    began = time.monotonic()
    caught: list[Catch] = []
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        for each in pool.map(catch, names, [asked.seeds] * len(names)):
            caught.append(each)
            seen = f"by the {each.by} after {each.after}: {each.saw}" if each.by else "NOT CAUGHT"
            print(f"{each.mutant}: {seen} ({each.took_s:.1f} s)", flush=True)
    print(f"planted and looked for in {time.monotonic() - began:.0f} s")
    if asked.write:
        write(caught)
    count = sum(bool(each.by) for each in caught)
    print(f"{count}/{len(caught)} planted bugs caught")
    return count != len(caught)


UNIT = {
    "simulator": "{} seeds",
    "sweep": "{} cases",
    "state machine": "{} examples at most",
}


def write(caught: list[Catch]) -> None:
    """Put the table into the page, between its two marks."""
    known: dict[str, Mutant] = {mutant.name: mutant for mutant in MUTANTS}
    rows = ["| bug | what is planted | rule it breaks | shows when | caught by | after |"]
    rows.append("|---|---|---|---|---|---|")
    for each in caught:
        bug = known[each.mutant]
        by = each.by or "**nobody**"
        after = UNIT[each.by].format(each.after) if each.by else ""
        rows.append(
            f"| `{bug.name}` | {bug.plants} | {bug.breaks} | {bug.shows} | {by} | {after} |"
        )
    text = PAGE.read_text(encoding="utf-8")
    head, rest = text.split("<!-- table -->\n", 1)
    _, tail = rest.split("<!-- end of table -->\n", 1)
    table = "\n".join(rows)
    page = f"{head}<!-- table -->\n{table}\n<!-- end of table -->\n{tail}"
    PAGE.write_text(page, encoding="utf-8")
