"""Hosts: processes that share one ledger, each with its own clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from paygate.cashier.desk import Desk
from paygate.ledger.elapsed import Mark
from paygate.ledger.tx import Context
from paygate.service.readers import Subscriber

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from typing import Any

    from paygate.domain.autopay import AutopayPolicy
    from paygate.domain.event import Event
    from paygate.ledger.page_keys import PageKeys
    from paygate.ledger.vault import Vault
    from paygate.service.account import GatewayAccount, Timing
    from paygate.testing.clock import ProcessorClock


class CountedIds:
    """Consecutive ids, the same in every run."""

    def __init__(self) -> None:
        self._made = 0

    def new(self, noun: str) -> str:
        """Return the next id."""
        self._made += 1
        return f"{noun}_{self._made:06}"


@dataclass(slots=True)
class SkewedClock:
    """A clock that is wrong by *skew*."""

    true: ProcessorClock
    skew: timedelta = timedelta(0)

    def now(self) -> datetime:
        """Return the instant that this clock shows."""
        return self.true.now() + self.skew


@dataclass(frozen=True, slots=True)
class TrueStopwatch:
    """The monotonic count of the one machine that all hosts run on, which is booted once."""

    true: ProcessorClock

    def read(self) -> Mark:
        """Return the current mark."""
        return Mark("simulated", self.true.now().timestamp())


class Host(Desk):
    """A process: the production verbs as flows, which the scheduler moves one step at a time.

    It has *accounts*, which need not be all accounts in the ledger.
    """

    def __init__(
        self,
        name: str,
        clock: SkewedClock,
        ids: CountedIds,
        accounts: Mapping[str, GatewayAccount],
        timing: Timing,
        consumer: Callable[[Event], Any],
        vault: Vault,
        page_keys: PageKeys,
        autopay: AutopayPolicy,
    ) -> None:
        self.name = name
        self.clock = clock
        self.context = Context(
            tenant="main",
            actor=name,
            clock=clock,
            ids=ids,
            vault=vault,
            page_keys=page_keys,
            autopay=autopay,
            stopwatch=TrueStopwatch(clock.true),
        )
        self._context = self.context
        self._accounts = dict(accounts)
        self._timing = timing
        self.has = frozenset(accounts)
        self._sinks = {}
        self._readers = {"consumer": Subscriber("consumer", consumer)}
        self._period_closed = None
