"""What the log says of payments: each line once, when it is true, with what it is about."""

# pyright: reportArgumentType=false, reportPrivateUsage=false
# pyright: reportIncompatibleMethodOverride=false

import asyncio
import logging
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from paygate import AsyncCashier, Cashier, Money, logs
from paygate.dialogue import Dialogue, Request, Response
from paygate.domain.event import EVENT_TYPES
from paygate.domain.kind import Kind, Operation
from paygate.domain.movement import Movement
from paygate.domain.outcome import Approved, Outcome
from paygate.domain.secret import OneTimeToken
from paygate.errors import GatewayError, NoResponse, StoreFull
from paygate.gateway import Charge, InquiryBy, NotIdempotent, Rail, Traits
from paygate.ledger.sqlite import SqliteStore
from paygate.service.flow import Step
from paygate.testing import FakeClock, FakeGateway
from paygate.testing.simulation.faults import PlannedFault
from paygate.testing.simulation.ledger import WatchedConnection
from tests.stores import sqlite_of

KEY = "sk_test_of_the_account"
CARD = "4242424242424242"


class Named:
    """A processor that calls each request something, and may not answer."""

    name = "named"
    traits = Traits(
        live=False,
        merchant_account="named-1",
        driver_version="1",
        rails={
            Kind.CARD: Rail(
                operations=frozenset({Operation.CHARGE}), methods=frozenset({OneTimeToken})
            )
        },
        idempotency=NotIdempotent(),
        inquiry=InquiryBy.NONE,
        not_found_is_final_after=None,
    )
    called = "req_8Kq"
    fault: GatewayError | None = None

    def charge(self, charge: Charge) -> Dialogue[Outcome]:
        response = yield Request(
            method="POST",
            url="http://127.0.0.1:1/charges",
            step="charge",
            moves_money=True,
            headers={"Authorization": f"Bearer {KEY}"},
            body=f"number={CARD}".encode(),
        )
        assert isinstance(response, Response)
        moved = Movement(movement_id=charge.our_ref, amount=charge.amount)
        return Approved(reference=charge.our_ref, movements=(moved,))


class Wire:
    """Takes the place of the network of an account."""

    def __init__(self, gateway: Named) -> None:
        self.gateway = gateway

    def exchange(self, _: Request, **__: object) -> Response:
        if self.gateway.fault is not None:
            raise self.gateway.fault
        return Response(status=200, headers={"request-id": self.gateway.called})


class Shop(Cashier):
    def _do(self, step: Step) -> Any:
        self.steps = [*getattr(self, "steps", []), step]
        return super()._do(step)

    def _courier(self, account: str) -> Any:
        return Wire(self._accounts[account].gateway)  # type: ignore[arg-type]  # a Named


@pytest.fixture
def card() -> Named:
    return Named()


@pytest.fixture
def shop(card: Named) -> Iterator[Shop]:
    with Shop.in_memory(gateways={"card": card}, clock=FakeClock(), tenant="north") as shop:
        bill(shop)
        yield shop


def bill(cashier: Any, number: str = "INV-1") -> Any:
    total = Money.of("USD", "84.00")
    return cashier.issue(number=number, customer="K-1", total=total, due="2031-03-01")


def named(caplog: pytest.LogCaptureFixture, name: str) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.__dict__.get("event") == name]


def test_every_level_is_that_of_an_event() -> None:
    assert set(logs.LEVELS) - set(EVENT_TYPES) == set()
    assert set(logs.LINES) & set(EVENT_TYPES) == set()


def test_an_unknown_outcome_is_a_warning_with_all_that_it_is_about(
    shop: Shop, card: Named, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    card.fault = NoResponse("no whole answer came")

    payment = shop.collect("INV-1", via="card", method="tok_visa", key="a")

    [attempt] = shop.attempts(payment)
    [line] = named(caplog, "payment.unknown")
    fields = {name: line.__dict__[name] for name in logs.FIELDS}
    assert line.levelno == logging.WARNING
    assert fields == {
        "tenant": "north",
        "account": "card",
        "payment": payment.id,
        "attempt": attempt.id,
        "operation": "charge",
        "request_id": "",
    }
    assert all(text in line.getMessage() for text in fields.values())
    assert "84.00 USD" in line.getMessage()
    assert "no whole answer came" in line.getMessage()


def test_the_processors_name_of_the_request_is_kept_and_logged(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    payment = shop.collect("INV-1", via="card", method="tok_visa", key="a")

    [attempt] = shop.attempts(payment)
    [line] = named(caplog, "payment.succeeded")
    assert attempt.request_id == "req_8Kq"
    assert line.__dict__["request_id"] == "req_8Kq"
    assert "request_id=req_8Kq" in line.getMessage()


@pytest.mark.parametrize("called", [KEY, f"for {CARD}", f"{KEY[:-2]}!", "4111 1111 1111 1111"])
def test_a_name_of_a_request_that_repeats_a_secret_is_not_kept(
    called: str, shop: Shop, card: Named, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    card.called = called

    payment = shop.collect("INV-1", via="card", method="tok_visa", key="a")

    [attempt] = shop.attempts(payment)
    assert payment.received == Money.of("USD", "84.00")
    told = attempt.request_id + caplog.text
    told += "".join(str(vars(record)) for record in caplog.records)
    assert [text for text in (KEY, KEY[:-2], CARD, "4111") if text in told] == []


def test_a_line_is_written_once_and_only_when_it_is_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(SqliteStore, "connection_class", WatchedConnection)
    with Cashier.open(f"sqlite:///{tmp_path / 'ledger.db'}", clock=FakeClock()) as cashier:
        connection = sqlite_of(cashier)._writer()
        assert isinstance(connection, WatchedConnection)
        connection.arm(PlannedFault.DISK_FULL, 0)

        with pytest.raises(StoreFull):
            bill(cashier)
        before = named(caplog, "invoice.generated")
        bill(cashier)
        bill(cashier)

    assert before == []
    assert len(named(caplog, "invoice.generated")) == 1


def test_a_lost_commit_has_a_line_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(SqliteStore, "connection_class", WatchedConnection)
    with Cashier.open(f"sqlite:///{tmp_path / 'ledger.db'}", clock=FakeClock()) as cashier:
        connection = sqlite_of(cashier)._writer()
        assert isinstance(connection, WatchedConnection)
        connection.arm(PlannedFault.COMMIT_LIES, 0)

        bill(cashier)

    [line] = named(caplog, "ledger.commit_unknown")
    assert line.levelno == logging.WARNING


def test_units_of_work_that_share_a_commit_each_have_their_lines(
    card: Named, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    async def story() -> None:
        async with AsyncCashier.in_memory(clock=FakeClock()) as cashier:
            bad = cashier.record("INV-none", by="cash", key="k")
            good = [bill(cashier, f"INV-{number}") for number in range(5)]
            results = await asyncio.gather(bad, *good, return_exceptions=True)
            assert isinstance(results[0], Exception)

    asyncio.run(story())

    assert len(named(caplog, "invoice.generated")) == 5


def test_nothing_is_logged_inside_a_transaction_of_the_host(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    path = tmp_path / "ledger.db"
    with Cashier.open(f"sqlite:///{path}", clock=FakeClock()) as cashier:
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        bill(cashier.within(connection))
        connection.execute("ROLLBACK")
        connection.close()

    assert named(caplog, "invoice.generated") == []


class Broken(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        raise OSError(f"the log server is gone: {record.getMessage()}")


def test_a_log_handler_that_fails_changes_no_payment(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = Broken(logging.DEBUG)
    logger = logging.getLogger("paygate")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        payment = shop.collect("INV-1", via="card", method="tok_visa", key="a")
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)

    assert (payment.status, payment.needs_review) == ("succeeded", False)
    assert shop.fsck() == []
    assert "paygate: a log handler failed with OSError" in capsys.readouterr().err


class Buggy(Named):
    def charge(self, _: Charge) -> Dialogue[Outcome]:
        raise KeyError(KEY)


def test_a_fault_of_a_driver_is_an_error_that_names_the_payment(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = FakeClock()
    with Cashier.in_memory(gateways={"card": Buggy()}, clock=clock) as cashier:
        bill(cashier)
        payment = cashier.collect("INV-1", via="card", method="tok_visa", key="a")

    [line] = named(caplog, "driver.fault")
    assert line.levelno == logging.ERROR
    assert (line.__dict__["payment"], line.__dict__["tenant"]) == (payment.id, "main")
    assert KEY not in caplog.text


def test_wrong_credentials_are_an_error(caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    with Cashier.in_memory(gateways={"card": FakeGateway(clock=clock)}, clock=clock) as cashier:
        bill(cashier)
        cashier.collect("INV-1", via="card", method="tok_rejected_credentials", key="a")

    [line] = named(caplog, "payment.failed")
    assert line.levelno == logging.ERROR


@pytest.mark.parametrize(
    ("method", "name", "level"),
    [
        ("tok_declined", "payment.declined", logging.INFO),
        ("tok_visa", "payment.succeeded", logging.INFO),
        ("tok_other_amount", "payment.conflicted", logging.WARNING),
        ("tok_unknown_executed", "payment.unknown", logging.WARNING),
    ],
)
def test_each_outcome_has_its_level(
    method: str, name: str, level: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    clock = FakeClock()
    with Cashier.in_memory(gateways={"card": FakeGateway(clock=clock)}, clock=clock) as cashier:
        bill(cashier)
        cashier.collect("INV-1", via="card", method=method, key="a")

    [line] = named(caplog, name)
    assert line.levelno == level


def test_what_was_not_answered_names_its_payment(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody listens where the request goes, so the transport itself tells it."""
    caplog.set_level(logging.INFO)
    gateway = Named()

    async def story() -> str:
        cashier = AsyncCashier.in_memory(gateways={"card": gateway}, clock=FakeClock())
        async with cashier:
            await bill(cashier)
            return (await cashier.collect("INV-1", via="card", method="tok_visa", key="a")).id

    payment = asyncio.run(story())
    with Cashier.in_memory(gateways={"card": gateway}, clock=FakeClock()) as cashier:
        bill(cashier)
        other = cashier.collect("INV-1", via="card", method="tok_visa", key="a").id

    lines = named(caplog, "exchange.failed")
    assert {line.__dict__["payment"] for line in lines} == {payment, other}
    assert {line.__dict__["tenant"] for line in lines} == {"main"}
    assert all("attempt=att_" in line.getMessage() for line in lines)


ON_CALL = (Path(__file__).parents[1] / "docs" / "how-to" / "on-call.md").read_text("utf-8")


@pytest.mark.parametrize(
    "name",
    [
        *(name for name, level in logs.LEVELS.items() if level >= logging.WARNING),
        *(name for name, kind in logs.LINES.items() if kind.level >= logging.WARNING),
    ],
)
def test_what_to_do_about_each_warning_is_documented(name: str) -> None:
    assert f"`{name}`" in ON_CALL


def test_what_to_do_about_each_concern_is_documented() -> None:
    source = (Path(logs.__file__).parent / "service" / "status.py").read_text("utf-8")
    names = re.findall(r'name="([a-z-]+)"', source)

    assert len(set(names)) == 14
    assert [name for name in names if f"| `{name}` |" not in ON_CALL] == []
