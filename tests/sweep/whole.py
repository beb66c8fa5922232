"""The whole sweep: ``python -m tests.sweep``, on all cores; its last line is the figure."""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from tests.sweep.run import Caught, plan, sweep, tear
from tests.sweep.stories import BY_NAME

IN_PAIRS = {
    ("keyed", fault)
    for fault in ("answered", "request lost", "answer lost", "garbage", "500, done")
}
"""Where a second crash is tried anywhere in what follows the first."""


def swept(task: tuple[str, str, str]) -> tuple[int, str]:
    """Sweep one story under one fault; tell the cases, and what was caught."""
    story, profile, fault = task
    try:
        return sweep(story, profile, fault, pairs=(profile, fault) in IN_PAIRS), ""
    except Caught as caught:
        return 1, str(caught)


def torn(story: str) -> tuple[int, str]:
    """Tear every transaction of one story."""
    try:
        return tear(story), ""
    except Caught as caught:
        return 1, str(caught)


def main() -> int:
    """Sweep everything; tell what was caught, and how many cases there were."""
    began = time.monotonic()
    cases, caught = 0, 0
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        for count, what in (
            *pool.map(swept, plan(), chunksize=4),
            *pool.map(torn, list(BY_NAME), chunksize=4),
        ):
            cases += count
            caught += bool(what)
            if what:
                print(what)
    print(f"swept in {time.monotonic() - began:.0f} s")
    print(f"{cases} cases, {caught} violations")
    return bool(caught)
