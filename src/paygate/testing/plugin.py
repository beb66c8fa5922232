"""The pytest plug-in: fixtures for a host's tests, and the report of cases that do not apply.

It is loaded by every pytest run in an environment that has paygate, so it imports
nothing until a test asks for it.

- ``clock``: a `FakeClock`, which stands still until a test moves it
- ``fake_gateway``: a `FakeGateway` for cards, on that clock
- ``ledger``: where the cashier keeps its books; in memory, and another place if you override it
- ``cashier``: a `Cashier` over the three, with the fake as the account ``card``
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, cast

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paygate.cashier import Cashier
    from paygate.testing.clock import FakeClock
    from paygate.testing.fake import FakeGateway

# The same words stand in `paygate.testing.conformance.explain`, which is too much to import here.
NOT_APPLICABLE = "does not apply: "


@pytest.fixture
def clock() -> FakeClock:
    """Give a clock that stands still until the test moves it."""
    from paygate.testing.clock import FakeClock

    return FakeClock()


@pytest.fixture
def fake_gateway(clock: FakeClock) -> FakeGateway:
    """Give a gateway for cards with its processor in memory, on the test's clock."""
    from paygate.testing.fake import FakeGateway

    return FakeGateway(clock=clock)


@pytest.fixture
def ledger() -> str:
    """Tell where the books are kept: in memory, gone after the test."""
    return "sqlite://"


@pytest.fixture
def cashier(ledger: str, fake_gateway: FakeGateway) -> Iterator[Cashier]:
    """Give a cashier with empty books, and the fake gateway as its account ``card``."""
    from paygate.cashier import Cashier

    opened = Cashier.open(ledger, gateways={"card": fake_gateway}, clock=fake_gateway.clock)
    with opened as cashier:
        yield cashier


def _reason(report: object) -> str:
    """Tell why a conformance case does not apply; empty for everything else."""
    told: object = getattr(report, "longrepr", None)
    if not getattr(report, "skipped", False) or not isinstance(told, tuple):
        return ""
    text = str(cast("tuple[object, ...]", told)[-1]).removeprefix("Skipped: ")
    return text if text.startswith(NOT_APPLICABLE) else ""


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """Show a case that does not apply as what it is, and not as a test that was skipped."""
    return ("does not apply", "n", "DOES NOT APPLY") if _reason(report) else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the end which cases do not apply, and by which trait."""
    reports = terminalreporter.stats.get("does not apply", [])
    counted = Counter(
        (_reason(report).removeprefix(NOT_APPLICABLE), report.nodeid.rpartition("::")[2])
        for report in reports
    )
    if counted:
        terminalreporter.section("cases that do not apply")
    for (reason, case), count in sorted(counted.items()):
        times = f" ({count} times)" if count > 1 else ""
        terminalreporter.line(f"{case}{times}: {reason}")
