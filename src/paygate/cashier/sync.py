"""The cashier whose verbs return when they are done."""

from __future__ import annotations

import os
from concurrent.futures import wait
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar, assert_never

from paygate import logs, telemetry
from paygate.cashier.desk import Desk
from paygate.cashier.face import Face, in_time
from paygate.cashier.merchants import accounts_in, at_once, failed, in_thread, too_slow
from paygate.cashier.once import Once
from paygate.cashier.serving import note_problems, stored_accounts
from paygate.cashier.threads import Threads, overdue
from paygate.cashier.timing import unit_times
from paygate.cashier.verbs import AtOnce
from paygate.cashier.within import Lends
from paygate.driving import contain, drive
from paygate.service.flow import Deliver, Exchange, InThread, Read, Together, Write, look

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from paygate.cashier.roster import Roster, Served
    from paygate.cashier.verbs import Given, verb
    from paygate.domain.secret import Sealed
    from paygate.service.flow import Flow, Step
    from paygate.transport import Courier

T = TypeVar("T")


class Cashier(AtOnce, Lends, Face, Once, Desk):
    """Issue invoices and collect them; every verb returns when its result is durable.

    Open one per process and share it: it can be used by several threads, and after
    a fork the child opens its own connections. Close it, or use it as a
    context manager.
    """

    _couriers: _Couriers
    _threads: Threads

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close ledger and connections; a second call does nothing."""
        from paygate.service import refusals

        if self._couriers.pid == os.getpid():
            for account in self._accounts.values():
                self._run(refusals.write_down(account))
            if self._roster is not None:
                self._let_go(self._roster.clear())
            for courier in self._couriers.values():
                courier.close()
            self._couriers.clear()
            for transport in self._routes.all_transports():
                transport.close()
        self._store.close()

    def _start(self) -> None:
        self._couriers, self._threads = _Couriers(), Threads()

    def _call(self, source: verb[Any, Any], flow: Callable[..., Flow[T]], given: Given, /) -> T:
        """Run the verb, and record it if somebody listens."""
        if self._recorder is None:
            return self._called(source, flow, given)
        with telemetry.verb(self._recorder, source.name, self._context.tenant) as ending:
            result = self._called(source, flow, given)
            ending.outcome = telemetry.outcome_of(result)
        return result

    def _called(self, source: verb[Any, Any], flow: Callable[..., Flow[T]], given: Given) -> T:
        """Run the verb; if it uses accounts of a tenant, these are looked up first."""
        args, kwargs = given
        if self._roster is None:
            return self._run(flow(self, *args, **kwargs))
        self._check_tenant(source)
        if not source.on_accounts or self.serves_all:
            return self._run(flow(self, *args, **kwargs))
        with self._serving(self._roster) as desk:
            return desk._run(flow(desk, *args, **kwargs))

    @contextmanager
    def _serving(self, roster: Roster) -> Generator[Self]:
        """Return this cashier with the accounts of its tenant, which are kept open meanwhile."""
        served = self._serve(roster)
        try:
            yield self._with(served)
        finally:
            self._let_go(roster.release(served))

    def _serve(self, roster: Roster) -> Served:
        """Return the accounts of the tenant, in use."""
        from paygate.service.admit import admit
        from paygate.service.publish import register

        found = roster.fresh(self._context.tenant, self.now())
        if found is not None:
            return found
        given = self._look_up(roster)
        found = roster.same(self._context.tenant, given, self.now())
        if found is not None:
            return found
        made = self._made(given, roster)
        self._run(register(self._sinks.values()))
        for name, problem in self._run(admit(made.accounts, live=roster.merchants.live)).items():
            made.problems[name] = problem
            del made.accounts[name]
        note_problems(made, roster.problems_of(made.tenant))
        used, idle = roster.add(made)
        self._let_go(idle)
        return used

    def _look_up(self, roster: Roster) -> Sealed[Any]:
        """Ask the host's function, or the ledger, for the accounts of the tenant."""
        from paygate.ledger import account_settings

        tenant, limit_s = self._context.tenant, roster.merchants.timeout_s
        function = roster.merchants.accounts_of
        if function is None:
            return stored_accounts(tenant, self._run(look(account_settings.all_of)))
        if limit_s is not None and roster.is_late(tenant):
            raise too_slow(tenant, limit_s)
        future = in_thread(function, tenant) if limit_s is not None else at_once(function, tenant)
        try:
            failure = future.exception(limit_s)
        except TimeoutError:
            failure = None
        if not future.done():
            roster.late(tenant)
            future.add_done_callback(partial(roster.no_longer_late, tenant))
            raise too_slow(tenant, limit_s or 0)
        if failure is not None:
            raise failed(tenant, failure)
        return accounts_in(tenant, future.result())

    def _let_go(self, idle: list[Served]) -> None:
        """Close the clients of tenants that nobody uses any more."""
        from paygate.service import refusals

        for served in idle:
            acting = self._of(served.tenant)
            for account in served.accounts.values():
                acting._run(refusals.write_down(account))
            for name, courier in served.couriers.items():
                if served.routes.transport_of(name) is None:  # else it belongs to all tenants
                    courier.close()

    def _abandon(self, served: Served) -> None:
        for courier in served.couriers.values():
            courier.abandon()

    def _run(self, flow: Flow[T]) -> T:
        acting = logs.tenant.set(self._context.tenant)
        try:
            return drive(flow, self._do, unit_times(self._recorder))
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
                return contain(partial(step.subscriber, step.event))
            case InThread():
                return self._finish(step)
            case Together():
                return None  # one after the other
            case _:
                assert_never(step)

    def _finish(self, step: InThread) -> object:
        future = self._threads.start(self._context.tenant, step)
        _ = wait([future], timeout=step.deadline_s)
        if not future.done():
            raise overdue(step)
        return future.result()

    def _courier(self, account: str) -> Courier:
        from paygate.transport import Courier, HttpTransport

        if self._couriers.pid != os.getpid():
            self._couriers.follow_fork()
        served = self._served
        ours = served is not None and account in served.accounts
        couriers = served.couriers if served is not None and ours else self._couriers
        found = couriers.get(account)
        if found is None:
            own, network = self._routes.transport_of(account), self._routes.network_of(account)
            made = Courier(
                own or HttpTransport(network=network),
                self._signs_in(account),
                timeout_s=self._routes.timeout_s(account, self._timing),
                now=self._context.clock.now,
            )
            # Two threads may each create one; the dictionary keeps the first.
            found = couriers.setdefault(account, made)
        return found


class _Couriers(dict[str, "Courier"]):
    """The couriers of one process, shared by all copies of a cashier."""

    def __init__(self) -> None:
        super().__init__()
        self.pid = os.getpid()

    def follow_fork(self) -> None:
        """In a forked child, forget the connections of its parent."""
        for inherited in list(self.values()):
            inherited.abandon()
        self.clear()
        self.pid = os.getpid()
