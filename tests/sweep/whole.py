"""
The whole sweep: ``python -m tests.sweep``, on all cores; its last line is the figure.

With ``--part 1/3`` it is a third of the whole, drawn from all stories, profiles and faults.
"""

from __future__ import annotations

import argparse
import random
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


def part(text: str) -> tuple[int, int]:
    """Return which part of how many *text* names, such as 1/3."""
    number, of = (int(each) for each in text.split("/"))
    if not 1 <= number <= of:
        raise argparse.ArgumentTypeError("it is one of the parts, such as 1/3")
    return number, of


def main() -> int:
    """Sweep everything; tell what was caught, and how many cases there were."""
    parser = argparse.ArgumentParser(prog="python -m tests.sweep", description=__doc__)
    parser.add_argument("--part", type=part, default=(1, 1), help="only this part, such as 1/3")
    number, of = parser.parse_args().part
    # The plan repeats its faults in one order: without this, a part would have some of them only.
    tasks, stories = plan(), list(BY_NAME)
    for each in (tasks, stories):
        random.Random(0).shuffle(each)  # noqa: S311  (the same parts each time)
    began = time.monotonic()
    cases, caught = 0, 0
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        for count, what in (
            *pool.map(swept, tasks[number - 1 :: of], chunksize=4),
            *pool.map(torn, stories[number - 1 :: of], chunksize=4),
        ):
            cases += count
            caught += bool(what)
            if what:
                print(what)
    print(f"swept in {time.monotonic() - began:.0f} s")
    print(f"{cases} cases, {caught} violations")
    return bool(caught)
