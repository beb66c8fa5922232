"""Due work on procrastinate, the queue that lives in PostgreSQL.

For hosts that run procrastinate already: its workers then do the due work of paygate as well, and
`paygate work` is not needed. A periodic task takes due jobs and defers a task for each; the tasks
are done by whichever workers there are. The tables of paygate say what is due, so nothing depends
on a task: one that is lost, stalled, or done twice is due again, or does nothing.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from paygate.domain.job import Job
from paygate.errors import MissingExtra
from paygate.worker.calling import call

try:
    from procrastinate import App, PsycopgConnector
except ImportError as error:
    raise MissingExtra(
        "this module requires procrastinate; install paygate-sdk[procrastinate]",
        extra="procrastinate",
    ) from error

if TYPE_CHECKING:
    from collections.abc import Callable

    from procrastinate.types import JSONDict

    from paygate.worker.calling import AnyCashier

FIND: Final = "paygate.find"
"""The periodic task that takes due jobs."""
WORK: Final = "paygate.work"
"""The task that does one job."""
RESCUE: Final = "paygate.rescue"
"""The periodic task that ends the stalled tasks of workers that died."""


def make_app(url: str, open_cashier: Callable[[], AnyCashier], **options: Any) -> App:
    """
    Return an app of its own on the PostgreSQL server of *url*; see `add_tasks` for *options*.

    Create its tables once, with ``app.schema_manager.apply_schema()``.
    """
    app = App(connector=PsycopgConnector(conninfo=url))
    add_tasks(app, open_cashier, **options)
    return app


def add_tasks(
    app: App,
    open_cashier: Callable[[], AnyCashier],
    *,
    cron: str = "* * * * *",
    queue: str = "paygate",
    limit: int = 500,
    stalled_after_s: float = 60.0,
) -> None:
    """
    Add the tasks that do the due work to the host's *app*.

    *open_cashier* is called once in each worker. At each time of *cron* (a sixth field counts
    seconds), at most *limit* due jobs of each tenant are taken. A task whose worker has not been
    heard of for *stalled_after_s* is done again.
    """
    cashier = lru_cache(maxsize=1)(open_cashier)

    @app.task(name=WORK, queue=queue)
    async def work(job: str) -> str:
        """Do one job; return why it was left alone, or "done"."""
        desk = _desk(cashier(), Job.read(job).tenant)
        result = await call(desk, desk.work, job)
        return result.left or "done"

    @app.periodic(cron=cron)
    @app.task(name=FIND, queue=queue, queueing_lock=FIND, pass_context=False)
    async def find(timestamp: int) -> int:
        """Take due jobs, and defer a task for each; return how many."""
        del timestamp
        found = 0
        for tenant in await _tenants(cashier()):
            desk = _desk(cashier(), tenant)
            taken: list[Job] = await call(desk, desk.take_due, limit=limit)
            if taken:
                tasks: list[JSONDict] = [{"job": each.id} for each in taken]
                await work.batch_defer_async(*tasks)
            found += len(taken)
        return found

    @app.periodic(cron="* * * * *")
    @app.task(name=RESCUE, queue=queue, queueing_lock=RESCUE, lock=RESCUE)
    async def rescue(timestamp: int) -> int:
        """Do the tasks of workers that died again; return how many."""
        del timestamp
        stalled = await app.job_manager.get_stalled_jobs(
            queue=queue, seconds_since_heartbeat=stalled_after_s
        )
        count = 0
        for each in stalled:
            await app.job_manager.retry_job(each)
            count += 1
        return count


async def _tenants(cashier: AnyCashier) -> list[str]:
    """Return the tenants that *cashier* serves and that have something due."""
    if not cashier.serves_all:
        return [""]
    found: list[str] = await call(cashier, cashier.tenants_due)
    return found


def _desk(cashier: AnyCashier, tenant: str) -> AnyCashier:
    return cashier.for_tenant(tenant) if cashier.serves_all else cashier
