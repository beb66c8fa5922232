"""What an error tracker sees that writes down the locals of every frame: no key, token or card."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from types import FrameType
from typing import Any, cast

import pytest
from pydantic import field_validator

from paygate import (
    AsyncCashier,
    Cashier,
    Kind,
    Money,
    OneTimeToken,
    RawBankAccount,
    RawCard,
    Secret,
    registry,
)
from paygate.drivers.authorize_net import AuthorizeNet, AuthorizeNetSettings
from paygate.drivers.stripe import Stripe, StripeSettings
from paygate.errors import InvalidSettings
from paygate.gateway import Gateway
from paygate.settings import Settings
from paygate.testing import FakeClock, FakeGateway

SECRET = "sk_test_51Nq8EdoNotShowThisKey"
PAN = "4000000000000002"
ROUTING = "110000000"
ACCOUNT = "000123456789"


def shown(error: BaseException) -> str:
    """Return all that a tracker writes down: the frames of *error*, and of those before it."""
    said: list[str] = []
    while True:
        trace = error.__traceback__
        while trace is not None:
            if _is_ours(trace.tb_frame):
                said += [
                    f"{trace.tb_frame.f_code.co_qualname}.{name} = {_written(value)}"
                    for name, value in trace.tb_frame.f_locals.items()
                ]
            trace = trace.tb_next
        said.append(repr(error))
        before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if before is None:
            return "\n".join(said)
        error = before


def _is_ours(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).startswith("paygate")


def _written(value: Any, depth: int = 4) -> str:
    """Write a value as a tracker does: into containers and fields, and `repr` of all else."""
    if depth and isinstance(value, Mapping):
        return " ".join(f"{key!r}: {_written(each, depth - 1)}" for key, each in value.items())
    if depth and isinstance(value, list | tuple | set | frozenset):
        return " ".join(_written(each, depth - 1) for each in value)
    if (
        depth
        and is_dataclass(value)
        and not isinstance(value, type)
        and "request" not in str(value)
    ):
        return " ".join(
            _written(getattr(value, field.name, ""), depth - 1)
            for field in fields(value)
            if field.repr
        )
    return repr(value)


def raised_by(call: Callable[[], Any]) -> str:
    try:
        call()
    except Exception as error:  # noqa: BLE001  (whatever it is, a tracker would see it)
        return shown(error)
    raise AssertionError("nothing was raised")


class _Bad(Settings):
    key: Secret[str]

    @field_validator("key")
    @classmethod
    def _breaks(cls, key: Secret[str]) -> Secret[str]:
        plain = key.reveal()
        raise KeyError(plain)


class _BadDriver:
    settings_model = _Bad

    def __init__(self, settings: _Bad) -> None:
        self.settings = settings


def _opened(face: type[Cashier | AsyncCashier], **settings: Any) -> Callable[[], object]:
    return lambda: face.open("sqlite://", gateways={"shop": settings})


KEYED = {"driver": "stripe", "secret_key": SECRET}
# Each of them is refused, by another part of paygate.
SETTINGS: dict[str, Callable[[], object]] = {
    "a field that is wrong": _opened(Cashier, **KEYED, colour=3),
    "asynchronously": _opened(AsyncCashier, **KEYED, colour=3),
    "in memory": lambda: Cashier.in_memory(gateways={"shop": {**KEYED, "colour": 3}}),
    "the key in the wrong field": _opened(Cashier, **KEYED, publishable_key=SECRET),
    "a driver that is not there": _opened(Cashier, driver="strype", secret_key=SECRET),
    "no driver": _opened(Cashier, secret_key=SECRET),
    "an object and settings": _opened(Cashier, gateway=FakeGateway(), key=SECRET),
    "when it credits": _opened(Cashier, **KEYED, credit_on="soon"),
    "a variable": _opened(Cashier, **KEYED, account={"env": "ACCOUNT"}),
    "what the environment lacks": lambda: Cashier.in_memory(
        gateways={"shop": {"driver": "stripe", "secret_key": {"env": "NONE"}}},
        environment={"OTHER": SECRET},
    ),
    "a file that is no ledger": lambda: Cashier.open(
        "sqlite:////nowhere/at/all.db", gateways={"shop": KEYED}
    ),
    "an argument that is not there": lambda: Cashier.in_memory(
        gateways={"shop": KEYED},
        colour="red",  # type: ignore[call-arg]  # that is what is wrong
    ),
    "a token key": lambda: Cashier.in_memory(token_keys=[SECRET]),
    "a token key of bytes": lambda: Cashier.in_memory(token_keys=[SECRET.encode()]),
    "a key instead of settings": lambda: Cashier.in_memory(
        gateways={"shop": SECRET}  # type: ignore[dict-item]
    ),
    "the password of a ledger": lambda: Cashier.open(f"postgresql://till:{SECRET}@db.example/shop"),
    "the password of a file": lambda: Cashier.open(f"sqlite://till:{SECRET}@db.example/shop"),
    "no scheme": lambda: AsyncCashier.open(f"till:{SECRET}@db.example/shop"),
    "a driver's own bug": lambda: registry.make(
        cast("registry.Driver", _BadDriver), "bad", {"key": SECRET}
    ),
}


@pytest.mark.parametrize("case", SETTINGS)
def test_frames_hold_no_settings(case: str) -> None:
    assert SECRET not in raised_by(SETTINGS[case])


def _till() -> Cashier:
    gateways: dict[str, Gateway] = {
        "fake": FakeGateway(clock=FakeClock()),
        "stripe": Stripe(StripeSettings(secret_key=Secret("sk_test_1"))),
        "anet": AuthorizeNet(
            AuthorizeNetSettings(
                login="shop", transaction_key=Secret("k" * 16), accept_raw_cards=True
            )
        ),
    }
    return Cashier.in_memory(gateways=gateways, clock=FakeClock())


def _usd(amount: str) -> Money:
    return Money.of("USD", amount)


def _issue(till: Cashier) -> None:
    till.issue(number="N-1", customer="C-1", total=_usd("9.00"), due="2031-01-01")
    till.issue(number="N-2", customer="C-1", total=Money.of("KWD", "9.001"), due="2031-01-01")


METHODS: dict[str, Any] = {
    "plain text": SECRET,
    "a secret": Secret(SECRET),
    "a token": OneTimeToken.of(SECRET),
    "a card": RawCard(PAN, 12, 2030, "7391"),
    "a bank account": RawBankAccount(ROUTING, ACCOUNT),
}
# Calls that are refused, at different depths.
CALLS: dict[str, Callable[[Cashier, Any], object]] = {
    "no invoice": lambda c, m: c.collect("N-9", via="fake", key="k", method=m),
    "no account": lambda c, m: c.collect("N-1", via="nowhere", key="k", method=m),
    "no such argument": lambda c, m: c.collect("N-1", via="fake", key="k", method=m, colour=3),  # type: ignore[call-arg]
    "an amount that is none": lambda c, m: c.collect(
        "N-1",
        via="fake",
        key="k",
        method=m,
        amount=3,  # type: ignore[arg-type]
    ),
    "a currency that the account does not take": lambda c, m: c.collect(
        "N-2", via="anet", key="k", method=m, kind=Kind.CARD
    ),
    "a currency of three digits": lambda c, m: c.collect(
        "N-2", via="stripe", key="k", method=m, kind=Kind.CARD
    ),
    "a mandate for nothing": lambda c, m: c.authorize(
        "N-1",
        via="fake",
        key="k",
        method=m,
        mandate=object(),  # type: ignore[arg-type]
    ),
    "without the payer": lambda c, m: c.top_up(
        "C-1", _usd("3.00"), via="fake", key="k", method=m, payer_present=False
    ),
    "to be stored without keys": lambda c, m: c.enroll("C-1", via="fake", key="k", method=m),
    "twice": lambda c, m: c.enroll("C-1", via="fake", key="k", method=m, from_payment="pay_1"),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("call", CALLS)
def test_frames_hold_no_token_and_no_card(call: str, method: str) -> None:
    with _till() as till:
        _issue(till)
        said = raised_by(lambda: CALLS[call](till, METHODS[method]))

    assert not any(plain in said for plain in (SECRET, PAN, ROUTING, ACCOUNT))
    assert not re.search(r"(?<![0-9a-f])7391(?![0-9a-f])", said)  # ids have such digits, too


def test_frames_of_the_async_face_hold_no_token() -> None:
    async def collect() -> None:
        async with AsyncCashier.in_memory(gateways={"fake": FakeGateway()}) as till:
            await till.collect("N-9", via="fake", key="k", method=SECRET)

    assert SECRET not in raised_by(lambda: asyncio.run(collect()))


CARDS: dict[str, Callable[[], object]] = {
    "a wrong digit": lambda: RawCard("4000000000000003", 12, 2030),
    "an impossible month": lambda: RawCard(PAN, 13, 2030, "7391"),
    "a code that is none": lambda: RawCard(PAN, 12, 2030, "code 7391"),
    "a number that is a number": lambda: RawCard(int(PAN), 12, 2030),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("case", CARDS)
def test_frames_hold_no_card_that_is_refused(case: str) -> None:
    said = raised_by(CARDS[case])

    assert not any(plain in said for plain in (PAN, "4000000000000003", "7391"))


def test_plain_text_of_a_card_or_account_is_kept_as_a_secret() -> None:
    card, account = RawCard(PAN, 12, 2030, "7391"), RawBankAccount(ROUTING, ACCOUNT)

    assert card.number.reveal() == PAN
    assert card.security_code == Secret("7391")
    assert account.account_number == Secret(ACCOUNT)
    assert OneTimeToken(SECRET).value == Secret(SECRET)  # type: ignore[arg-type]
    assert not any(plain in f"{card}{account}" for plain in (PAN, "7391", ROUTING, ACCOUNT))


def test_frames_hold_nothing_that_a_payer_brought_back() -> None:
    back = {"PaRes": SECRET}

    async def complete() -> None:
        async with AsyncCashier.in_memory() as till:
            await till.complete("pay_9", parameters=back)

    with Cashier.in_memory() as till:
        assert SECRET not in raised_by(lambda: till.complete("pay_9", parameters=back))
    assert SECRET not in raised_by(lambda: asyncio.run(complete()))


def test_what_is_no_account_is_refused_with_its_name() -> None:
    for wrong in (SECRET, None, [SECRET]):
        with pytest.raises(InvalidSettings, match="'shop' needs a driver object"):
            Cashier.in_memory(gateways={"shop": wrong})  # type: ignore[dict-item]
