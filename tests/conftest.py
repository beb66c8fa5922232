"""What all tests share: how hard hypothesis looks, which store they run on, and the sheets.

The sheets hold schemas and samples of processors, which are not ours to publish. Without
them their tests are skipped, and the end of the run says where each file comes from. Where
``PAYGATE_PROTOCOLS`` names them, a test that cannot find its file fails.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, settings

from tests import skips
from tests.skips import pytest_make_collect_report, pytest_runtest_makereport

# How long an example takes says how busy the machine is, so no property fails by its time.
settings.register_profile(
    "dev", max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "ci", settings.get_profile("dev"), max_examples=100, derandomize=True, print_blob=True
)
settings.register_profile("long", settings.get_profile("dev"), max_examples=5_000)
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev")
)

ROOT = Path(__file__).parent.parent
ON_POSTGRES: Final = "--postgres"

LONGEST: Final = (
    "tests/service/test_properties.py",
    "tests/service/test_prepayment_properties.py",
    "tests/ledger/postgres/test_lost_commit.py",
    "tests/ledger/postgres/test_server_faults.py",
    "tests/ledger/postgres/test_copying.py",
    "tests/ledger/postgres/test_races.py",
    "tests/ordeal",
    "tests/cli/test_simulate.py",
    "tests/cli/test_work.py",
    "docs/how-to/run-on-postgresql.md",
    "tests/cli/test_unserved.py",
    "tests/cli/test_demo.py",
    "tests/service/test_publish_at_once.py",
    "tests/service/test_receive.py",
    "tests/ledger/test_interrupted.py",
    "tests/service/test_pairs.py",
    "tests/test_examples.py",
)
"""Files that take long; they begin first, so that no core waits for one of them at the end."""

__all__ = ["pytest_make_collect_report", "pytest_runtest_makereport"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def rank(item: pytest.Item) -> int:
        found = (at for at, name in enumerate(LONGEST) if item.nodeid.startswith(name))
        return next(found, len(LONGEST))

    items.sort(key=rank)


def pytest_addoption(parser: pytest.Parser) -> None:
    skips.pytest_addoption(parser)
    parser.addoption(
        ON_POSTGRES, action="store_true", help="keep the ledgers of tests on PostgreSQL"
    )


def pytest_configure(config: pytest.Config) -> None:
    from tests.support import catalogue, holding

    holding.check_everywhere()
    catalogue.check_everywhere()
    if config.getoption(ON_POSTGRES, default=False):
        config.pluginmanager.import_plugin("tests.on_postgres")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Any]:
    """A PostgreSQL server; `tests.support.postgres_server` has what can be done with it."""
    from tests.support.postgres_server import Server, binaries

    programs = binaries()
    if programs is None:
        pytest.skip("no PostgreSQL server here; PAYGATE_POSTGRES names the folder of its programs")
    server = Server(programs)
    yield server
    server.stop()


@pytest.fixture
def anyio_backend() -> str:
    """Async tests run on asyncio, which is what the async face is written for."""
    return "asyncio"


PUBLISHED: Final[Mapping[str, str]] = {
    "stripe/spec3-2023-08-16-reduced.json": (
        "https://github.com/stripe/openapi at 63a6746, openapi/spec3.json; the paths in use"
    ),
    "stripe/spec3-2023-08-16-prism.json": "the same, with expandable fields as plain ids",
    "stripe/form_tools.py": "checks a form against that file; ours, beside the sheets",
    "stripe/fixtures-2026-08.json": "https://github.com/stripe/openapi, openapi/fixtures3.json",
    "stripe/tables.json": "https://docs.stripe.com/declines/codes and /testing and /currencies",
    "stripe/webhook-vector.json": "made by the rule of https://docs.stripe.com/webhooks/signature",
    "authorizenet/AnetApiSchema.xsd": (
        "https://api.authorize.net/xml/v1/schema/AnetApiSchema.xsd, unchanged"
    ),
    "authorizenet/element-order.json": "the order of elements in that schema",
    "authorizenet/sample-responses.json": "https://github.com/stymiee/authnetjson, its tests",
    "authorizenet/response-codes.json": (
        "https://developer.authorize.net/api/reference/responseCodes.html"
    ),
    "paypal/webhook_vectors.json": "made with certificates of our own, beside the sheets",
    "paypal/checkout_orders_v2.json": (
        "https://github.com/paypal/paypal-rest-api-specifications at ec4d8f36, openapi/"
    ),
    "paypal/payments_payment_v2.json": "the same",
    "paypal/vault_payment_tokens_v3.json": "the same",
    "paypal/notifications_webhooks_v1.json": "the same",
    "paypal/issues.json": "the issues that those files name, by call and status",
    "paypal/prism_patch.py": "makes those files fit for Prism; ours, beside the sheets",
    "bank/checks.json": "made by the rules of ISO 11649 and ISO 13616, beside the sheets",
    "bank/xsd": "https://www.iso20022.org, its schemas of camt messages",
    "bank/vectors": "samples of banks and of ours, beside the sheets, each with its source",
    "payarena/vectors.json": (
        "https://github.com/up-eplatform/Merchant-Payment-Gateway, its samples; the rest likewise"
    ),
    "skrill/vectors.json": (
        "https://github.com/zhooravell/skrill-php-client, its tests; the rest made by that rule"
    ),
    "remita/vectors.json": (
        "https://github.com/RemitaNet/remita-rrr-generator-status-php, its hashes and samples"
    ),
    "remita/status_codes.json": "the codes that public integrations list",
    "authorizenet/webhook-vector.json": "https://github.com/stymiee/authnetjson, its tests",
}
"""Where the files of the sheets that tests read are published."""

_NO_SHEETS: Final = "no protocol sheets at"


@pytest.fixture(scope="session")
def protocols() -> Path:
    """The folder of protocol sheets and official schemas: test data, no part of the project."""
    named = os.environ.get("PAYGATE_PROTOCOLS")
    folder = Path(named or ROOT.parent / "shared" / "protocols")
    if not folder.is_dir():
        said = f"{_NO_SHEETS} {folder}; set PAYGATE_PROTOCOLS to their folder"
        # Whoever says where they are wants to know that nothing went unchecked.
        (pytest.fail if named else pytest.skip)(said)
    return folder


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say where what skipped tests need is published."""
    skipped = [
        report
        for report in terminalreporter.stats.get("skipped", [])
        if _NO_SHEETS in str(report.longrepr)
    ]
    if not skipped:
        return
    terminalreporter.section("not checked: protocol sheets")
    terminalreporter.line(f"{len(skipped)} tests need files of processors, in PAYGATE_PROTOCOLS:")
    for name, source in PUBLISHED.items():
        terminalreporter.line(f"  {name}: {source}")
