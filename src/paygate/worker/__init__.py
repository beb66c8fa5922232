"""The worker: does due work, and what a process of it needs: signals, and answers about health."""

from paygate.worker.calling import AnyCashier, call
from paygate.worker.health import Health
from paygate.worker.loop import JobRun, WorkDone, Worker
from paygate.worker.process import run_process
from paygate.worker.unserved import Unserved

__all__ = [
    "AnyCashier",
    "Health",
    "JobRun",
    "Unserved",
    "WorkDone",
    "Worker",
    "call",
    "run_process",
]
