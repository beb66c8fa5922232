"""Safe forking: a fork waits until no thread is using SQLite.

A forked child has a copy of every lock, but only the thread that forked. A lock that another
thread held at that moment, including SQLite's own, is never released in the child. So a thread
calls `enter` before it uses SQLite; a fork waits for the threads inside and holds back new ones.

This module uses no lock. If an exception comes between any two lines (a signal handler may
raise there), at worst a thread stays listed as inside until it enters again.
"""

from __future__ import annotations

import os
import time
from threading import get_ident
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_WAIT_S: Final = 5.0
"""The longest wait of a fork: a thread inside may be waiting for the thread that forks."""

_PAUSE_S: Final = 0.0005

_inside: Final[set[int]] = set()
_forking: Final[set[int]] = set()


def enter() -> None:
    """Begin to use SQLite in this thread; wait while another thread forks."""
    me = get_ident()
    while True:
        # Add first, then look: either the fork sees this thread, or this thread sees the fork.
        _inside.add(me)
        if not _forking or me in _forking:
            return
        _inside.discard(me)
        time.sleep(_PAUSE_S)


def leave() -> None:
    """Stop using SQLite in this thread; a second call does nothing."""
    _inside.discard(get_ident())


def after_fork_call(work: Callable[[], None]) -> None:
    """Call *work* first thing in each child that is forked from now on."""
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
