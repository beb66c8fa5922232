"""The agenda: what is due, as jobs that any process may do.

What becomes due is planned in the tables themselves: an attempt has the time of its next inquiry, a
callback that of its next try. This module lists due rows as jobs, and does one job at a time, each
in a flow of its own. A process may do them in turn (`recover`, `work_due`), many at once (the
worker), or hand them to the host's own scheduler. A kind of job is one entry of `KINDS`.

Who does a job, when, and how often makes no difference to the books. A job first looks whether its
subject is still due, so one that comes late or twice does nothing. If two processes do it at the
same time, both ask the gateway, and the rule of `merge` accepts the second answer as it accepts a
repeated callback. So the lease on a job that a process takes saves work and protects nothing: it
may end while its holder sleeps.

A job is done only by a process that has its account. Others leave it alone, and it does not count
as tried. An account that does not respond is not asked again in the same pass, so that it does not
delay the others.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from paygate import telemetry
from paygate.domain.job import Job, JobKind
from paygate.ledger import attempts, feeds, inbox, jobs
from paygate.ledger.jobs import DueJob
from paygate.ledger.tx import TimedIds, round_robin
from paygate.service import (
    apply,
    autopay_run,
    feed,
    inquire,
    overdue_run,
    pay_link,
    publish,
    refusals,
    unsettled,
)
from paygate.service.feed import FeedsRead
from paygate.service.flow import Flow, look, transact
from paygate.telemetry import Attribute, Shape

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from paygate.domain.payment import Payment
    from paygate.domain.status import Unattended
    from paygate.ledger.tx import Tx
    from paygate.service.account import GatewayAccount, Timing
    from paygate.service.publish import Published
    from paygate.service.readers import Reader

LEASE: Final = timedelta(minutes=5)
"""How long a job is taken for: longer than a job should take."""

FEED_TIME: Final = timedelta(minutes=1)
"""How long one pass reads long feeds; the next pass continues without a pause."""

_BATCH: Final = 100
_CALLBACK: Final = re.compile("[0-9]{1,18}")
_OF_DAYS: Final = (JobKind.RUN_AUTOPAY, JobKind.RUN_OVERDUE)
_DAY: Final = re.compile("[0-9]{4}-[01][0-9]-[0-3][0-9]")
_OVERTAKEN_MAX: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """
    What this process does the jobs of a tenant with: gateway accounts, and readers of events.

    `silent` are the accounts that did not respond in this pass.
    """

    tenant: str
    accounts: Mapping[str, GatewayAccount]
    timing: Timing
    readers: Mapping[str, Reader] = field(default_factory=dict[str, "Reader"])
    silent: set[str] = field(default_factory=set[str])

    def without(self, names: Collection[str]) -> Access:
        """Return the same without the accounts and readers of these *names*."""
        return replace(
            self,
            accounts={name: each for name, each in self.accounts.items() if name not in names},
            readers={name: each for name, each in self.readers.items() if name not in names},
        )

    def lacks(self, job: Job) -> str:
        """Return why *job* cannot be done here; empty if it can."""
        if job.tenant != self.tenant:
            return f"the tenant {job.tenant!r} is not served here"
        if job.kind is JobKind.PUBLISH:
            return "" if job.subject in self.readers else f"no sink {job.subject!r} is known here"
        if job.kind in _OF_DAYS:
            return "" if _DAY.fullmatch(job.subject) else f"{job.subject!r} is not a day"
        if job.kind is JobKind.END_LINK:
            return ""  # its pages are withdrawn as far as their accounts are here
        if job.account not in self.accounts:
            return f"the account {job.account!r} is not configured here"
        # The id of a job comes back from a queue, where anybody may have changed it.
        if job.kind is JobKind.READ_FEED and job.subject != job.account:
            return f"{job.subject!r} is not the feed of the account {job.account!r}"
        if job.kind is JobKind.APPLY and not _CALLBACK.fullmatch(job.subject):
            return f"{job.subject!r} is not the number of a callback"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """
    The result of a job: the payment it is about, or what was read or published.

    `unanswered` says why the gateway or the sink gave no answer. `left` says why the job was left
    alone: it is no longer due, or it is for an account that this process does not have. `goes_on`
    is set if it made progress and there is more to do at once.
    """

    job: Job
    payment: Payment | None = None
    read: FeedsRead | None = None
    published: Published | None = None
    unanswered: str = ""
    left: str = ""
    goes_on: bool = False


# --- Doing jobs ------------------------------------------------------------------------------


def work(job: Job, access: Access) -> Flow[JobResult]:
    """
    Do one job, if it is still due and this process can, and return the result.

    If this raises, a job that was taken stays taken until its lease ends.
    """
    with telemetry.record(Shape.JOB, _facts(job, access)) as ending:
        result = yield from _work(job, access)
        ending.outcome = _outcome_of(result)

    def give_back(tx: Tx) -> None:
        # A job that is still due although it was done must not keep a worker busy.
        done = not result.left and not result.goes_on
        jobs.give_back(tx, job, rests=done and KINDS[job.kind].is_due(tx, job, access))

    if job.lease:
        yield from transact(give_back)
    return result


def _work(job: Job, access: Access) -> Flow[JobResult]:
    left = access.lacks(job)
    if left:
        return JobResult(job=job, left=left)
    rule = KINDS[job.kind]
    if not (yield from look(lambda tx: rule.is_due(tx, job, access))):
        return JobResult(job=job, left="it is no longer due")
    return (yield from rule.work(job, access))


def _facts(job: Job, access: Access) -> dict[Attribute, str]:
    """Return what is recorded of a job; a name that is not known here may be anybody's text."""
    facts = {Attribute.JOB: job.kind.value, Attribute.DESTINATION: job.kind.value}
    if job.kind is JobKind.PUBLISH and job.subject in access.readers:
        facts[Attribute.SINK] = job.subject
    elif job.account in access.accounts:
        facts[Attribute.ACCOUNT] = job.account
    return facts


def _outcome_of(result: JobResult) -> str:
    if result.left:
        return "left"
    return "unanswered" if result.unanswered else "done"


def work_due(access: Access, limit: int) -> Flow[list[JobResult]]:
    """Take due jobs and do them, one after the other, at most *limit*; return their results."""
    results: list[JobResult] = []
    while len(results) < limit:
        taken = yield from take(access, min(_BATCH, limit - len(results)))
        if not taken:
            break
        results += yield from _in_turn(taken, access)
    yield from write_down(access)
    return results


def recover(access: Access, limit: int) -> Flow[list[Payment]]:
    """
    Do all due jobs but publishing, at most *limit* of a kind; return the payments they are about.

    Nothing is charged by this, and nobody is reminded: runs of automatic payment and sweeps over
    overdue invoices are left to `work_due` and the worker.

    Jobs that another process has taken are done as well: it may have died.
    """
    found: dict[str, Payment] = {}
    for kind in JobKind:
        if kind is JobKind.PUBLISH or kind in _OF_DAYS:
            continue
        if kind is JobKind.READ_FEED:
            # Together, because their pages alternate: a long feed does not hold up the others.
            yield from _read_feeds(access.accounts, access.timing)
            yield from write_down(access)
            continue
        for result in (yield from work_kind(kind, access, limit)):
            if result.payment is not None:
                found[result.payment.id] = result.payment
    return list(found.values())


def work_kind(kind: JobKind, access: Access, limit: int) -> Flow[list[JobResult]]:
    """Do the due jobs of a kind, one after the other, at most *limit*; return their results."""
    return (yield from _in_turn((yield from due(access, limit, kinds=(kind,))), access))


def _in_turn(some: Sequence[Job], access: Access) -> Flow[list[JobResult]]:
    results: list[JobResult] = []
    for job in some:
        results.append((yield from work(job, access)))  # noqa: PERF401  (a flow, not a value)
    return results


def write_down(access: Access) -> Flow[None]:
    """Record the refused callbacks that are still gathered in this process."""
    for account in access.accounts.values():
        yield from refusals.write_down(account)


# --- Finding jobs ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Which jobs are looked for: with *free*, only those that no other process has taken."""

    access: Access
    limit: int
    free: bool


def due(access: Access, limit: int, kinds: Collection[JobKind] = tuple(JobKind)) -> Flow[list[Job]]:
    """Return the due jobs that this process can do, accounts alternating, at most *limit*."""
    search = Search(access=access, limit=limit, free=False)
    return (yield from look(partial(_find, search=search, kinds=kinds)))


def take(access: Access, limit: int, length: timedelta = LEASE) -> Flow[list[Job]]:
    """Take at most *limit* due jobs for *length*, and return them with their lease."""
    lease, search = TimedIds().new("lease"), Search(access=access, limit=limit, free=True)

    def work(tx: Tx) -> tuple[list[Job], bool]:
        found = _find(tx, search=search, kinds=tuple(JobKind))
        taken = jobs.take(tx, found, lease, length) if found else []
        # On PostgreSQL another process may have taken all that was found, a moment ago.
        return taken, not taken and any(job.kind in jobs.TO_TAKE for job in found)

    taken, overtaken = yield from transact(work)
    for _ in range(_OVERTAKEN_MAX):
        if not overtaken:
            break
        taken, overtaken = yield from transact(work)
    return taken


def give_back(taken: Sequence[Job]) -> Flow[None]:
    """
    End the leases of jobs that were taken, so that any process takes them.

    The sinks of jobs that are under way become free as well. If this process still delivers, it
    stops at the end of its batch, because it cannot store its position without the lease.
    """

    def work(tx: Tx) -> None:
        for job in taken:
            jobs.give_back(tx, job, rests=False)

    yield from transact(work)
    for job in taken:
        if job.kind is JobKind.PUBLISH and job.lease:
            yield from publish.release(job.subject, job.lease)


def tenants(readers: Collection[str], timing: Timing) -> Flow[list[str]]:
    """Return the tenants for which something is due."""
    return (yield from look(lambda tx: jobs.tenants(tx, readers, timing.feed_pause)))


def _find(tx: Tx, search: Search, kinds: Collection[JobKind]) -> list[Job]:
    queues = [queue for kind in kinds for queue in KINDS[kind].find(tx, kind, search)]
    # A job that takes long comes after all others.
    found = sorted(round_robin(queues), key=lambda each: each.takes_long)
    return [each.job for each in found[: search.limit]]


def unattended(tx: Tx, waited: timedelta) -> list[Unattended]:
    """Return the accounts with something due for longer than *waited*."""
    before = tx.now - waited
    return attempts.unattended(tx, inbox.unattended(tx, before), before)


# --- The kinds -------------------------------------------------------------------------------


def _find_rows(tx: Tx, kind: JobKind, search: Search) -> Iterator[list[DueJob]]:
    access = search.access
    for account in access.accounts:
        # What is taken is done at once; a callback may be applied without its gateway.
        if not search.free or kind is JobKind.APPLY or account not in access.silent:
            yield jobs.due(tx, kind, account, search.limit, free=search.free)


def _find_links(tx: Tx, kind: JobKind, search: Search) -> Iterator[list[DueJob]]:
    yield jobs.due(tx, kind, "", search.limit, free=search.free)


def _row_is_due(tx: Tx, job: Job, access: Access) -> bool:
    del access
    return jobs.is_planned(tx, job)


def _find_feeds(tx: Tx, kind: JobKind, search: Search) -> Iterator[list[DueJob]]:
    for name, account in search.access.accounts.items():
        if account.has_feed:
            job = Job(kind=kind, tenant=tx.tenant, account=name, subject=name, due_at=tx.now)
            if _feed_is_due(tx, job, search.access):
                yield [DueJob(job)]


def _feed_is_due(tx: Tx, job: Job, access: Access) -> bool:
    pause = access.timing.feed_pause
    return pause is not None and job.subject not in feeds.resting(tx, pause)


def _find_sinks(tx: Tx, kind: JobKind, search: Search) -> Iterator[list[DueJob]]:
    for name in search.access.readers:
        job = Job(kind=kind, tenant=tx.tenant, account="", subject=name, due_at=tx.now)
        if _sink_is_due(tx, job, search.access):
            yield [DueJob(job)]


def _sink_is_due(tx: Tx, job: Job, access: Access) -> bool:
    del access
    return jobs.sink_is_due(tx, job.subject)


def _inquire(job: Job, access: Access) -> Flow[JobResult]:
    if job.account in access.silent:
        asked = inquire.leave_unasked(job.subject, job.account)
    else:
        asked = inquire.inquire_safely(job.subject, access.accounts, access.timing, access.silent)
    payment = yield from asked
    why = "" if payment is None else payment.unanswered
    return JobResult(job=job, payment=payment, unanswered=why)


def _read_feed(job: Job, access: Access) -> Flow[JobResult]:
    read = yield from _read_feeds({job.subject: access.accounts[job.subject]}, access.timing)
    goes_on = job.subject in read.unfinished and read.read[job.subject] > 0
    why = read.failed.get(job.subject, "")
    return JobResult(job=job, read=read, unanswered=why, goes_on=goes_on)


def _read_feeds(accounts: Mapping[str, GatewayAccount], timing: Timing) -> Flow[FeedsRead]:
    if timing.feed_pause is None:  # the host reads them itself
        return FeedsRead(failed={})
    return (yield from feed.read_feeds(accounts, timing.feed_pause, time=FEED_TIME))


def _apply(job: Job, access: Access) -> Flow[JobResult]:
    payment = yield from apply.apply_safely(
        int(job.subject), access.accounts, access.timing, access.silent
    )
    return JobResult(job=job, payment=payment)


def _check_settlement(job: Job, access: Access) -> Flow[JobResult]:
    if job.account in access.silent:
        return JobResult(job=job, unanswered=f"account {job.account!r} did not answer before")
    payment = yield from unsettled.check(
        job.subject, job.account, access.accounts, access.timing, access.silent
    )
    return JobResult(job=job, payment=payment)


def _end_link(job: Job, access: Access) -> Flow[JobResult]:
    ended = yield from pay_link.end(job.subject, access.accounts, access.timing)
    return JobResult(job=job, left="" if ended else "it has not ended")


def _find_runs(tx: Tx, kind: JobKind, search: Search) -> Iterator[list[DueJob]]:
    del search
    for day in autopay_run.due_days(tx):
        subject = day.isoformat()
        job = Job(kind=kind, tenant=tx.tenant, account="", subject=subject, due_at=tx.now)
        yield [DueJob(job)]


def _run_is_due(tx: Tx, job: Job, access: Access) -> bool:
    del access
    return date.fromisoformat(job.subject) in autopay_run.due_days(tx)


def _run_autopay(job: Job, access: Access) -> Flow[JobResult]:
    on = date.fromisoformat(job.subject)
    done = yield from autopay_run.run(on, access.accounts, access.timing, pages=1)
    goes_on = not done.finished and (yield from look(lambda tx: _run_is_due(tx, job, access)))
    return JobResult(job=job, goes_on=goes_on)


def _find_sweeps(tx: Tx, kind: JobKind, search: Search) -> Iterator[list[DueJob]]:
    del search
    for day in overdue_run.due_days(tx):
        subject = day.isoformat()
        job = Job(kind=kind, tenant=tx.tenant, account="", subject=subject, due_at=tx.now)
        yield [DueJob(job)]


def _sweep_is_due(tx: Tx, job: Job, access: Access) -> bool:
    del access
    return date.fromisoformat(job.subject) in overdue_run.due_days(tx)


def _run_overdue(job: Job, access: Access) -> Flow[JobResult]:
    on = date.fromisoformat(job.subject)
    done = yield from overdue_run.run(on, access.accounts, pages=1)
    goes_on = not done.finished and (yield from look(lambda tx: _sweep_is_due(tx, job, access)))
    return JobResult(job=job, goes_on=goes_on)


def _publish(job: Job, access: Access) -> Flow[JobResult]:
    lease = job.lease or TimedIds().new("lease")
    done = yield from publish.publish([access.readers[job.subject]], lease)
    why = f"{job.subject} could not be reached" if done.unreached else ""
    goes_on = done.delivered + done.delayed + done.dead > 0
    return JobResult(job=job, published=done, unanswered=why, goes_on=goes_on)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRule:
    """How the jobs of a kind are found, in queues that alternate, and how one is done."""

    find: Callable[[Tx, JobKind, Search], Iterator[list[DueJob]]]
    is_due: Callable[[Tx, Job, Access], bool]
    work: Callable[[Job, Access], Flow[JobResult]]


KINDS: Final[Mapping[JobKind, JobRule]] = {
    JobKind.INQUIRE: JobRule(find=_find_rows, is_due=_row_is_due, work=_inquire),
    JobKind.READ_FEED: JobRule(find=_find_feeds, is_due=_feed_is_due, work=_read_feed),
    JobKind.APPLY: JobRule(find=_find_rows, is_due=_row_is_due, work=_apply),
    JobKind.CHECK_SETTLEMENT: JobRule(find=_find_rows, is_due=_row_is_due, work=_check_settlement),
    JobKind.END_LINK: JobRule(find=_find_links, is_due=_row_is_due, work=_end_link),
    JobKind.RUN_AUTOPAY: JobRule(find=_find_runs, is_due=_run_is_due, work=_run_autopay),
    JobKind.RUN_OVERDUE: JobRule(find=_find_sweeps, is_due=_sweep_is_due, work=_run_overdue),
    JobKind.PUBLISH: JobRule(find=_find_sinks, is_due=_sink_is_due, work=_publish),
}
"""The kinds of jobs; a new kind of due work is added here."""
