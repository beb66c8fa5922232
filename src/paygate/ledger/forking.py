"""A fork waits until no thread is inside the ledger.

A child has a copy of every lock, and only the thread that forked. A lock that another
thread held at that moment, SQLite's own among them, is held in the child by nobody and
is never released. So threads enter here before they use SQLite, and a fork waits for
those that are inside and holds back those that come.

There is no lock in this module: an exception between any two lines (a signal handler may
raise there) leaves at most a thread that is listed as inside, until it enters again.
"""

from __future__ import annotations

import os
import time
from threading import get_ident
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_WAIT_S: Final = 5.0
"""How long a fork waits at most: what a thread inside waits for may be the one that forks."""

_PAUSE_S: Final = 0.0005

_inside: Final[set[int]] = set()
_forking: Final[set[int]] = set()


def enter() -> None:
    """Begin to use SQLite in this thread, as soon as nobody forks."""
    me = get_ident()
    while True:
        # In this order: a fork that does not see us is seen by us, and the other way round.
        _inside.add(me)
        if not _forking or me in _forking:
            return
        _inside.discard(me)
        time.sleep(_PAUSE_S)


def leave() -> None:
    """End the use of SQLite in this thread; a second call does nothing."""
    _inside.discard(get_ident())


def after_fork_call(work: Callable[[], None]) -> None:
    """Call *work* in each child that is forked from now on, before anything else runs there."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=work)


def _before() -> None:
    me = get_ident()
    _forking.add(me)
    deadline = time.monotonic() + _WAIT_S
    while not _inside <= {me} and time.monotonic() < deadline:
        time.sleep(_PAUSE_S)


def _in_parent() -> None:
    _forking.discard(get_ident())


def _in_child() -> None:
    _forking.clear()
    _inside.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
