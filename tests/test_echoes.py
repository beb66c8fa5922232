"""No error repeats more than 80 characters of a value, wherever that came from."""

import pickle
from collections.abc import Callable

import pytest

from paygate import Cashier, Customer, Money, registry
from paygate.errors import InvalidValue, PaygateError, Refused, StoreError, UsageError
from paygate.testing import FakeGateway

LONG = "x" * 200


def usd(amount: str) -> Money:
    return Money.of("USD", amount)


def known(cashier: Cashier) -> None:
    cashier.issue(number="N", customer=LONG, total=usd("5"), due="2026-02-01")


CALLS: dict[str, Callable[[Cashier], object]] = {
    "an unknown invoice": lambda cashier: cashier.invoice(LONG),
    "a currency": lambda _: Money.of(LONG, 1),
    "an amount": lambda _: Money.of("USD", LONG),
    "a kind": lambda cashier: cashier.record("N", by=LONG, key="k"),  # type: ignore[arg-type]
    "a customer": lambda cashier: cashier.collect(
        "N", customer="C-2", via="card", method="tok_visa", key="k"
    ),
    "credit that is not there": lambda cashier: cashier.pay_from_credit("N", key="k"),
    "an account": lambda cashier: cashier.collect("N", via=LONG, key="k"),
    "a driver": lambda _: registry.build({"driver": LONG}),
    "a plan of the fake": lambda _: FakeGateway().script(LONG),
    "an order of the fake": lambda _: FakeGateway().pay(LONG),
    "a verb of the fake": lambda _: FakeGateway().processor.play(LONG),
    "when an account credits": lambda _: Cashier.in_memory(
        gateways={"card": {"gateway": FakeGateway(), "credit_on": LONG}}
    ),
    "a kind that an account has not": lambda _: Cashier.in_memory(
        gateways={"card": {"gateway": FakeGateway(), "credit_on": {LONG: "settled"}}}
    ),
    "a zone": lambda cashier: cashier.save_customer(Customer("C-1", zone=LONG)),
}


@pytest.mark.parametrize("name", CALLS)
def test_an_error_repeats_no_more_than_80_characters(name: str) -> None:
    with Cashier.in_memory(gateways={"card": FakeGateway()}) as cashier:
        known(cashier)
        with pytest.raises(PaygateError) as raised:
            CALLS[name](cashier)

    message = raised.value.message
    assert "x" * 81 not in message
    assert len(message) < 700


def test_the_reason_of_a_payment_names_no_list_of_all_tokens() -> None:
    with Cashier.in_memory(gateways={"card": FakeGateway()}) as cashier:
        cashier.issue(number="N", customer="C-1", total=usd("5"), due="2026-02-01")

        payment = cashier.collect("N", via="card", method=f"tok_{LONG}", key="k")

    assert "x" * 81 not in payment.reason
    assert len(payment.reason) < 300
    assert "reference/fake" in payment.reason


@pytest.mark.parametrize("kind", [UsageError, Refused, InvalidValue])
def test_a_value_is_cut_in_the_error_itself(kind: type[PaygateError]) -> None:
    error = kind(f"invoice {LONG} is void", item=LONG)

    assert error.message == f"invoice {'x' * 80}… is void"
    assert error.facts["item"] == LONG
    assert pickle.loads(pickle.dumps(error)).message == error.message  # noqa: S301  (our own)


def test_a_path_is_said_in_full() -> None:
    path = "/folder" * 30 + "/refund.txt"

    assert UsageError(f"{path}: there is no such transcript").message.startswith(path)


def test_where_the_ledger_is_is_said_in_full() -> None:
    assert StoreError(f"/{LONG}/ledger.db is locked").message == f"/{LONG}/ledger.db is locked"
