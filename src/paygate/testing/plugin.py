"""The pytest plug-in: fixtures for a host's tests, and the report of cases that do not apply.

Every pytest run loads it in an environment that has paygate, so it imports nothing until
a test needs it, and all of its fixtures begin with ``paygate_``. A host overrides any of
them with a fixture of the same name:

- ``paygate_clock``: a `FakeClock`, which stands still until a test moves it
- ``paygate_gateways``: the gateway accounts, one for each kind of payment and named after it:
  ``card``, ``e_check``, ``redirect``, ``voucher``, ``bitcoin``, ``qr`` and ``push``, each a
  `FakeGateway` on that clock
- ``paygate_token_keys``: the keys that encrypt stored methods; None for a cashier that
  stores no methods
- ``paygate_ledger``: the URL of the cashier's ledger: in memory, and discarded after the test
- ``paygate_cashier``: a `Cashier` over all of these, with an empty ledger
- ``paygate_client``: a client of `paygate.web.callbacks` for that cashier, which receives
  callbacks and returning payers (extra ``web``)
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, cast

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from paygate.cashier.sync import Cashier
    from paygate.testing.clock import FakeClock
    from paygate.testing.fake import FakeGateway

# The same text as in `paygate.testing.conformance.explain`, which is too large to import here.
NOT_APPLICABLE = "does not apply: "


@pytest.fixture
def paygate_clock() -> FakeClock:
    """Return a clock that stands still until the test moves it."""
    from paygate.testing.clock import FakeClock

    return FakeClock()


@pytest.fixture
def paygate_gateways(paygate_clock: FakeClock) -> dict[str, FakeGateway]:
    """Return a fake account for each kind of payment, by the kind's name, on the test's clock."""
    from paygate.testing.fake import FakeGateway
    from paygate.testing.processor.rails import RAILS

    return {kind.value: FakeGateway(kind, clock=paygate_clock) for kind in RAILS}


@pytest.fixture
def paygate_token_keys() -> list[str]:
    """Return a key for stored methods; it is always the same, and protects nothing."""
    from base64 import urlsafe_b64encode

    return [urlsafe_b64encode(b"this key of tests guards nothing").decode()]


@pytest.fixture
def paygate_ledger() -> str:
    """Return the URL of the ledger: in memory, and discarded after the test."""
    return "sqlite://"


@pytest.fixture
def paygate_cashier(
    paygate_ledger: str,
    paygate_gateways: dict[str, FakeGateway],
    paygate_clock: FakeClock,
    paygate_token_keys: list[str] | None,
) -> Iterator[Cashier]:
    """Yield a cashier with an empty ledger and the fake accounts; it can store methods."""
    from paygate.cashier.sync import Cashier

    with Cashier.open(
        paygate_ledger,
        gateways=paygate_gateways,
        clock=paygate_clock,
        token_keys=paygate_token_keys,
    ) as cashier:
        yield cashier


@pytest.fixture
def paygate_client(paygate_cashier: Cashier) -> Iterator[httpx.Client]:
    """
    Yield a client of the callbacks application of the cashier; needs the extra ``web``.

    It follows no redirects. The return page asks the gateway on each visit, since the test's
    clock stands still between two visits.
    """
    import httpx
    from anyio.from_thread import start_blocking_portal

    from paygate.testing.mounted import Mounted
    from paygate.web import callbacks

    app = callbacks(paygate_cashier, look_again_after_s=0)
    with (
        start_blocking_portal() as portal,
        httpx.Client(transport=Mounted(app, portal), base_url="https://shop.example") as client,
    ):
        yield client


def _reason(report: object) -> str:
    """Return why a conformance case does not apply; empty for everything else."""
    told: object = getattr(report, "longrepr", None)
    if not getattr(report, "skipped", False) or not isinstance(told, tuple):
        return ""
    text = str(cast("tuple[object, ...]", told)[-1]).removeprefix("Skipped: ")
    return text if text.startswith(NOT_APPLICABLE) else ""


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """Report a case that does not apply as such, and not as a skipped test."""
    return ("does not apply", "n", "DOES NOT APPLY") if _reason(report) else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List the cases that do not apply at the end of the run, each with the trait."""
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
