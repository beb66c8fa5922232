"""The worker: do due work until a signal says to stop."""

from __future__ import annotations

import json
import logging
import sys
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final

import typer

from paygate.cli import show
from paygate.cli.exits import FINDINGS
from paygate.cli.opening import Where, with_gateways
from paygate.domain.job import JobKind
from paygate.errors import InvalidValue
from paygate.printing import counted, shown
from paygate.worker.loop import DRAIN_S, JOBS, POLL_S, Worker
from paygate.worker.process import run_process

if TYPE_CHECKING:
    from collections.abc import Collection, Generator

    from paygate.domain.status import LedgerStatus
    from paygate.worker.loop import JobRun, WorkDone

_FAILED: Final = "failed"
_UNANSWERED: Final = "unanswered"
_REVIEW: Final = "review"
_FAIL_ON: Final = (_FAILED, _UNANSWERED, _REVIEW)
_LINE_EVERY_S: Final = 60.0
_REDRAWN_EVERY_S: Final = 0.1


@with_gateways
def work(
    where: Where,
    jobs: Annotated[int, typer.Option("--jobs", min=1, max=500, help="Jobs at once.")] = JOBS,
    once: Annotated[
        bool, typer.Option("--once", help="End when nothing is due, as for a timer.")
    ] = False,
    poll_s: Annotated[
        float,
        typer.Option(
            "--poll", metavar="SECONDS", min=0.05, max=3600, help="Pause while nothing is due."
        ),
    ] = POLL_S,
    drain_s: Annotated[
        float,
        typer.Option(
            "--drain", metavar="SECONDS", min=0, max=3600, help="Time for jobs after SIGTERM."
        ),
    ] = DRAIN_S,
    health_port: Annotated[
        int | None,
        typer.Option("--health-port", min=0, max=65535, help="Answer /live and /ready; 0 is any."),
    ] = None,
    health_host: Annotated[
        str, typer.Option("--health-host", help="Address of the health port.")
    ] = "127.0.0.1",
    fail_on: Annotated[
        list[str] | None,
        typer.Option(
            "--fail-on",
            metavar="|".join(_FAIL_ON),
            help="Exit with status 1 on this; can be given more than once.",
        ),
    ] = None,
) -> None:
    """
    Do due work until SIGTERM, together with any number of other workers.

    Due work is: inquiries, callbacks to apply, feeds to read, settlements to check, and events to
    publish. Without --app and --gateways, the accounts are those that are stored in the ledger, of
    all tenants unless --tenant names one. The exit status is 0, whatever the jobs found, unless
    --fail-on says otherwise; with --once, it is 1 if jobs wait for accounts that cannot be used.
    """
    wanted = _causes(fail_on or [])
    with where.open_for_work() as cashier:
        if _REVIEW in wanted and cashier.serves_all:
            raise InvalidValue(
                "a worker for many merchants cannot fail on review; use 'paygate status' for each",
                argument="fail_on",
            )
        with _log_lines():
            progress = _Progress(quiet=where.as_json)
            worker = Worker(
                cashier, jobs=jobs, poll_s=poll_s, drain_s=drain_s, on_job=progress.note
            )
            progress.begin(worker, jobs)
            status = run_process(
                worker,
                cashier,
                once=once,
                health=None if health_port is None else (health_host, health_port),
                on_health=partial(_tell_health, progress, health_host, as_json=where.as_json),
                on_stop=lambda: progress.say("stopping; a second signal ends it at once"),
                with_status=_REVIEW in wanted,
            )
            progress.end()
    found = _found(worker.done, status, wanted)
    if once:  # a worker that goes on may leave them to others; this one was to do all
        found += [str(each) for each in worker.unserved]
    if where.as_json:
        told = {"done": _facts(worker.done), "unserved": worker.unserved, "failed_on": found}
        show.write_json(told)
    else:
        show.console().print(_line(worker.done))
        for text in found:
            show.say(text, style="yellow")
    if found:
        raise typer.Exit(FINDINGS)


def _tell_health(progress: _Progress, host: str, port: int, *, as_json: bool) -> None:
    """Write to stderr at which address the worker answers, because the port may be any."""
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    if as_json:
        sys.stderr.write(json.dumps({"health": address}) + "\n")
        sys.stderr.flush()
    progress.say(f"health on {address}/ready")


def _causes(given: Collection[str]) -> set[str]:
    unknown = [each for each in given if each not in _FAIL_ON]
    if unknown:
        raise InvalidValue(
            f"fail_on must be one of {', '.join(_FAIL_ON)}, not {shown(unknown[0])}",
            argument="fail_on",
        )
    return set(given)


def _found(done: WorkDone, status: LedgerStatus | None, wanted: Collection[str]) -> list[str]:
    """Return what was found of what the caller wants to fail on, as sentences."""
    found: list[str] = []
    if _FAILED in wanted and done.failed:
        found.append(f"{counted(done.failed, 'job')} failed; the log says why")
    if _UNANSWERED in wanted and done.unanswered:
        found.append(f"{counted(done.unanswered, 'job')} had no answer")
    if status is not None:
        waits = status.reviews.count + len(status.methods_need_review)
        stuck = sum(sum(each.stuck.values()) for each in status.accounts)
        if waits or stuck:
            found.append(
                f"{waits} under review and {counted(stuck, 'callback')} stuck; see 'paygate status'"
            )
    return found


def _facts(done: WorkDone) -> dict[str, object]:
    jobs = {kind.value: done.jobs[kind] for kind in JobKind}
    return {
        "jobs": jobs,
        "unanswered": done.unanswered,
        "left": done.left,
        "failed": done.failed,
        "abandoned": done.abandoned,
    }


def _line(done: WorkDone) -> str:
    """Return what was done, in one line."""
    parts = [f"{done.jobs[kind]} {kind.value}" for kind in JobKind if done.jobs[kind]]
    more = {
        "unanswered": done.unanswered,
        "left alone": done.left,
        "failed": done.failed,
        "abandoned": done.abandoned,
    }
    parts += [f"{count} {name}" for name, count in more.items() if count]
    return f"{counted(sum(done.jobs.values()), 'job')} done" + (
        f": {', '.join(parts)}" if parts else ""
    )


class _Progress:
    """Shows what the worker does: a line that is redrawn on a terminal, or a line a minute."""

    def __init__(self, *, quiet: bool) -> None:
        self._redraws = sys.stderr.isatty() and not quiet
        self._quiet = quiet
        self._shown_at = time.monotonic()
        self._worker: Worker | None = None

    def begin(self, worker: Worker, jobs: int) -> None:
        """Say that the worker begins."""
        self._worker = worker
        self.say(f"working, {counted(jobs, 'job')} at once; SIGTERM or Ctrl-C stops it")

    def note(self, _: JobRun) -> None:
        """Show a job that has ended."""
        every_s = _REDRAWN_EVERY_S if self._redraws else _LINE_EVERY_S
        if self._worker is None or self._quiet or time.monotonic() - self._shown_at < every_s:
            return
        self._shown_at = time.monotonic()
        line = f"{_line(self._worker.done)}; {self._worker.running} under way"
        if self._redraws:
            sys.stderr.write(f"\r{line}\x1b[K")
            sys.stderr.flush()
        else:
            self.say(line)

    def say(self, text: str) -> None:
        """Write a line of its own to stderr."""
        if not self._quiet:
            self.end()
            show.say(text, stderr=True)

    def end(self) -> None:
        """Remove the line that is redrawn."""
        if self._redraws:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


@contextmanager
def _log_lines() -> Generator[None]:
    """Write warnings to stderr meanwhile, unless the application has set up its logging."""
    logger = logging.getLogger("paygate")
    real = [each for each in logger.handlers if not isinstance(each, logging.NullHandler)]
    if real or logging.getLogger().handlers:
        yield
        return
    handler = logging.StreamHandler()
    handler.setLevel(logging.WARNING)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
