"""Events, sent by webhooks or read from PayPal's list: who sent one, and what it concerns.

The body is a hint: it names our operation, whose state the core then asks PayPal for. Only what an
inquiry cannot return is taken from it: that a payer approved, a refund that was made elsewhere, and
disputes. A refund and a dispute name the capture and not the order, so the capture is looked up
unless they carry our ids.

A signature covers the time of the transmission, but PayPal repeats a transmission for three days.
So its time is not compared with ours, and a repetition is recognized by the id of the event.
"""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from paygate import driver
from paygate.driver import BadResponse, NotAuthentic, Notice, read_json_value
from paygate.drivers.paypal import disputes, orders, refunds, wire
from paygate.drivers.paypal.codes import ID, TOKEN
from paygate.drivers.paypal.wire import BY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.driver import Callback, Dialogue, Fields
    from paygate.drivers.paypal.wire import Api

ALGORITHM: Final = "SHA256withRSA"
_HEADERS: Final = {
    "auth_algo": "paypal-auth-algo",
    "cert_url": "paypal-cert-url",
    "transmission_id": "paypal-transmission-id",
    "transmission_sig": "paypal-transmission-sig",
    "transmission_time": "paypal-transmission-time",
}
_HEADER_MAX: Final = 2000


# --- Who sent it ------------------------------------------------------------------------


class Verifier:
    """Authenticates webhooks of one account, by certificate or by asking PayPal."""

    def __init__(self, api: Api) -> None:
        self._api = api
        between = "" if api.settings.live else "sandbox."
        self._certificates = driver.Certificates(
            BY,
            hosts=[f"api.{between}paypal.com", f"api-m.{between}paypal.com"],
            path="/v1/notifications/certs/",
            name=f"messageverificationcerts.{between}paypal.com",
            roots=api.settings.webhook_authorities.encode(),
        )

    def read(self, callback: Callback) -> Dialogue[list[Notice]]:
        """Authenticate the raw bytes of *callback* and read it, or raise `NotAuthentic`."""
        told = {name: callback.headers.get(header, "") for name, header in _HEADERS.items()}
        if not all(0 < len(text) <= _HEADER_MAX and text.isascii() for text in told.values()):
            raise NotAuthentic("the webhook has no signature of PayPal", why="unsigned")
        if told["auth_algo"] != ALGORITHM:
            raise NotAuthentic(f"the webhook is not signed by {ALGORITHM}", why="signature")
        if self._api.settings.webhook_check == "api":
            yield from self._ask(told, callback.body)
        else:
            yield from self._compare(told, callback)
        try:
            event = read_json_value(callback.body, BY, signed=True)
        except BadResponse:
            return [Notice(event_id="", type="", unreadable="the webhook is signed, and not JSON")]
        return [(yield from read_event(self._api, event))]

    def _compare(self, told: Mapping[str, str], callback: Callback) -> Dialogue[None]:
        signed = (
            told["transmission_id"],
            told["transmission_time"],
            self._api.settings.webhook_id,
            str(zlib.crc32(callback.body)),
        )
        return self._certificates.check(
            told["cert_url"],
            "|".join(signed).encode(),
            told["transmission_sig"],
            callback.received_at,
        )

    def _ask(self, told: Mapping[str, str], body: bytes) -> Dialogue[None]:
        """Let PayPal compare the signature; the body is spliced in as it arrived."""
        try:
            read_json_value(body, BY)
        except BadResponse:
            raise NotAuthentic("the webhook is not JSON", why="signature") from None
        rest = driver.json_body({**told, "webhook_id": self._api.settings.webhook_id})
        response = yield driver.Request(
            method="POST",
            url=f"{self._api.settings.base}/v1/notifications/verify-webhook-signature",
            step="verify",
            headers={"Content-Type": "application/json"},
            body=rest[:-1] + b',"webhook_event":' + body + b"}",
            repeatable=True,
            sign_in=True,
        )
        verdict = wire.expect_ok(response).text("verification_status")
        if verdict != "SUCCESS":
            raise NotAuthentic("PayPal did not sign the webhook for this account", why="signature")


# --- What it concerns, by its type ----------------------------------------------------------


def read_event(api: Api, event: Fields) -> Dialogue[Notice]:
    """Return what an event of the account says, or raise `NotAuthentic` if it is another's."""
    event_id, type_ = event.id("id", ""), event.text("event_type", "")
    if not event_id or not type_:
        return Notice(event_id="", type=type_, unreadable="an event without id or type")
    about = event.at("resource")
    _check_merchant(api, about)
    notice = Notice(event_id=event_id, type=type_, occurred_at=event.instant("create_time", None))
    try:
        told = _read(about, notice)
    except BadResponse as error:
        return replace(notice, unreadable=error.message)
    # What is fetched now may be out of reach: then the event is to be sent again.
    found = told.notice
    if told.taken is not None:
        found = yield from disputes.of_capture(api, told.taken, found)
    if told.capture:
        found = yield from about_capture(api, told.capture, found)
    return found


class Told(NamedTuple):
    """What an event says, the capture that it names instead of an order, and what was taken."""

    notice: Notice
    capture: str = ""
    taken: disputes.Reversal | None = None


def _check_merchant(api: Api, about: Fields) -> None:
    places = (
        "payee.merchant_id",
        "purchase_units.0.payee.merchant_id",
        "disputed_transactions.0.seller.merchant_id",
    )
    ours = api.settings.merchant_id
    if any(about.text(place, ours) != ours for place in places):
        raise NotAuthentic("the webhook is of another PayPal account", why="other_account")


def _read(about: Fields, notice: Notice) -> Told:
    match notice.type.split("."):
        case ["CHECKOUT", "ORDER", "APPROVED"]:
            return Told(replace(_of_order(about, notice), ready=True))
        case ["CHECKOUT", "ORDER", *_]:
            return Told(_of_order(about, notice))
        case ["CHECKOUT", "PAYMENT-APPROVAL", *_]:
            return Told(replace(notice, reference=about.id("order_id", "", pattern=ID)))
        case ["PAYMENT", "CAPTURE", "REFUNDED"]:
            moved = replace(notice, movements=(orders.sent_back(about),))
            custom = about.text("custom_id", "")
            if wire.read_ids(custom).our_ref:
                return Told(_named(custom, moved, about.id("id", pattern=ID)))
            return Told(moved, _capture_of(about))
        case ["PAYMENT", "CAPTURE", "REVERSED"]:
            capture, amount = _capture_of(about), wire.read_money(about)
            taken = disputes.Reversal(about.id("id", pattern=ID), capture, amount)
            return Told(notice, capture, taken)
        case ["PAYMENT", "CAPTURE" | "AUTHORIZATION", *_]:
            return Told(_of_payment(about, notice))
        case ["PAYMENT", "REFUND", *_]:
            reference = about.id("id", pattern=ID)
            return Told(_named(about.text("custom_id", ""), notice, reference))
        case ["CUSTOMER", "DISPUTE", *_]:
            return _of_dispute(about, disputes.read(about, notice))
        case ["VAULT", "PAYMENT-TOKEN", "DELETED"]:
            reference = about.id("id", pattern=TOKEN)
            ended = driver.MethodNews(reference=reference, ended=True, reason="deleted")
            return Told(replace(notice, method=ended))
        case ["VAULT", "PAYMENT-TOKEN", *_]:
            return Told(replace(notice, reference=about.id("metadata.order_id", "", pattern=ID)))
        case _:
            return Told(notice)


def _named(custom: str, notice: Notice, reference: str) -> Notice:
    """Return *notice* as one about the operation that *custom* and *reference* name."""
    our_ref = wire.read_ids(custom).our_ref
    return replace(notice, our_ref=our_ref, reference=reference, foreign=not our_ref)


def _of_order(order: Fields, notice: Notice) -> Notice:
    custom = order.text("purchase_units.0.custom_id", "")
    return _named(custom, notice, order.id("id", pattern=ID))


def _of_payment(payment: Fields, notice: Notice) -> Notice:
    """Return the notice of a capture or an authorization, which belongs to an order."""
    related = payment.id("supplementary_data.related_ids.order_id", "", pattern=ID)
    return _named(payment.text("custom_id", ""), notice, related)


def _of_dispute(dispute: Fields, notice: Notice) -> Told:
    custom = dispute.text("disputed_transactions.0.custom", "")
    if wire.read_ids(custom).our_ref:
        return Told(_named(custom, notice, ""))
    return Told(notice, dispute.id("disputed_transactions.0.seller_transaction_id", pattern=ID))


def _capture_of(refund: Fields) -> str:
    capture = orders.capture_of(refund)
    if not capture:
        raise refund.wrong("links", "name no capture")
    return capture


def about_capture(api: Api, capture: str, notice: Notice) -> Dialogue[Notice]:
    """Return *notice* as one about the payment that made *capture*."""
    response = yield api.get(f"{refunds.CAPTURES}/{wire.named(capture)}", step="capture")
    if wire.is_gone(response):
        return replace(notice, reference=capture, foreign=True)
    found = wire.expect_ok(response)
    found.expect(id=capture)
    return _of_payment(found, notice)
