"""What the sheets of the wallets publish: signatures, samples, and what they must come to."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from paygate.dialogue import Response
from paygate.domain.action import Redirect
from paygate.domain.customer import Browser
from paygate.domain.money import Money
from paygate.domain.outcome import (
    ActionRequired,
    Approved,
    Declined,
    Ended,
    NotFound,
    Outcome,
    Pending,
)
from paygate.driver import read_jsonp
from paygate.drivers.remita.wire import digest
from paygate.errors import BadResponse, CredentialsRejected, NotAuthentic
from paygate.testing.play import play
from tests.drivers.payarena import test_payarena as payarena
from tests.drivers.remita import test_remita as remita
from tests.drivers.skrill import test_skrill as skrill


def read(protocols: Path, sheet: str, name: str = "vectors.json") -> Any:
    return json.loads((protocols / sheet / name).read_text())


# --- Skrill -------------------------------------------------------------------------------------

EUR = Money("EUR", 999)
WANTED: dict[str, type] = {
    "paid": Approved,
    "query": Approved,
    "duplicate": Approved,
    "failed": Declined,
    "pending": Pending,
    "cancelled": Ended,
    "chargeback": Approved,
}


def test_the_published_signatures_of_skrill_are_right(protocols: Path) -> None:
    for known in read(protocols, "skrill")["known"]:
        algorithm = known["algo"]
        gateway = skrill.skrill(
            merchant_id=known["merchant_id"],
            secret_word=known["secret_word"],
            signature=algorithm,
        )
        names = ("merchant_id", "transaction_id", "mb_amount", "mb_currency", "status")
        form = {name: known[name] for name in names} | {"pay_to_email": "Merchant@Example.com"}
        field = "md5sig" if algorithm == "md5" else "sha2sig"

        def verify(
            digest: str, gateway: Any = gateway, form: Any = form, field: str = field
        ) -> Any:
            body = urlencode({**form, field: digest}).encode()
            return play(gateway.verify(skrill.callback(body))).outcome

        [notice] = verify(known["expected"])
        assert notice.our_ref == "5585262"
        with pytest.raises(NotAuthentic):
            verify(known["expected"].lower())


def merged(form: dict[str, str], asked: Money) -> Outcome:
    """Return what a report comes to, if a query shows what it says."""
    shows = skrill.answered(form)
    body = urlencode(form).encode()
    fetched = [shows] if form["status"] == "-3" else []
    [notice] = play(skrill.skrill().verify(skrill.callback(body)), *fetched).outcome
    inquiry = skrill.inquiry(asked, our_ref=notice.our_ref)
    found = play(skrill.skrill().look_up(inquiry), shows).outcome
    assert not isinstance(found, NotFound)
    if notice.movements:
        assert isinstance(found, Approved)
        assert set(notice.movements) < set(found.movements)
    return found


def test_the_published_notifications_of_skrill_come_to_what_is_wanted(protocols: Path) -> None:
    """A notification is believed as far as it is signed, and what it names is queried."""
    told = read(protocols, "skrill")["notifications"]
    assert len(told) == 15
    for each in told:
        form, wanted = each["form"], each["expect"]
        asked = Money("EUR", 1000) if form["mb_amount"] == "10" else EUR
        if wanted != "reject":
            assert isinstance(merged(form, asked), WANTED[wanted]), each["why"]
            continue
        # Refused at once, or of another payment, or what came is not what was asked for.
        try:
            found = merged(form, asked)
        except (NotAuthentic, BadResponse):
            continue
        if form["transaction_id"] == "pay_01":
            assert isinstance(found, Approved), each["why"]
            assert [each.amount for each in found.movements] != [asked], each["why"]


# --- Remita -------------------------------------------------------------------------------------


def test_the_published_hashes_of_remita_are_right(protocols: Path) -> None:
    hashes = {each["use"]: each for each in read(protocols, "remita")["hashes"]}
    assert len(hashes) == 5
    for each in hashes.values():
        assert digest(*each["parts"]) == each["sha512"], each["use"]
    known = hashes["generate RRR"]
    merchant, service, order, amount, key = known["parts"]
    gateway = remita.remita(merchant_id=merchant, service_type_id=service, api_key=key)
    naira = Money.of("NGN", amount)

    opened = play(
        gateway.charge(remita.charge(our_ref=order, amount=naira)),
        remita.answered({"statuscode": "025", "RRR": remita.RRR, "status": "x"}),
    )
    asked = play(gateway.look_up(remita.inquiry(our_ref=order)), remita.answered(remita.shows()))
    by_order = play(
        gateway.look_up(remita.inquiry(our_ref=order, reference="")),
        remita.answered(remita.shows()),
    )

    assert opened.requests[0].headers["Authorization"].endswith(known["sha512"])
    assert isinstance(opened.outcome, ActionRequired)
    assert isinstance(opened.outcome.action, Redirect)
    form = opened.outcome.action.fields
    assert form["hash"] == hashes["browser form to finalize.reg"]["sha512"]
    assert f"/{hashes['status by RRR; deactivate']['sha512']}/status.reg" in asked.requests[0].url
    assert hashes["status by orderId"]["sha512"] in by_order.requests[0].url


def test_each_published_wrapping_of_remita_is_read(protocols: Path) -> None:
    for each in read(protocols, "remita")["jsonp"]:
        found = read_jsonp(each["raw"].encode(), "Remita")
        assert found.value() == each["value"]


REMITA_WANTED: dict[str, tuple[type, ...]] = {
    "paid": (Approved,),
    "pending": (ActionRequired,),
    "failed": (Declined,),
    "not-found": (NotFound,),
}


def test_the_published_answers_of_remita_come_to_what_is_wanted(protocols: Path) -> None:
    for each in read(protocols, "remita")["status_samples"]:
        answer = remita.answered(each["body"])
        try:
            found = play(remita.remita().look_up(remita.inquiry()), answer).outcome
        except BadResponse:
            assert each["expect"] == "reject"
            continue
        if each["expect"] == "reject":
            assert isinstance(found, Approved)
            assert [moved.amount for moved in found.movements] != [remita.NAIRA], each["why"]
        else:
            assert isinstance(found, REMITA_WANTED[each["expect"]]), each


def test_the_published_notifications_of_remita_name_their_order(protocols: Path) -> None:
    for each in read(protocols, "remita")["notification_samples"]:
        sent = remita.callback(json.dumps(each).encode())
        [notice] = play(remita.remita().verify(sent)).outcome
        assert (notice.our_ref, notice.answer, notice.movements) == (remita.ORDER, None, ())


def test_the_published_codes_of_remita_mean_what_they_say(protocols: Path) -> None:
    table = read(protocols, "remita", "status_codes.json")
    for each in table["codes"]:
        answer = remita.answered(remita.shows(status=each["code"]))
        try:
            found = play(remita.remita().look_up(remita.inquiry()), answer).outcome
        except CredentialsRejected:
            assert each["outcome"] == "our-fault"
            continue
        assert isinstance(found, Approved) == (each["outcome"] == "paid"), each
        assert isinstance(found, NotFound) == (each["outcome"] == "not-found"), each
        assert isinstance(found, Declined) == (each["outcome"].startswith("failed")), each


# --- Payarena -----------------------------------------------------------------------------------

PAYARENA_WANTED: dict[str, tuple[type, ...]] = {
    "paid": (Approved,),
    "failed": (Declined,),
    "cancelled": (Ended,),
    "pending": (ActionRequired,),
}


def test_the_published_request_of_payarena_is_made(protocols: Path) -> None:
    vectors = read(protocols, "payarena")
    wanted = vectors["create_request"]
    gateway = payarena.payarena(secret_key=vectors["secret_key"], merchant_id="M1")
    charge = payarena.charge(invoices=("Invoice INV-1",), browser=Browser(ip="203.0.113.7"))

    played = play(
        gateway.charge(charge),
        Response(status=200, body=vectors["create_response_body"].encode()),
    )

    [sent] = played.requests
    base = "https://test.payarena.com"
    assert sent.url == wanted["url"].format(base=base, merchantId="M1")
    assert json.loads(sent.body) == wanted["json"]
    assert dict(sent.headers) == wanted["headers"]
    assert isinstance(played.outcome, ActionRequired)
    assert played.outcome.action == Redirect(url=vectors["redirect_url"].format(base=base))


def test_the_published_answers_of_payarena_come_to_what_is_wanted(protocols: Path) -> None:
    for each in read(protocols, "payarena")["status_samples"]:
        answer = payarena.answered(each["json"])
        try:
            found = play(payarena.payarena().look_up(payarena.inquiry()), answer).outcome
        except BadResponse:
            assert each["expect"] == "reject"
            continue
        if each["expect"] == "reject":
            assert isinstance(found, Approved)
            assert [moved.amount for moved in found.movements] != [payarena.NAIRA], each["why"]
        else:
            assert isinstance(found, PAYARENA_WANTED[each["expect"]]), each
