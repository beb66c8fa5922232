"""Every request that the PayPal driver builds, checked against PayPal's own OpenAPI files."""

import json
from pathlib import Path

import pytest

from paygate.dialogue import Request, Response
from paygate.domain.customer import Customer
from paygate.domain.kind import Operation
from paygate.domain.money import Money
from paygate.domain.secret import Secret
from paygate.drivers.paypal import PayPal
from paygate.drivers.paypal.codes import CAUSES, DECLINES, DONE, UNDER_WAY, WAITING
from paygate.gateway import Forgetting, StoredToken, Voiding
from paygate.testing.play import play
from tests.contract.paypal_openapi import OpenApi
from tests.drivers.paypal.certificates import WEBHOOK_ID, signed
from tests.drivers.paypal.conftest import (
    APPROVED,
    ORDER,
    PAID,
    REFUND,
    SENT_AT,
    TEN,
    answers,
    capture,
    captured,
    charge,
    completion,
    enrollment,
    held,
    inquiry,
    order,
    paypal,
    refunded,
    refunding,
)

OPENED = answers(order("PAYER_ACTION_REQUIRED"), 201)
CREATED = answers({"id": ORDER, "status": "CREATED"}, 201)
HELD = answers(order("COMPLETED", {"authorizations": [held()]}, intent="AUTHORIZE"))
SETUP = {
    "id": "7GH53639GA425732B",
    "status": "PAYER_ACTION_REQUIRED",
    "links": [{"rel": "approve", "href": "https://www.sandbox.paypal.com/agreements/approve"}],
}
WALLET = StoredToken(Secret("nkq2y9g"))


def everything(gateway: PayPal) -> list[Request]:
    """Return a request of every kind that the driver makes, without signing in."""
    voiding = Voiding(key="k7", our_ref="att_1", payment="pay_1", reference=ORDER, amount=TEN)
    forgetting = Forgetting(key="k7", our_ref="att_1", token=WALLET)
    token = answers({"id": "nkq2y9g", "customer": {"id": "customer_4029"}}, 201)
    hooks = answers({"webhooks": [{"id": WEBHOOK_ID}]})
    whole = charge(
        store_method=True,
        customer_reference="customer_4029",
        invoices=("INV-1", "INV-2"),
        description="Rent & heating, März",
        statement_suffix="RENT MARCH",
        payer=Customer("C-1", name="Ada", language="de-DE"),
    )
    vaulted = {**SETUP, "status": "APPROVED", "links": []}
    by_refund = inquiry(Operation.REFUND, reference=REFUND, parent_reference=ORDER)
    by_setup = inquiry(Operation.ENROLL, reference=SETUP["id"])
    webhook = signed(b'{"id":"WH-1"}', SENT_AT)
    dialogues: list[tuple[object, list[Response]]] = [
        (gateway.charge(charge()), [OPENED]),
        (gateway.charge(whole), [OPENED]),
        (gateway.charge(charge(amount=Money("JPY", 500))), [OPENED]),
        (gateway.authorize(charge()), [OPENED]),
        (gateway.charge(charge(method=WALLET)), [CREATED, PAID]),
        (gateway.authorize(charge(method=WALLET)), [CREATED, HELD]),
        (gateway.complete(completion()), [APPROVED, PAID]),
        (gateway.capture(capture()), [HELD, answers(captured(), 201)]),
        (gateway.capture(capture(final=False)), [HELD, answers(captured(), 201)]),
        (gateway.void(voiding), [HELD, answers(held("VOIDED"))]),
        (gateway.refund(refunding()), [answers(refunded(), 201)]),
        (gateway.enroll(enrollment()), [answers(SETUP, 201)]),
        (gateway.enroll(enrollment(customer_reference="customer_4029")), [answers(SETUP, 201)]),
        (gateway.forget(forgetting), [Response(status=204)]),
        (gateway.check(), [hooks]),
        (gateway.look_up(by_refund), [answers(refunded())]),
        (gateway.look_up(by_setup), [answers(vaulted), token]),
        (
            paypal(webhook_check="api").verify(webhook),
            [answers({"verification_status": "SUCCESS"})],
        ),
    ]
    found: list[Request] = []
    for dialogue, replies in dialogues:
        found += play(dialogue, *replies).requests  # type: ignore[arg-type]
    return found


def test_what_we_send_is_what_paypal_describes(paypal_openapi: OpenApi) -> None:
    requests = everything(paypal())

    for request in requests:
        body = json.loads(request.body) if request.body else None
        assert paypal_openapi.find(request.method, request.url), request.url
        assert paypal_openapi.request(request.method, request.url, body) == [], request.step
        problems = paypal_openapi.headers(request.method, request.url, dict(request.headers))
        assert problems == [], request.step
    assert {request.method for request in requests} == {"GET", "POST", "DELETE"}
    assert len({request.step for request in requests}) >= 10


@pytest.mark.parametrize(
    "body",
    [
        {"intent": "SALE", "purchase_units": [{"amount": {"currency_code": "USD", "value": "1"}}]},
        {"intent": "CAPTURE", "purchase_units": [{"amount": {"currency_code": "USD", "value": 1}}]},
        {"intent": "CAPTURE"},
        {
            "intent": "CAPTURE",
            "purchase_units": [
                {"amount": {"currency_code": "USD", "value": "1"}, "custom_id": "x" * 300}
            ],
        },
    ],
)
def test_the_check_refuses_what_is_wrong(paypal_openapi: OpenApi, body: object) -> None:
    """A check that never refuses shows nothing."""
    url = "https://api-m.sandbox.paypal.com/v2/checkout/orders"

    assert paypal_openapi.request("POST", url, body) != []
    assert paypal_openapi.request("POST", f"{url}/x/capture/y", {}) != []
    void = "https://api-m.sandbox.paypal.com/v2/payments/authorizations/x/void"
    assert paypal_openapi.request("POST", void, {}) != []


def test_the_issues_in_our_tables_are_paypals(protocols: Path) -> None:
    """Some are in print elsewhere: those are named here, one by one."""
    text = (protocols / "paypal" / "issues.json").read_text()
    theirs = {
        issue
        for by_status in json.loads(text).values()
        for issues in by_status.values()
        for issue in issues
    }
    ours = {*DECLINES, *CAUSES, *DONE, *UNDER_WAY, *WAITING}

    assert ours - theirs == set()
