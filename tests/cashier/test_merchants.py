"""Many merchants in one process: whose accounts a verb uses, and what one of them can spoil."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, Protocol

import pytest

from paygate import (
    AccountsOf,
    AsyncCashier,
    Cashier,
    Merchants,
    Money,
    Network,
    Payment,
    PaymentStatus,
)
from paygate.dialogue import Dialogue, Request, Response
from paygate.domain.kind import Kind, Operation
from paygate.domain.movement import Movement
from paygate.domain.outcome import Approved, Outcome
from paygate.domain.secret import OneTimeToken
from paygate.errors import (
    AccountsUnavailable,
    GatewayNotFound,
    InvalidSettings,
    InvalidValue,
    LiveModeMismatch,
    NotAllowedHere,
    TenantNotFound,
    UsageError,
)
from paygate.gateway import Charge, InquiryBy, NotIdempotent, Rail, Traits
from paygate.testing import FakeClock, FakeGateway

USD = Money.of("USD", "30.00")
PATIENCE_S = 30.0


class Bank:
    """A processor that takes cards from who has the key of a merchant."""

    name = "bank"

    def __init__(self, key: str, *, live: bool = False) -> None:
        self.key = key
        self.traits = Traits(
            live=live,
            merchant_account=f"bank-{key}",
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

    def charge(self, charge: Charge) -> Dialogue[Outcome]:
        yield Request(
            method="POST",
            url="http://bank.invalid/pay",
            step="pay",
            headers={"x-merchant": self.key},
            moves_money=True,
        )
        return Approved(
            reference=charge.key,
            movements=(Movement(movement_id=charge.key, amount=charge.amount),),
        )


@dataclass
class Wire:
    """A host's transport for both faces: it answers everything, and keeps with which keys."""

    keys: list[str] = field(default_factory=list[str])
    closed: int = 0

    def answer(self, request: Request) -> Response:
        self.keys.append(request.headers["x-merchant"])
        return Response(status=200, headers={}, body=b"")

    def close(self) -> None:
        self.closed += 1


class AtOnceWire(Wire):
    def exchange(self, request: Request) -> Response:
        return self.answer(request)

    def abandon(self) -> None:
        """Nothing is inherited."""


class AwaitedWire(Wire):
    async def exchange(self, request: Request) -> Response:
        return self.answer(request)

    async def aclose(self) -> None:
        self.close()


@dataclass
class Host:
    """A host that serves many merchants, with one of the two faces."""

    cashier: Any
    wire: Wire

    async def call(self, tenant: str, verb: str, *args: Any, **more: Any) -> Any:
        face = self.cashier.for_tenant(tenant)
        return await told(lambda: getattr(face, verb)(*args, **more))

    async def pay(self, tenant: str, key: str = "click-1", via: str = "card") -> Payment:
        number = f"INV-{key}"
        await self.call(tenant, "issue", number=number, customer="C", total=USD, due="2026-12-01")
        payment = await self.call(tenant, "collect", number, via=via, method="tok_visa", key=key)
        assert isinstance(payment, Payment)
        return payment


class Opening(Protocol):
    def __call__(self, merchants: AccountsOf | Merchants, **more: Any) -> Host: ...


async def told(call: Callable[[], Any]) -> Any:
    """Return what *call* returns, or what its coroutine does."""
    result = call()
    return await result if inspect.isawaitable(result) else result


@pytest.fixture(params=["at once", "awaited"])
async def opening(request: pytest.FixtureRequest) -> AsyncIterator[Opening]:
    async with AsyncExitStack() as stack:
        awaited = request.param == "awaited"
        made: list[Any] = []

        def open_(merchants: Any, **more: Any) -> Host:
            wire = AwaitedWire() if awaited else AtOnceWire()
            face: Any = AsyncCashier if awaited else Cashier
            more = {"transport": wire} | more
            host = Host(face.in_memory(merchants=merchants, preload=False, **more), wire)
            made.append(host.cashier)
            return host

        yield open_
        for each in made:
            await stack.enter_async_context(each) if awaited else stack.enter_context(each)


def accounts(tenants: Mapping[str, str]) -> Callable[[str], dict[str, Bank] | None]:
    """Return the function of a host whose merchants have these keys, as they are now."""
    made: dict[str, Bank] = {}

    def accounts_of(tenant: str) -> dict[str, Bank] | None:
        key = tenants.get(tenant)
        return None if key is None else {"card": made.setdefault(key, Bank(key))}

    return accounts_of


# --- Whose accounts, and whose books ----------------------------------------------------------


async def test_each_merchant_is_paid_through_its_own_account(opening: Opening) -> None:
    host = opening(accounts({"north": "key-n", "south": "key-s"}))

    north = await host.pay("north")
    south = await host.pay("south")

    assert [north.status, south.status] == [PaymentStatus.SUCCEEDED] * 2
    assert host.wire.keys == ["key-n", "key-s"]
    assert [each.id for each in await host.call("north", "payments")] == [north.id]
    assert [each.id for each in await host.call("south", "payments")] == [south.id]


async def test_a_cashier_for_all_says_that_a_verb_needs_a_tenant(opening: Opening) -> None:
    host = opening(accounts({"north": "key-n"}))

    with pytest.raises(UsageError, match="for_tenant"):
        await told(host.cashier.payments)
    with pytest.raises(UsageError, match="for_tenant"):
        host.cashier.within(object())


async def test_a_cashier_for_all_that_was_opened_for_a_tenant_is_for_that_one_too(
    opening: Opening,
) -> None:
    host = opening(accounts({"north": "key-n", "south": "key-s"}), tenant="south")
    await host.pay("north")

    assert await told(host.cashier.payments) == []
    assert not host.cashier.serves_all


async def test_the_accounts_of_a_tenant_are_shown_by_name(opening: Opening) -> None:
    host = opening(accounts({"north": "key-n", "south": "key-s"}))

    shown = await host.call("south", "accounts")

    assert {name: each.traits.merchant_account for name, each in shown.items()} == {
        "card": "bank-key-s"
    }
    with pytest.raises(NotAllowedHere, match="accounts"):
        host.cashier.for_tenant("south").gateways  # noqa: B018


async def test_the_books_of_a_merchant_who_left_are_still_read(opening: Opening) -> None:
    keys = {"north": "key-n"}
    host = opening(accounts(keys))
    payment = await host.pay("north")
    del keys["north"]

    assert (await host.call("north", "payment", payment)).status is PaymentStatus.SUCCEEDED
    with pytest.raises(TenantNotFound) as caught:
        await host.pay("north", "click-2")
    assert caught.value.tenant == "north"


async def test_a_cashier_without_merchants_has_no_accounts_for_another_tenant() -> None:
    with Cashier.in_memory(gateways={"card": FakeGateway()}) as cashier:
        assert list(cashier.for_tenant("main").accounts()) == ["card"]
        assert cashier.for_tenant("other").accounts() == {}
        with pytest.raises(GatewayNotFound):
            cashier.for_tenant("other").check("card")


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "a/b",
        "a b",
        "m-17\n",
        "m\N{EN DASH}17",
        "\N{CYRILLIC SMALL LETTER ES}hop",
        "\N{FULLWIDTH LATIN SMALL LETTER M}-17",
        "m" * 65,
        "-m",
        None,
        17,
    ],
)
def test_a_name_that_could_pass_for_another_is_no_tenant(name: Any) -> None:
    with (
        Cashier.in_memory(merchants=accounts({"m-17": "key"})) as cashier,
        pytest.raises(InvalidValue, match="tenant") as caught,
    ):
        cashier.for_tenant(name)
    assert len(str(caught.value)) < 300


# --- New credentials ------------------------------------------------------------------------------


async def test_the_next_request_has_the_new_credentials(opening: Opening) -> None:
    keys = {"north": "old"}
    host = opening(accounts(keys))
    await host.pay("north", "1")

    keys["north"] = "new"
    await host.pay("north", "2")

    assert host.wire.keys == ["old", "new"]


async def test_settings_that_the_host_changes_in_place_are_noticed(opening: Opening) -> None:
    given: dict[str, Any] = {"card": {"driver": "fake", "merchant_account": "old"}}
    host = opening(lambda _: given)
    before = await host.call("north", "accounts")

    given["card"]["merchant_account"] = "new"
    after = await host.call("north", "accounts")

    assert before["card"].traits.merchant_account == "old"
    assert after["card"].traits.merchant_account == "new"


async def test_an_account_whose_settings_are_the_same_is_made_once(opening: Opening) -> None:
    host = opening(lambda _: {"card": {"driver": "fake"}})

    first = await host.call("north", "accounts")
    second = await host.call("north", "accounts")

    assert first["card"] is second["card"]


async def test_an_answer_may_be_used_for_a_while(opening: Opening) -> None:
    asked: list[str] = []
    clock = FakeClock()

    def accounts_of(tenant: str) -> dict[str, Bank]:
        asked.append(tenant)
        return {"card": Bank("key")}

    host = opening(Merchants(accounts_of, fresh_for=timedelta(minutes=1)), clock=clock)
    await host.pay("north", "1")
    clock.advance(timedelta(seconds=59))
    await host.pay("north", "2")
    assert asked == ["north"]

    clock.advance(timedelta(seconds=1))
    await host.pay("north", "3")
    assert asked == ["north", "north"]


# --- A function that fails ----------------------------------------------------------------------


async def test_a_function_that_raises_stops_one_tenant_and_stores_nothing(opening: Opening) -> None:
    def accounts_of(tenant: str) -> dict[str, Bank]:
        return {"card": Bank({"south": "key-s"}[tenant])}

    host = opening(accounts_of)

    with pytest.raises(AccountsUnavailable, match="KeyError") as caught:
        await host.pay("north")

    assert caught.value.tenant == "north"
    assert "return None" in str(caught.value)
    assert await host.call("north", "payments") == []
    assert (await host.pay("south")).status is PaymentStatus.SUCCEEDED


SECRET = "sk_live_of_the_merchant"


async def test_what_a_function_raises_is_not_repeated(opening: Opening) -> None:
    def accounts_of(_: str) -> None:
        raise ValueError(f"no access to the vault with {SECRET}")

    host = opening(accounts_of)

    with pytest.raises(AccountsUnavailable) as caught:
        await host.pay("north")

    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    "answer",
    [[], 17, "card", {"driver": "fake"}, {17: FakeGateway()}, {"": FakeGateway()}, {"a\nb": {}}],
    ids=["list", "number", "text", "one account", "named 17", "without a name", "two lines"],
)
async def test_a_function_that_returns_something_else_says_so(
    opening: Opening, answer: Any
) -> None:
    host = opening(lambda _: answer)

    with pytest.raises(AccountsUnavailable, match="returned something else"):
        await host.pay("north")


async def test_a_function_that_hangs_stops_one_tenant(opening: Opening) -> None:
    hangs = threading.Event()
    started: list[str] = []

    def accounts_of(tenant: str) -> dict[str, Bank]:
        started.append(tenant)
        if tenant == "north":
            hangs.wait(PATIENCE_S)
        return {"card": Bank(tenant)}

    host = opening(Merchants(accounts_of, timeout_s=0.05))
    try:
        for key in ("1", "2", "3"):
            with pytest.raises(AccountsUnavailable, match="longer than"):
                await host.pay("north", key)
        assert (await host.pay("south")).status is PaymentStatus.SUCCEEDED
        # Whoever comes later does not start another thread that hangs.
        assert started == ["north", "south"]
    finally:
        hangs.set()
    until(lambda: not host.cashier._roster.is_late("north"))

    assert (await host.pay("north", "4")).status is PaymentStatus.SUCCEEDED


async def test_a_coroutine_that_hangs_stops_one_tenant() -> None:
    async def accounts_of(tenant: str) -> dict[str, Bank]:
        if tenant == "north":
            await asyncio.Event().wait()
        return {"card": Bank(tenant)}

    merchants = Merchants(accounts_of, timeout_s=0.05)
    async with AsyncCashier.in_memory(merchants=merchants, transport=AwaitedWire()) as cashier:
        host = Host(cashier, Wire())
        with pytest.raises(AccountsUnavailable, match="longer than"):
            await host.pay("north")
        assert (await host.pay("south")).status is PaymentStatus.SUCCEEDED


async def test_a_coroutine_function_is_awaited_whatever_wraps_it() -> None:
    async def accounts_of(prefix: str, tenant: str) -> dict[str, Bank]:
        await asyncio.sleep(0)
        return {"card": Bank(prefix + tenant)}

    class Asking:
        async def __call__(self, tenant: str, /) -> dict[str, Bank]:
            return await accounts_of("key-", tenant)

    for merchants in (partial(accounts_of, "key-"), Asking()):
        wire = AwaitedWire()
        async with AsyncCashier.in_memory(merchants=merchants, transport=wire) as cashier:
            assert (await Host(cashier, wire).pay("north")).status is PaymentStatus.SUCCEEDED
        assert wire.keys == ["key-north"]


def test_without_a_time_limit_the_function_runs_in_the_calling_thread() -> None:
    threads: list[threading.Thread] = []

    def accounts_of(_: str) -> dict[str, FakeGateway]:
        threads.append(threading.current_thread())
        return {"card": FakeGateway()}

    with Cashier.in_memory(merchants=Merchants(accounts_of, timeout_s=None)) as cashier:
        cashier.for_tenant("north").accounts()

    assert threads == [threading.current_thread()]


# --- An account that cannot be used ---------------------------------------------------------


async def test_an_account_with_wrong_settings_leaves_the_others_alone(
    opening: Opening, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = {"driver": "stripe", "secret_key": SECRET, "publishable_key": 17}
    given: dict[str, Any] = {"card": Bank("north"), "other": wrong}
    host = opening(lambda _: given)

    assert (await host.pay("north")).status is PaymentStatus.SUCCEEDED
    with pytest.raises(InvalidSettings, match="stripe"):
        await host.call("north", "check", "other")

    assert list(await host.call("north", "accounts")) == ["card"]
    [line] = [each for each in caplog.records if each.__dict__["event"] == "account.unusable"]
    assert (line.__dict__["tenant"], line.__dict__["account"]) == ("north", "other")
    assert SECRET not in caplog.text


async def test_settings_of_a_merchant_never_read_the_environment(opening: Opening) -> None:
    host = opening(lambda _: {"card": {"driver": "stripe", "secret_key": {"env": "HOME"}}})

    with pytest.raises(InvalidSettings, match="environment"):
        await host.call("north", "check", "card")


async def test_a_live_account_does_not_come_into_a_ledger_for_tests(opening: Opening) -> None:
    def accounts_of(tenant: str) -> dict[str, Bank]:
        return {"card": Bank(tenant, live=tenant == "live"), "test": Bank(f"{tenant}-test")}

    host = opening(Merchants(accounts_of, live=False))

    with pytest.raises(LiveModeMismatch):
        await host.pay("live")
    assert (await host.pay("live", via="test")).status is PaymentStatus.SUCCEEDED
    assert (await host.pay("north")).status is PaymentStatus.SUCCEEDED


async def test_a_transport_of_one_tenant_is_refused_and_a_network_is_not(opening: Opening) -> None:
    def accounts_of(tenant: str) -> dict[str, Any]:
        own = AtOnceWire() if tenant == "north" else Network(timeout_s=5)
        return {"card": {"driver": "fake", "transport": own}}

    host = opening(accounts_of)

    with pytest.raises(InvalidSettings, match="Network"):
        await host.pay("north")
    assert (await host.pay("south")).status is PaymentStatus.SUCCEEDED


async def test_a_network_whose_time_limit_outlasts_the_lease_is_refused(opening: Opening) -> None:
    host = opening(lambda _: {"card": {"gateway": Bank("k"), "transport": Network(timeout_s=90)}})

    with pytest.raises(InvalidValue, match="lease"):
        await host.pay("north")


# --- Two tenants with one account -----------------------------------------------------------------


async def test_one_driver_object_for_two_tenants_keeps_their_books_apart(opening: Opening) -> None:
    shared = FakeGateway()
    host = opening(lambda _: {"card": shared})

    north, south = await host.pay("north"), await host.pay("south")

    assert [north.status, south.status] == [PaymentStatus.SUCCEEDED] * 2
    assert north.reference != south.reference
    assert [each.id for each in await host.call("south", "payments")] == [south.id]


# --- Arguments -----------------------------------------------------------------------------------


async def accounts_awaited(_: str) -> dict[str, FakeGateway]:
    return {"card": FakeGateway()}


@pytest.mark.parametrize(
    "more",
    [
        {"merchants": 17},
        {"merchants": {"north": {}}},
        {"merchants": accounts_awaited},
        {"merchants": accounts({}), "gateways": {"card": FakeGateway()}},
        {"merchants": accounts({}), "environment": {"HOME": "/"}},
    ],
    ids=["a number", "a mapping", "a coroutine function", "with gateways", "with environment"],
)
def test_merchants_that_do_not_fit_are_refused(more: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue) as caught:
        Cashier.in_memory(**more)

    assert caught.value.argument == "merchants"


@pytest.mark.parametrize(
    ("argument", "value"),
    [("cached", 0), ("timeout_s", "5"), ("fresh_for", 5), ("live", "yes"), ("merchants", 17)],
)
def test_how_merchants_are_looked_up_is_checked(argument: str, value: Any) -> None:
    given: dict[str, Any] = {"accounts_of": accounts({})}
    given |= {argument.replace("merchants", "accounts_of"): value}

    with pytest.raises(InvalidValue) as caught:
        Merchants(**given)

    assert caught.value.argument == argument


@pytest.mark.parametrize("face", [Cashier, AsyncCashier])
@pytest.mark.parametrize("given", [Merchants.stored, Merchants.of, Merchants])
def test_a_method_of_merchants_that_was_not_called_is_refused_when_it_is_opened(
    face: type[Cashier | AsyncCashier], given: Any
) -> None:
    with pytest.raises(InvalidValue) as caught:
        face.in_memory(merchants=given)

    assert "Merchants.stored()" in caught.value.message
    assert caught.value.argument == "merchants"


def until(true: Callable[[], bool]) -> None:
    """Wait until *true* returns True."""
    deadline = threading.Event()
    for _ in range(int(PATIENCE_S * 100)):
        if true():
            return
        deadline.wait(0.01)
    raise AssertionError("it did not become true")
