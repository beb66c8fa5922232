"""What the payer is to do next, and the secret that only their browser may see."""

from __future__ import annotations

import io
import json
import logging
from contextlib import redirect_stdout
from dataclasses import asdict, replace
from pathlib import Path
from typing import get_args

import pytest
from cryptography.fernet import Fernet

from paygate import Cashier, Money, Payment, PaymentStatus, Secret
from paygate.cli import facts, show, steps
from paygate.dialogue import Dialogue, at_once
from paygate.domain.action import (
    Action,
    ApproveElsewhere,
    PayToAddress,
    PostForm,
    Redirect,
    ScriptStep,
    ShowCode,
    ShowVoucher,
    secret_of,
    with_secret,
)
from paygate.domain.outcome import ActionRequired, DeclineCode, Declined, Finding, Outcome
from paygate.errors import InvalidSettings, NotPayable, PaymentNotFound, SecretNotKept
from paygate.gateway import (
    Callback,
    Charge,
    Completion,
    Enrollment,
    Inquiry,
    Notice,
)
from paygate.service.notices import read_notice, write_notice
from paygate.testing import FakeClock, FakeGateway

KEY, NEW_KEY = Fernet.generate_key().decode(), Fernet.generate_key().decode()
SECRET = "intent_5_secret_nobody-else-reads-this"
SCRIPT = ScriptStep(
    script_url="https://js.bank.example/v3/",
    publishable_key="pk_5",
    client_secret=Secret(SECRET),
)
FORM = PostForm(url="https://form.bank.example/pay", token_field="t", token=Secret(SECRET))


class Asking(FakeGateway):
    """A card account that lets every payer act, and gives the secret again if it is asked."""

    def __init__(self, action: Action, clock: FakeClock, *, gives_again: bool = True) -> None:
        super().__init__("card", clock=clock)
        self.action = action
        self.gives_again = gives_again
        self.asked = 0
        self.said: Finding | None = None

    def charge(self, charge: Charge) -> Dialogue[Outcome]:  # noqa: ARG002
        return at_once(ActionRequired(action=self.action, reference="intent_5"))

    def enroll(self, enrollment: Enrollment) -> Dialogue[Outcome]:  # noqa: ARG002
        return at_once(ActionRequired(action=self.action, reference="intent_5"))

    def look_up(self, inquiry: Inquiry) -> Dialogue[Finding]:  # noqa: ARG002
        self.asked += 1
        again = self.action if self.gives_again else with_secret(self.action, None)
        return at_once(self.said or ActionRequired(action=again, reference="intent_5"))

    def complete(self, completion: Completion) -> Dialogue[Outcome]:  # noqa: ARG002
        return at_once(ActionRequired(action=self.action, reference="intent_5"))

    def verify(self, callback: Callback) -> Dialogue[list[Notice]]:  # noqa: ARG002
        answer = ActionRequired(action=self.action, reference="intent_5")
        return at_once([Notice(event_id="evt_1", type="acts", reference="intent_5", answer=answer)])


def opened(folder: Path, gateway: Asking, clock: FakeClock, *keys: str) -> Cashier:
    return Cashier.open(
        f"sqlite:///{folder / 'ledger.db'}",
        gateways={"card": gateway},
        clock=clock,
        token_keys=keys or None,
    )


def collected(cashier: Cashier) -> Payment:
    cashier.issue(number="N-1", customer="K-1", total=Money.of("CAD", "61.00"), due="2031-03-01")
    return cashier.collect("N-1", via="card", method="tok_visa", key="a")


def bytes_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.glob("ledger.db*")))


def hear(cashier: Cashier, gateway: Asking, clock: FakeClock) -> None:
    cashier.receive(
        "card", Callback(method="POST", path="/", headers={}, body=b"{}", received_at=clock.now())
    )
    cashier.apply_callbacks()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.mark.parametrize("action", [SCRIPT, FORM], ids=["script", "form"])
def test_the_page_gets_the_secret_and_nobody_else_does(
    tmp_path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture, action: Action
) -> None:
    caplog.set_level(logging.DEBUG)
    gateway = Asking(action, clock)
    with opened(tmp_path, gateway, clock, KEY) as cashier:
        payment = collected(cashier)
        change = cashier.enroll("K-1", via="card", method="tok_visa", key="e")

        rendered = (cashier.action_of(payment), cashier.action_of(change.id))

        hear(cashier, gateway, clock)
        cashier.recover()
        payment = cashier.payment(payment)
        told = [cashier.events(limit=100), cashier.callbacks(), cashier.attempts(payment), change]
        with redirect_stdout(io.StringIO()) as out:
            show.write_json(facts.payment(payment))
            show.write_json(told)
    assert rendered == (action, action)
    assert payment.action == change.action == with_secret(action, None)
    assert gateway.asked == 0
    text = out.getvalue() + repr([asdict(payment), change, told, action]) + caplog.text
    assert SECRET not in text
    assert json.dumps(type(action).__name__) in text
    assert SECRET.encode() not in bytes_of(tmp_path)


@pytest.mark.parametrize(
    ("token", "type_"), [("tok_action_script", ScriptStep), ("tok_action_form", PostForm)]
)
def test_the_fake_asks_for_either_step(clock: FakeClock, token: str, type_: type[Action]) -> None:
    card = FakeGateway("card", clock=clock)
    with Cashier.in_memory(gateways={"card": card}, clock=clock, token_keys=[KEY]) as cashier:
        cashier.issue(number="N-2", customer="K-1", total=Money.of("CAD", "9.00"), due="2031-03-01")
        payment = cashier.collect("N-2", via="card", method=token, key="a")

        step = cashier.action_of(payment)

        secret = secret_of(step)
        assert isinstance(step, type_)
        assert secret is not None
        assert secret.reveal().startswith(f"{payment.reference}_secret_")
        assert payment.action == with_secret(step, None)
        card.pay(payment.reference)
        assert cashier.complete(payment).payment.status is PaymentStatus.SUCCEEDED


def test_the_secret_stays_when_the_same_step_is_told_again(
    tmp_path: Path, clock: FakeClock
) -> None:
    gateway = Asking(SCRIPT, clock)
    with opened(tmp_path, gateway, clock, KEY) as cashier:
        payment = collected(cashier)
        hear(cashier, gateway, clock)  # a notice is kept without the secret

        rendered = cashier.action_of(payment)

        assert rendered == SCRIPT
        assert gateway.asked == 0


def test_without_keys_the_secret_is_not_kept_and_the_gateway_is_asked_again(
    tmp_path: Path, clock: FakeClock
) -> None:
    gateway = Asking(SCRIPT, clock)
    with opened(tmp_path, gateway, clock) as cashier:
        payment = collected(cashier)

        rendered = cashier.action_of(payment)

        assert rendered == SCRIPT
        assert gateway.asked == 1
        assert cashier.payment(payment).status is PaymentStatus.REQUIRES_ACTION
    assert SECRET.encode() not in bytes_of(tmp_path)


def test_without_keys_a_secret_that_is_given_once_is_refused(
    tmp_path: Path, clock: FakeClock
) -> None:
    gateway = Asking(FORM, clock, gives_again=False)
    with opened(tmp_path, gateway, clock) as cashier:
        payment = collected(cashier)

        with pytest.raises(SecretNotKept, match="token_keys") as refused:
            cashier.action_of(payment)

    assert refused.value.payment == payment.id
    with opened(tmp_path, gateway, clock, KEY) as cashier:
        again = cashier.collect("N-1", via="card", method="tok_visa", key="b")
        assert cashier.action_of(again) == FORM
        with pytest.raises(NotPayable, match="another payment superseded"):
            cashier.action_of(payment)


def test_a_page_that_turns_out_to_have_ended_gives_no_secret(
    tmp_path: Path, clock: FakeClock
) -> None:
    gateway = Asking(SCRIPT, clock)
    gateway.said = Declined(
        code=DeclineCode.GENERIC, raw_code="x", retryable=False, reference="intent_5", final=True
    )
    with opened(tmp_path, gateway, clock) as cashier:
        payment = collected(cashier)

        with pytest.raises(NotPayable, match="is declined and does not wait for a payer"):
            cashier.action_of(payment)

        with pytest.raises(PaymentNotFound):
            cashier.action_of("pay_of_nobody")


def test_a_step_without_a_secret_is_returned_as_it_is(tmp_path: Path, clock: FakeClock) -> None:
    redirect = Redirect(url="https://bank.example/3ds")
    gateway = Asking(redirect, clock)
    with opened(tmp_path, gateway, clock) as cashier:
        payment = collected(cashier)

        assert cashier.action_of(payment) == payment.action == redirect
        assert gateway.asked == 0


@pytest.mark.parametrize("keys", [(KEY,), ()], ids=["kept", "asked for again"])
def test_a_step_in_a_script_is_not_returned_without_the_key_that_the_script_takes(
    tmp_path: Path, clock: FakeClock, keys: tuple[str, ...]
) -> None:
    public: dict[str, str] = {}

    class Keyless(Asking):
        def public_settings(self) -> dict[str, str]:
            return public

    gateway = Keyless(replace(SCRIPT, publishable_key=""), clock)
    with opened(tmp_path, gateway, clock, *keys) as cashier:
        payment = collected(cashier)

        with pytest.raises(InvalidSettings, match="add publishable_key") as caught:
            cashier.action_of(payment)

    assert caught.value.facts == {"account": "card", "setting": "publishable_key"}
    public["publishable_key"] = "pk_5"
    with opened(tmp_path, gateway, clock, *keys) as cashier:
        assert cashier.action_of(payment) == SCRIPT


def test_secrets_of_steps_come_under_the_new_key(tmp_path: Path, clock: FakeClock) -> None:
    gateway = Asking(FORM, clock, gives_again=False)
    with opened(tmp_path, gateway, clock, KEY) as cashier:
        payment = collected(cashier)
    with opened(tmp_path, gateway, clock, NEW_KEY, KEY) as cashier:
        rotated = cashier.rotate_keys()
    with opened(tmp_path, gateway, clock, NEW_KEY) as cashier:
        rendered = cashier.action_of(payment)
    expected = pytest.raises(SecretNotKept, match="none of the token keys decrypts it")
    with opened(tmp_path, gateway, clock, KEY) as cashier, expected:
        cashier.action_of(payment)

    assert rotated.rotated == 1
    assert rendered == FORM


EVERY: list[Action] = [
    SCRIPT,
    FORM,
    Redirect(url="https://bank.example/3ds", method="POST", fields={"a": "b"}),
    ShowVoucher(reference="4711", barcode="4711", instructions="At any counter."),
    ShowCode(payload="00020126580014br.gov.bcb.pix", url="https://bank.example/q"),
    ApproveElsewhere(where="your phone", code="47", instructions="Open the app."),
    PayToAddress(address="bcrt1q", amount=Money("BTC", 5), uri="bitcoin:bcrt1q"),
]


def test_every_sort_of_action_is_tried() -> None:
    assert {type(each) for each in EVERY} == set(get_args(Action))


@pytest.mark.parametrize("action", EVERY, ids=lambda each: type(each).__name__)
def test_every_action_comes_out_of_the_ledger_and_out_of_a_stored_notice_as_it_went_in(
    tmp_path: Path, clock: FakeClock, action: Action
) -> None:
    notice = Notice(event_id="e", type="t", answer=ActionRequired(action=with_secret(action, None)))
    with opened(tmp_path, Asking(action, clock), clock, KEY) as cashier:
        payment = collected(cashier)

        assert cashier.payment(payment).action == with_secret(action, None)
        assert cashier.action_of(payment) == action
    assert read_notice(write_notice(notice)) == notice


@pytest.mark.parametrize("action", EVERY, ids=lambda each: type(each).__name__)
def test_each_step_is_said_in_words_of_its_own_and_what_is_copied_stands_alone(
    action: Action,
) -> None:
    rows = steps.rows(action)

    said = rows.pop("Next")
    assert isinstance(said, str)
    assert "://" not in said
    for name in ("url", "script_url", "payload", "address", "uri", "reference"):
        if text := getattr(action, name, ""):
            assert text in rows.values()


def test_the_words_of_each_step_differ() -> None:
    said = {str(steps.rows(each)["Next"]) for each in EVERY}

    assert len(said) == len({type(each) for each in EVERY})
