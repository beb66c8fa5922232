"""Vault: wallets that payers let us charge later without them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from paygate import driver
from paygate.driver import Kind, Secret, Unsupported, read_json
from paygate.drivers.paypal import wire
from paygate.drivers.paypal.codes import TOKEN
from paygate.drivers.paypal.wire import BY

if TYPE_CHECKING:
    from paygate.driver import Charge, Customer, Dialogue, Enrollment, Fields, Finding, Outcome
    from paygate.drivers.paypal.wire import Api

SETUP: Final = "/v3/vault/setup-tokens"
TOKENS: Final = "/v3/vault/payment-tokens"

_LOCALE: Final = re.compile(r"[a-z]{2}(-[A-Z]{2})?")


def page(brand_name: str, return_url: str, payer: Customer | None) -> dict[str, str]:
    """Return how a page of PayPal looks, and where it sends the payer back to."""
    language = "" if payer is None else payer.language
    members = {
        "return_url": return_url,
        "cancel_url": return_url,
        "shipping_preference": "NO_SHIPPING",
        "brand_name": brand_name,
        "locale": language if _LOCALE.fullmatch(language) else "",
    }
    return {name: text for name, text in members.items() if text}


# --- Store a wallet -------------------------------------------------------------------


def storing(api: Api, charge: Charge) -> dict[str, object]:
    """Return the instruction to store the wallet that pays an order, if that is wanted."""
    if not charge.store_method:
        return {}
    pattern = api.settings.vault_usage
    known = {"id": charge.customer_reference} if charge.customer_reference else {}
    instruction = {
        "store_in_vault": "ON_SUCCESS",
        "usage_type": "MERCHANT",
        "usage_pattern": pattern,
    }
    return {"attributes": {"vault": instruction, **({"customer": known} if known else {})}}


def stored_with(order: Fields) -> driver.StoredMethod | None:
    """Return the wallet that was stored with a payment, once PayPal names it."""
    vault = order.at("payment_source.paypal.attributes.vault")
    return _stored(vault) if vault.text("id", "") else None


def _stored(found: Fields) -> driver.StoredMethod:
    token = found.id("id", pattern=TOKEN)
    return driver.StoredMethod(
        token=Secret(token),
        kind=Kind.REDIRECT,
        brand="paypal",
        reference=token,
        customer_reference=found.id("customer.id", "", pattern=TOKEN),
    )


def check(enrollment: Enrollment) -> None:
    """Raise `Unsupported` for what cannot be stored."""
    if enrollment.method is not None or enrollment.from_reference:
        raise Unsupported(
            "a wallet is stored on PayPal's page, or with a payment by save_method=True; pass "
            "neither method= nor from_payment="
        )
    if not enrollment.return_url:
        raise Unsupported("PayPal's page needs a return_url to send the payer back to")


def enroll(api: Api, enrollment: Enrollment) -> Dialogue[Outcome]:
    """Return the page on which the payer lets us charge their wallet later."""
    known, settings = enrollment.customer_reference, api.settings
    context = page(settings.brand_name, enrollment.return_url, enrollment.customer)
    wallet = {"usage_type": "MERCHANT", "experience_context": context}
    body = {
        "payment_source": {"paypal": wallet},
        **({"customer": {"id": known}} if known else {}),
    }
    response = yield api.post(SETUP, body, key=enrollment.key, step="setup")
    if response.status not in (200, 201):
        return api.refused(response)
    found = read_json(response, BY)
    reference, approve = found.id("id", pattern=TOKEN), api.page_of(found)
    if approve is None:
        raise driver.BadResponse("PayPal returned no page on which the payer can approve")
    return driver.ActionRequired(action=approve, reference=reference)


def find(api: Api, inquiry: driver.Inquiry) -> Dialogue[Finding]:
    """Find whether the payer has approved, and then store the wallet, once per request id."""
    reference = inquiry.reference
    response = yield api.get(f"{SETUP}/{wire.named(reference, TOKEN)}", step="look_up")
    if wire.is_gone(response):
        return driver.NotFound()
    found = wire.expect_ok(response)
    found.expect(id=reference)
    approve = api.page_of(found)
    match found.text("status"):
        case "CREATED" | "PAYER_ACTION_REQUIRED" if approve is not None:
            return driver.ActionRequired(action=approve, reference=reference)
        case "APPROVED" | "VAULTED":
            return (yield from _exchange(api, reference, inquiry.key))
        case status:
            reason = f"PayPal shows the stored wallet as {status[:40]!r}"
            return driver.Unknown(reason=reason, reference=reference)


def _exchange(api: Api, reference: str, key: str) -> Dialogue[Finding]:
    body = {"payment_source": {"token": {"id": reference, "type": "SETUP_TOKEN"}}}
    response = yield api.post(TOKENS, body, key=key, step="store")
    if response.status not in (200, 201):
        raise driver.BadResponse(f"PayPal did not store the wallet: status {response.status}")
    return driver.Approved(reference=reference, method=_stored(read_json(response, BY)))


def forget(api: Api, token: str, key: str) -> Dialogue[Outcome]:
    """Delete a wallet at PayPal, so that it can no longer be charged."""
    response = yield driver.Request(
        method="DELETE",
        url=f"{api.settings.base}{TOKENS}/{wire.named(token, TOKEN)}",
        step="forget",
        headers={"PayPal-Request-Id": driver.short_key(key, "forget", wire.KEY_MAX)},
        repeatable=True,
        sign_in=True,
    )
    if wire.is_empty(response) or wire.is_gone(response):
        return driver.Approved()
    return api.refused(response)
