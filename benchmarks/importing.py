"""The cost of `from paygate import Cashier, Money` in a new interpreter, against `import httpx`.

CPU, user and system, of the whole process less that of an interpreter that imports nothing. httpx
also loads its command line if click and rich happen to be installed, which would make the floor too
easy, so they are hidden from it.
"""

from __future__ import annotations

import os
import statistics
import sys

from benchmarks.rounds import Measured, Target, take_turns

BARE = "pass"
OURS = "from paygate import Cashier, Money"
FLOOR = "import sys; sys.modules['click'] = sys.modules['rich'] = None; import httpx"


def cpu_ms(program: str) -> float:
    """Run *program* in a new interpreter, and return the CPU that it took."""
    # Installed packages have bytecode; this source tree may not have any yet.
    keeping = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", program], keeping)
    _, status, used = os.wait4(pid, 0)
    assert status == 0, f"{program!r} failed"
    return (used.ru_utime + used.ru_stime) * 1000


def measure(rounds: int) -> Measured:
    bare, floor, ours = take_turns(
        rounds, lambda: cpu_ms(BARE), lambda: cpu_ms(FLOOR), lambda: cpu_ms(OURS)
    )
    start = statistics.median(bare)
    return Measured(
        name="import",
        floor_name="import httpx",
        unit="ms CPU",
        ours=[sample - start for sample in ours],
        floor=[sample - start for sample in floor],
        target=Target(bound=0.8, at_least=False),
        notes={"bare interpreter, ms": start},
    )
