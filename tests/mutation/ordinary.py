"""
Which planted bugs the ordinary tests let pass: ``python -m tests.mutation.ordinary``.

Ordinary is a test in which nothing goes wrong on the way: no request or answer is lost
or garbled, no process dies, the ledger can be written, callbacks come once and in order.
The files named here are run once without a bug, and every test in which a fault is
raised is left out by what it did, not by its name. The rest is run with each bug planted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from paygate.errors import GatewayError, StoreError
from paygate.testing.processor import faults
from tests.service.world import PowerCut
from tests.support.mutants import MUTANTS, Mutant

ROOT = Path(__file__).parents[2]
# Not here: what is about faults from its first line to its last (crashes, unknown outcomes, store
# faults, callbacks in every order, concurrency, the state machine), what runs in a process of its
# own, where no bug is planted, and what does not run the engine (domain, drivers, transport).
ORDINARY = (
    "tests/ledger",
    "tests/cli/test_operations.py",
    "tests/service/test_bad_input.py",
    "tests/service/test_claims.py",
    "tests/service/test_import_invoices.py",
    "tests/service/test_methods.py",
    "tests/service/test_operate.py",
    "tests/service/test_publish.py",
    "tests/service/test_rules.py",
    "tests/service/test_taken_back.py",
)


class Watch:
    """Sees in which tests a fault is raised."""

    def __init__(self) -> None:
        self.ordinary: list[str] = []
        self.faulty: list[str] = []
        self._seen = False
        for kind in (GatewayError, StoreError, PowerCut):
            self._see(kind)
        server_error = faults.server_error

        def seen() -> Any:
            self._seen = True
            return server_error()

        vars(faults)["server_error"] = seen

    def _see(self, kind: type[BaseException]) -> None:
        before = kind.__init__

        def seen(error: Any, *args: Any, **more: Any) -> None:
            self._seen = True
            before(error, *args, **more)

        setattr(kind, "__init__", seen)  # noqa: B010  (its type is what every exception has)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._seen = False
        result = yield
        (self.faulty if self._seen else self.ordinary).append(item.nodeid)
        return result


class Only:
    """Runs the ordinary tests, and remembers the first that fails."""

    def __init__(self, ordinary: list[str]) -> None:
        self._ordinary = set(ordinary)
        self.failed = ""

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if item.nodeid in self._ordinary]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self.failed:
            self.failed = report.nodeid


def tested(plugin: Any) -> int:
    """Run the files with *plugin*, and without a word."""
    paths = [str(ROOT / path) for path in ORDINARY]
    quiet = ["-q", "-x", "--no-header", "-p", "no:cacheprovider", "-p", "no:randomly"]
    # paygate is imported already, to plant bugs in it; its pytest plugin need not be rewritten.
    quiet += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    shown = os.dup(1)
    with open(os.devnull, "w") as nothing:  # noqa: PTH123  (no file)
        os.dup2(nothing.fileno(), 1)
        try:
            return int(pytest.main([*quiet, f"--rootdir={ROOT}", *paths], plugins=[plugin]))
        finally:
            os.dup2(shown, 1)
            os.close(shown)


def failing(mutant: Mutant, ordinary: list[str]) -> str:
    """Run the ordinary tests with a bug planted, in a child; tell the first that fails."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        plugin = Only(ordinary)
        with mutant.planted():
            tested(plugin)
        os.write(writer, plugin.failed.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as told:
        failed = told.read()
    os.waitpid(child, 0)
    return failed


def find_ordinary() -> Watch:
    """Run everything once without a bug, and tell ordinary tests from those of faults."""
    watch = Watch()
    if tested(watch):
        raise SystemExit("the tests do not pass without a bug; nothing can be told")
    return watch


def main() -> int:
    """Plant every bug and run the ordinary tests; tell which they let pass."""
    child_tells, told = os.pipe()
    child = os.fork()
    if child == 0:  # the watch replaces methods; the runs after it must not have it
        watch = find_ordinary()
        with os.fdopen(told, "w") as out:
            out.write("\n".join([str(len(watch.faulty)), *watch.ordinary]))
        os._exit(0)
    os.close(told)
    with os.fdopen(child_tells) as read:
        faulty, *ordinary = read.read().splitlines() or [""]
    os.waitpid(child, 0)
    if not ordinary:
        return 1
    print(f"{len(ordinary)} ordinary tests; {faulty} others see a fault", flush=True)
    passing = 0
    names = sys.argv[1:]
    asked = [mutant for mutant in MUTANTS if not names or mutant.name in names]
    for mutant in asked:
        failed = failing(mutant, ordinary)
        passing += not failed
        print(f"{mutant.name}: {failed or 'passes'}", flush=True)
    print(f"{passing}/{len(asked)} planted bugs pass the ordinary tests")
    return passing != len(asked)


if __name__ == "__main__":
    sys.exit(main())
