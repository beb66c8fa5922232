"""Copying a ledger into another database, such as from a file to PostgreSQL."""

from __future__ import annotations

from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from paygate.cashier import arguments
from paygate.cashier.sync import Cashier
from paygate.domain.secret import Sealed

if TYPE_CHECKING:
    from collections.abc import Callable

    from paygate.ledger.copying.copy import CopiedLedger


def copy_ledger(
    source: str,
    target: str,
    *,
    start_again: bool = False,
    actor: str = "copy",
    progress: Callable[[str, int, int], object] | None = None,
    busy_s: float = 30.0,
) -> CopiedLedger:
    """
    Copy the ledger at the URL *source* into the database at *target*, and compare both.

    Sending is stopped first, in the source and therefore in the copy, and stays stopped in both:
    resume it in the one that you go on with (`resume_sending`). During the copy nothing can be
    written to the source: verbs wait, and raise `StoreBusy`. Ids, numbers, positions of events,
    claims and encrypted values are kept; the leases of jobs, feeds and sinks are dropped.

    *target* has no ledger, or an empty one. If the copy was interrupted, call it again: it
    continues, or begins again if the source was written to meanwhile. Until it is finished, nobody
    can open the target. *start_again* discards what an unfinished copy has written. *progress* is
    called with a step, the number of rows (or rules) done, and how many there are.

    Raises `LedgerNotEmpty` if the target has a ledger or a copy of another one, `LedgerCorrupt` if
    `fsck` finds something in the source, `CopyUnfinished` if the copy differs, `InvalidValue`,
    `MissingExtra`, or a `StoreError`.
    """
    from paygate.ledger.copying.copy import check_source, check_target, copy
    from paygate.ledger.copying.opening import open_side

    # A traceback shows the locals of each frame: none of them holds a password from here on.
    origin, place = Sealed(source), Sealed(target)
    del source, target
    arguments.address_of_ledger(origin, "source")
    arguments.address_of_ledger(place, "target")
    again = arguments.flag(start_again, "start_again")
    if progress is not None:
        arguments.called(progress, "progress", "a step and two numbers")
    wait_s = arguments.seconds(busy_s, "busy_s")
    with ExitStack() as opened:
        read = opened.enter_context(closing(open_side(origin, wait_s, target=False)))
        check_source(read)
        written = opened.enter_context(closing(open_side(place, wait_s, target=True)))
        check_target(read, written, start_again=again)
        with Cashier.open(origin.open(), actor=actor, busy_s=wait_s, preload=False) as cashier:
            cashier.stop_sending(reason=f"copied to {written.name}")
        return copy(read, written, progress or _say_nothing, start_again=again)


def _say_nothing(_step: str, _done: int, _count: int) -> None:
    """Do nothing."""
