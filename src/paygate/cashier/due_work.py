"""Due work: list it, take it, and do it, with the host's own scheduler or with a worker."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from paygate.cashier import arguments
from paygate.cashier.base import OnAccounts, OnLedger
from paygate.cashier.verbs import verb
from paygate.service.flow import look

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from paygate.domain.job import Job, WaitingJobs
    from paygate.service.account import Timing
    from paygate.service.agenda import JobResult
    from paygate.service.flow import Flow
    from paygate.service.readers import Reader


class Agenda(OnLedger):
    """Verbs about due work that use no gateway account."""

    _of_no_tenant = frozenset({"tenants_due", "waiting_jobs"})
    _timing: Timing
    _readers: dict[str, Reader]

    @verb
    def tenants_due(self) -> Flow[list[str]]:
        """
        Return the tenants of this ledger for which something is due.

        A process that serves many merchants does their jobs with
        ``cashier.for_tenant(tenant).work_due()``. A tenant is listed if this ledger knows an
        account of it, or a sink that has read its events.
        """
        from paygate.service import agenda

        return (yield from agenda.tenants(list(self._readers), self._timing))

    @verb
    def waiting_jobs(self) -> Flow[list[WaitingJobs]]:
        """
        Return how many jobs of each account are due and taken by no process.

        It makes no difference whether this process has the account, so the result shows accounts
        that nobody works for. Inquiries, callbacks and settlements are counted; feeds and sinks
        are not. With ``merchants=`` and without a tenant, these are the jobs of all tenants.
        """
        from paygate.ledger import jobs

        return (yield from look(lambda tx: jobs.waiting(tx, tx.tenant)))

    @verb
    def give_back(self, jobs: Sequence[Job | str]) -> Flow[None]:
        """Give back jobs that were taken and are not done, so that any process takes them."""
        from paygate.service import agenda

        yield from agenda.give_back(arguments.jobs(jobs, "jobs"))


class DueWork(OnAccounts):
    """Verbs that find due work, take it and do it."""

    @verb
    def due(self, *, limit: int = 100) -> Flow[list[Job]]:
        """
        Return the jobs that are due and that this process can do, at most *limit*.

        A job is an inquiry, a callback to apply, a feed to read, a settlement to check, or a sink
        to publish to. Accounts alternate. Jobs that another process has taken are included; they
        may be done twice without harm. `work` does one.
        """
        from paygate.service import agenda

        return (yield from agenda.due(self._access(), arguments.how_many(limit)))

    @verb
    def take_due(
        self,
        *,
        limit: int = 100,
        lease: timedelta = timedelta(minutes=5),
        without: Collection[str] = (),
    ) -> Flow[list[Job]]:
        """
        Take at most *limit* due jobs, so that no other process takes them, and return them.

        Do each with `work`, here or elsewhere (`Job.id` is its text for a queue), within *lease*,
        at most an hour. A job that is not done by then is due again. Accounts and sinks that are
        named by *without*, such as one that did not respond a moment ago, are left out.
        """
        from paygate.ledger.jobs import LEASE_MAX
        from paygate.service import agenda

        most = arguments.how_many(limit)
        length = arguments.lease(lease, "lease", LEASE_MAX)
        access = self._access().without(arguments.names(without, "without"))
        return (yield from agenda.take(access, most, length))

    @verb
    def work(self, job: Job | str) -> Flow[JobResult]:
        """
        Do one job, given as such or by its id, and return the result.

        A job may be done twice, late, or by two processes at once: that changes nothing. One that
        is no longer due, or is for a tenant or an account that this process does not have, is
        left alone, and `JobResult.left` says why.
        """
        from paygate.service import agenda

        return (yield from agenda.work(arguments.job(job, "job"), self._access()))

    @verb
    def work_due(self, *, limit: int = 100) -> Flow[list[JobResult]]:
        """
        Take due jobs and do them one after the other, at most *limit*; return their results.

        Call it regularly from a timer, in as many processes as you like: they share the jobs. An
        account that does not respond is not asked again in the same call. `recover` and `publish`
        do the same work without taking it.
        """
        from paygate.service import agenda

        most = arguments.how_many(limit)
        return (yield from agenda.work_due(self._access(), most))
