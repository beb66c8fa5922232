"""The cashier whose verbs return when they are done."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Self, TypeVar, assert_never

from paygate import logs
from paygate.cashier.desk import Desk
from paygate.cashier.face import Face, in_time
from paygate.cashier.verbs import AtOnce
from paygate.cashier.within import Lends
from paygate.driving import drive
from paygate.service.flow import Deliver, Exchange, Read, Write

if TYPE_CHECKING:
    from paygate.service.flow import Flow, Step
    from paygate.transport import Courier

T = TypeVar("T")


class Cashier(AtOnce, Lends, Face, Desk):
    """Issue invoices and collect them; every verb returns when its result is durable.

    Open one per process and share it: it can be used by several threads, and after
    a fork the child opens its own connections. Close it, or use it as a
    context manager.
    """

    _couriers: dict[str, Courier]
    _pid: int

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close ledger and connections; a second call does nothing."""
        from paygate.service import refusals

        if self._pid == os.getpid():
            for account in self._accounts.values():
                self._run(refusals.write_down(account))
            for courier in self._couriers.values():
                courier.close()
            self._couriers.clear()
            for transport in self._routes.all_transports():
                transport.close()
        self._store.close()

    def _start(self) -> None:
        self._couriers, self._pid = {}, os.getpid()

    def _run(self, flow: Flow[T]) -> T:
        acting = logs.tenant.set(self._context.tenant)
        try:
            return drive(flow, self._do)
        finally:
            logs.tenant.reset(acting)

    def _do(self, step: Step) -> Any:
        match step:
            case Write():
                return self._store.write(self._context, step.work)
            case Read():
                return self._store.read(self._context, step.work)
            case Exchange():
                not_after = in_time(step, self._context)
                account = self._accounts.get(step.account)  # None for a sink
                if account is not None and account.processor is not None:
                    return account.processor.answer(step.request)
                with logs.exchanging(step.about):
                    return self._courier(step.account).exchange(step.request, not_after=not_after)
            case Deliver():
                return step.subscriber(step.event)
            case _:
                assert_never(step)

    def _courier(self, account: str) -> Courier:
        from paygate.transport import Courier, HttpTransport

        if self._pid != os.getpid():
            for inherited in self._couriers.values():
                inherited.abandon()
            self._start()
        found = self._couriers.get(account)
        if found is None:
            own, network = self._routes.transport_of(account), self._routes.network_of(account)
            made = Courier(
                own or HttpTransport(network=network),
                self._signs_in(account),
                timeout_s=self._routes.timeout_s(account, self._timing),
                now=self._context.clock.now,
            )
            # Two threads may each create one; the dictionary keeps the first.
            found = self._couriers.setdefault(account, made)
        return found
