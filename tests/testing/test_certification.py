"""A certification: each step is tried in the sandbox, and the report holds no secret."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from cryptography.fernet import Fernet

from paygate import Cashier
from paygate.dialogue import Dialogue
from paygate.domain.kind import Kind
from paygate.domain.outcome import Approved, Outcome
from paygate.errors import GatewayNotFound, NotAllowedHere, Unsupported
from paygate.gateway import Charge, Refunding
from paygate.testing import FakeGateway
from paygate.testing.certification import STEPS, CertificationPlan, CertificationReport, certify
from tests.support import simulated_authorize_net, simulated_stripe

VISA = {"cardNumber": "4111111111111111", "expirationDate": "2030-12", "cardCode": "900"}
CARD = CertificationPlan(account="a", kind=Kind.CARD)
TRIED = ["charge", "decline", "capture", "void", "cancel", "refund", "stored"]


def certified(gateway: Any, plan: CertificationPlan = CARD) -> CertificationReport:
    keys = [Fernet.generate_key()]
    with Cashier.in_memory(gateways={"a": gateway}, token_keys=keys) as cashier:
        return certify(cashier, plan)


def results(report: CertificationReport) -> dict[str, str]:
    return {step.name: step.result for step in report.steps}


def failed(report: CertificationReport) -> dict[str, str]:
    return {step.name: step.observed for step in report.steps if step.result == "failed"}


def test_every_step_of_a_card_passes_at_the_fake() -> None:
    gateway = FakeGateway()

    report = certified(gateway)

    assert report.ok
    assert [step.name for step in report.steps] == [name for name, *_ in STEPS]
    assert {name for name, result in results(report).items() if result == "skipped"} == {
        "page",
        "callback",
    }
    assert "tok_visa" not in report.to_markdown()


@pytest.mark.parametrize("kind", ["redirect", "voucher", "bitcoin"])
def test_a_page_is_opened_and_withdrawn(kind: str) -> None:
    report = certified(FakeGateway(kind), CertificationPlan(account="a", kind=Kind(kind)))

    assert report.ok
    assert results(report)["page"] == "passed"


class NeverDeclines(FakeGateway):
    """Its processor approves whatever token comes."""

    def charge(self, charge: Charge) -> Dialogue[Outcome]:
        method, _ = self.sandbox_triggers()[Kind.CARD].approve.method, charge
        return super().charge(replace(charge, method=method))


class RefundsNothing(FakeGateway):
    """It says that a refund went through, and that other money moved."""

    def refund(self, refunding: Refunding) -> Dialogue[Outcome]:
        found = yield from super().refund(refunding)
        assert isinstance(found, Approved)
        return Approved(movements=())


def test_a_decline_that_is_approved_fails() -> None:
    report = certified(NeverDeclines())

    assert not report.ok
    assert failed(report) == {"decline": "the charge is succeeded"}


def test_a_refund_that_moves_nothing_fails() -> None:
    report = certified(RefundsNothing())

    assert set(failed(report)) == {"refund"}


def test_a_live_account_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(NotAllowedHere, match="sandbox"):
        certified({"driver": "stripe", "secret_key": "sk_live_example"})


def test_an_account_that_is_not_there_and_a_kind_that_it_lacks_are_named() -> None:
    with pytest.raises(GatewayNotFound, match="'b'"):
        certified(FakeGateway(), CertificationPlan(account="b", kind=Kind.CARD))
    with pytest.raises(Unsupported, match="bitcoin; it takes card"):
        certified(FakeGateway(), CertificationPlan(account="a", kind=Kind.BITCOIN))


@pytest.fixture
def stripe() -> Iterator[simulated_stripe.SimulatedStripe]:
    made = simulated_stripe.SimulatedStripe()
    with simulated_stripe.serving(made):
        yield made


def test_every_step_of_a_card_passes_at_the_simulated_stripe(
    stripe: simulated_stripe.SimulatedStripe,
) -> None:
    account = {"driver": "stripe", "secret_key": stripe.secret_key, "api_base": stripe.url}

    report = certified(account)

    assert failed(report) == {}
    assert {name: results(report)[name] for name in TRIED} == dict.fromkeys(TRIED, "passed")
    assert stripe.secret_key not in report.to_markdown()


def test_every_step_of_a_card_passes_at_the_simulated_authorize_net() -> None:
    net = simulated_authorize_net.SimulatedAuthorizeNet()
    with simulated_authorize_net.serving(net) as url:
        account = {
            "driver": "authorize_net",
            "login": net.login,
            "transaction_key": net.transaction_key,
            "api_base": url,
            "form_base": url,
        }
        tokens = tuple(net.tokenize({"creditCard": VISA}) for _ in range(8))

        report = certified(account, CertificationPlan(account="a", kind=Kind.CARD, approve=tokens))

    assert failed(report) == {}
    assert {name: results(report)[name] for name in TRIED} == dict.fromkeys(TRIED, "passed")
    text = report.to_markdown()
    assert not [token for token in (*tokens, net.transaction_key) if token in text]


def test_wrong_credentials_end_the_run(stripe: simulated_stripe.SimulatedStripe) -> None:
    account = {"driver": "stripe", "secret_key": "sk_test_wrong", "api_base": stripe.url}

    report = certified(account)

    assert [step.name for step in report.steps] == ["credentials"]
    assert not report.ok
    assert "sk_test_wrong" not in report.to_markdown()
