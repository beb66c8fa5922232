"""Stripe's messages: what we build, and what we read, in the order of its manual.

Every answer is checked against what was asked: kind of object, id, amount,
currency, and whether the money is real. What disagrees is a `BadReply`, never a
guess. What only informs (checks, network id, dates) is read if it is there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast
from urllib.parse import urlencode

from paygate.dialogue import Request
from paygate.domain.currency import SCALES
from paygate.domain.method import Kind
from paygate.domain.money import MINOR_MAX, Money
from paygate.domain.outcome import (
    ActionRequired,
    Approved,
    Authorized,
    Closed,
    Closing,
    Declined,
    HostedForm,
    Movement,
    NotFound,
    Pending,
    Redirect,
    RejectCause,
    Rejected,
    Unknown,
)
from paygate.domain.secret import OneTimeToken
from paygate.drivers.stripe import codes
from paygate.errors import BadReply, Unsupported
from paygate.gateway import AccountFacts, StoredToken, digest_key, step_key

if TYPE_CHECKING:
    from paygate.dialogue import Response
    from paygate.domain.outcome import Outcome
    from paygate.drivers.stripe.settings import StripeSettings
    from paygate.gateway import Charge, Inquiry

API_VERSION: Final = "2026-06-24.dahlia"

KEY_MAX: Final = 255
METADATA_MAX: Final = 500
PAGE: Final = 100

STRIPE_JS: Final = "https://js.stripe.com/v3/"
"""The processor's own form, where `handleNextAction` continues an intent by its client secret."""

# Our clock and Stripe's may differ, and a lost request may arrive late.
SCAN_BEFORE: Final = timedelta(minutes=10)
SCAN_AFTER: Final = timedelta(hours=1)

_ID = re.compile(r"[A-Za-z0-9_]{1,255}")
_TOKEN = re.compile(r"[\x21-\x7e]{1,255}")

Form: TypeAlias = list[tuple[str, str]]


# --- Amounts ---------------------------------------------------------------------------


def to_stripe(money: Money) -> int:
    """Count *money* as Stripe does, or raise `Unsupported`."""
    digits = codes.DIGITS.get(money.currency)
    if digits is None:
        raise Unsupported(
            f"the Stripe driver does not charge {money.currency}; see its currencies in traits",
            currency=money.currency,
        )
    shift = digits - SCALES[money.currency]
    amount = money.minor * 10**shift if shift >= 0 else _divided(money, 10**-shift)
    step = codes.STEPS.get(money.currency, 1)
    if amount % step:
        raise _too_fine(money)
    return amount


def from_stripe(currency: str, amount: int) -> Money:
    """Read Stripe's *amount*, or raise `BadReply` for one that our money cannot be."""
    shift = SCALES[currency] - codes.DIGITS[currency]
    minor, rest = (amount * 10**shift, 0) if shift >= 0 else divmod(amount, 10**-shift)
    if rest or not 0 <= minor <= MINOR_MAX:
        raise BadReply(f"Stripe names an amount that is none in {currency}")
    return Money(currency, minor)


def _divided(money: Money, by: int) -> int:
    amount, rest = divmod(money.minor, by)
    if rest:
        raise _too_fine(money)
    return amount


def _too_fine(money: Money) -> Unsupported:
    return Unsupported(
        f"Stripe does not charge {money}: it takes fewer digits of {money.currency}; "
        "round the amount first",
        currency=money.currency,
    )


# --- Create a PaymentIntent -----------------------------------------------------------------


def check(charge: Charge) -> None:
    """Raise `Unsupported` for what Stripe, or this driver, cannot charge."""
    to_stripe(charge.amount)
    if charge.kind is not Kind.CARD:
        raise Unsupported(f"the Stripe driver charges cards, not {charge.kind}")
    if charge.store_method:
        raise Unsupported("the Stripe driver does not store cards yet")
    _method(charge)


def build_create(settings: StripeSettings, charge: Charge) -> Request:
    """Name amount, card and our ids; nothing is charged until it is confirmed."""
    form: Form = [
        ("amount", str(to_stripe(charge.amount))),
        ("currency", charge.amount.currency.lower()),
        # Without it Stripe offers every method of the account, and then wants a return_url.
        ("payment_method_types[0]", "card"),
        *_method(charge),
        ("metadata[paygate_payment]", charge.payment),
        ("metadata[paygate_attempt]", charge.our_ref),
    ]
    if charge.invoices:
        form.append(("metadata[paygate_invoices]", _listed(charge.invoices)))
    if charge.description:
        form.append(("description", charge.description[:1000]))
    return _post(settings, "/v1/payment_intents", form, key=charge.key, step="create")


def parse_create(settings: StripeSettings, charge: Charge, response: Response) -> Intent | Outcome:
    """Read the new intent, or why there is none."""
    if response.status != 200:
        return _refusal(settings, response, money_may_move=False)
    return _intent(settings, response.json_object(), charge.amount)


def _method(charge: Charge) -> Form:
    match charge.method:
        case OneTimeToken(value):
            token = value.reveal()
            if token.startswith("tok_"):
                raise Unsupported(
                    "Stripe charges a PaymentMethod (pm_…), not a token (tok_…); "
                    "let the form make one with createPaymentMethod"
                )
            named = [("payment_method", token)]
        case StoredToken(value):
            # Stripe wants the customer whom a stored card is attached to: "cus_…/pm_…".
            customer, _, token = value.reveal().rpartition("/")
            named = [("customer", customer)] if customer else []
            named.append(("payment_method", token))
        case _:
            raise Unsupported(
                "the Stripe driver charges a one-time token or a stored card, "
                "never a card number that passed through us"
            )
    if not all(_TOKEN.fullmatch(text) for _, text in named):
        raise Unsupported("that is no id of a Stripe PaymentMethod (pm_…)")
    return named


def _listed(invoices: tuple[str, ...]) -> str:
    """Name as many invoices as one value of metadata holds, and count the rest."""
    listed = ", ".join(invoices)
    count = len(invoices)
    while len(listed) > METADATA_MAX and count > 1:
        count -= 1
        listed = f"{', '.join(invoices[:count])} +{len(invoices) - count}"
    return listed[:METADATA_MAX]


# --- Confirm it ---------------------------------------------------------------------------------


def build_confirm(settings: StripeSettings, charge: Charge, reference: str) -> Request:
    """Charge the card. It names no token, so it can be built again as long as the key lives."""
    form: Form = [("expand[0]", "latest_charge")]
    if not charge.payer_present:
        form.append(("off_session", "true"))
    elif charge.return_url:
        form.append(("return_url", charge.return_url))
    elif settings.decline_if_authentication_is_needed:
        form.append(("error_on_requires_action", "true"))
    path = f"/v1/payment_intents/{reference}/confirm"
    return _post(settings, path, form, key=charge.key, step="confirm", moves_money=True)


def parse_confirm(
    settings: StripeSettings, charge: Charge, reference: str, response: Response
) -> Outcome | Moved:
    """Read what became of the charge."""
    if response.status != 200:
        if _error_code(response) == "payment_intent_unexpected_state":
            return MOVED
        return _refusal(settings, response, money_may_move=True, reference=reference)
    intent = _intent(settings, response.json_object(), charge.amount, reference)
    finding = outcome_of(settings, intent)
    if isinstance(finding, NotFound):
        return Unknown(reason=f"Stripe left the charge at {intent.status}", reference=reference)
    return finding


@dataclass(frozen=True, slots=True)
class Moved:
    """The intent is not where we left it; what it is now is the answer."""


MOVED: Final = Moved()


# --- Look it up --------------------------------------------------------------------------------


def build_get(settings: StripeSettings, reference: str) -> Request:
    """Ask for one intent."""
    if not _ID.fullmatch(reference):
        raise BadReply(f"{reference[:40]!r} is no id of a PaymentIntent")
    query = urlencode([("expand[0]", "latest_charge")])
    return _get(settings, f"/v1/payment_intents/{reference}?{query}", step="look_up")


def parse_get(
    settings: StripeSettings, asked: Money, reference: str, response: Response
) -> Outcome | NotFound:
    """Read the state of one intent; an inquiry that is refused finds nothing out."""
    intent = _intent(settings, _expect_ok(response), asked, reference)
    return outcome_of(settings, intent)


def build_list(settings: StripeSettings, inquiry: Inquiry, after: str) -> Request:
    """Ask for the intents of the time of *inquiry*, newest first, after the intent *after*."""
    query: Form = [
        ("created[gte]", str(int((inquiry.sent_at - SCAN_BEFORE).timestamp()))),
        ("created[lte]", str(int((inquiry.sent_at + SCAN_AFTER).timestamp()))),
        ("limit", str(PAGE)),
        ("expand[0]", "data.latest_charge"),
    ]
    if after:
        query.append(("starting_after", after))
    return _get(settings, f"/v1/payment_intents?{urlencode(query)}", step="scan")


def parse_list(
    settings: StripeSettings, inquiry: Inquiry, response: Response
) -> tuple[list[Intent], str]:
    """Read the intents that carry our reference, and the last id if more pages follow."""
    page = _expect_ok(response)
    entries: Any = page.get("data")
    if page.get("object") != "list" or not isinstance(entries, list):
        raise BadReply("Stripe answered a list with something else")
    found = [
        _intent(settings, cast("dict[str, Any]", entry), inquiry.amount)
        for entry in cast("list[object]", entries)
        if _text(entry, "metadata", "paygate_attempt") == inquiry.our_ref
    ]
    match page.get("has_more"):
        case False:
            return found, ""
        case True:
            last = _text(cast("list[object]", entries)[-1] if entries else None, "id")
            if not _ID.fullmatch(last):
                raise BadReply("Stripe says that more follow, and not after what")
            return found, last
        case _:
            raise BadReply("Stripe does not say whether more follow")


_FURTHEST: Final = ("succeeded", "requires_capture", "processing", "requires_action")


def furthest(settings: StripeSettings, found: list[Intent]) -> Outcome | NotFound:
    """Tell the outcome of the intent that got furthest: one key makes one, for 24 hours."""
    for status in _FURTHEST:
        for intent in found:
            if intent.status == status:
                return outcome_of(settings, intent)
    return outcome_of(settings, found[0]) if found else NotFound()


# --- Are the credentials good? --------------------------------------------------------------------


def build_check(settings: StripeSettings) -> Request:
    """Ask for the balance: every account has one, and it tells test from live."""
    return _get(settings, "/v1/balance", step="check")


def parse_check(settings: StripeSettings, response: Response) -> AccountFacts:
    """Read whose money it is, or raise `BadReply` with what Stripe says against us."""
    balance = _expect_ok(response)
    _check_live(settings, balance)
    available = balance.get("available")
    currencies = {
        _text(entry, "currency").upper()
        for entry in (cast("list[object]", available) if isinstance(available, list) else [])
    }
    return AccountFacts(
        merchant_account=settings.account,
        live=settings.live,
        currencies=tuple(sorted(currencies & codes.CURRENCIES)),
    )


# --- A PaymentIntent, and what its state means ----------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A PaymentIntent that agrees with what was asked."""

    id: str
    status: str
    asked: Money
    told: dict[str, Any]

    @property
    def charge_id(self) -> str:
        """The id of the charge that moved the money, whether it was expanded or not."""
        charge = self.told.get("latest_charge")
        return charge if isinstance(charge, str) else _text(charge, "id")


def _intent(
    settings: StripeSettings, told: dict[str, Any], asked: Money, reference: str = ""
) -> Intent:
    """Read an intent, or raise `BadReply` where it is not the one that was asked for."""
    identity, status = _text(told, "id"), _text(told, "status")
    if told.get("object") != "payment_intent" or not _ID.fullmatch(identity) or not status:
        raise BadReply("Stripe answered a PaymentIntent with something else")
    if reference and identity != reference:
        raise BadReply("Stripe answered with another PaymentIntent than was asked for")
    _check_live(settings, told)
    amount = _whole(told, "amount")
    if amount != to_stripe(asked) or _text(told, "currency").upper() != asked.currency:
        raise BadReply("Stripe names another amount or currency than was asked for")
    return Intent(id=identity, status=status, asked=asked, told=told)


def _check_live(settings: StripeSettings, told: dict[str, Any]) -> None:
    if told.get("livemode") is not settings.live:
        raise BadReply(
            "Stripe answered in the wrong mode: the key is for "
            f"{'live' if settings.live else 'test'} payments"
        )


def outcome_of(settings: StripeSettings, intent: Intent) -> Outcome | NotFound:
    """Tell what the state of *intent* means; `NotFound` if it was never confirmed."""
    match intent.status:
        case "succeeded":
            return _approved(intent)
        case "processing":
            return Pending(reference=intent.id)
        case "requires_capture":
            held = _whole(intent.told, "amount_capturable")
            amount = from_stripe(intent.asked.currency, held)
            return Authorized(amount=amount, reference=intent.id)
        case "requires_action":
            return _action(settings, intent)
        case "canceled":
            # "automatic" is Stripe's own cancelling of what nobody finished.
            reason = _text(intent.told, "cancellation_reason")
            how = Closing.EXPIRED if reason == "automatic" else Closing.CANCELED
            return Closed(how=how, reference=intent.id)
        case "requires_payment_method":
            # A declined try puts the intent back to the beginning, and only this tells it.
            error = intent.told.get("last_payment_error")
            if error is None:
                return NotFound()
            if not _text(error, "code") and not _text(error, "type"):
                raise BadReply("Stripe tells of a failed try, and not what failed")
            return _declined(error, intent.id)
        case "requires_confirmation":
            return NotFound()
        case _:
            return Unknown(reason=f"Stripe says {intent.status[:40]!r}", reference=intent.id)


def _approved(intent: Intent) -> Approved:
    if not _ID.fullmatch(intent.charge_id):
        raise BadReply("Stripe says that money moved, and does not name the charge")
    # Stripe's schema does not promise amount_received. We never capture a part of an amount, so
    # without it the whole was received.
    told = "amount_received" if "amount_received" in intent.told else "amount"
    received = from_stripe(intent.asked.currency, _whole(intent.told, told))
    if not received:
        raise BadReply("Stripe says that money moved, and that it is none")
    charge = intent.told.get("latest_charge")
    checks = ("cvc_check", "address_line1_check", "address_postal_code_check")
    results = {name: _text(charge, *_CARD, "checks", name) for name in checks}
    return Approved(
        reference=intent.id,
        movements=(
            Movement(
                movement_id=intent.charge_id, amount=received, effective=_day(charge, "created")
            ),
        ),
        network_transaction_id=_text(charge, *_CARD, "network_transaction_id"),
        checks={name: result for name, result in results.items() if result},
    )


_CARD: Final = ("payment_method_details", "card")


def _action(settings: StripeSettings, intent: Intent) -> ActionRequired:
    """Send the payer to the bank's page if Stripe names one, else to Stripe's form."""
    url = _text(intent.told, "next_action", "redirect_to_url", "url")
    if url:
        if not url.startswith(("https://", f"{settings.api_base}/")):
            raise BadReply("Stripe sends the payer to an address that is not https")
        return ActionRequired(action=Redirect(url=url), reference=intent.id)
    client_secret = _text(intent.told, "client_secret")
    if not client_secret:
        raise BadReply("Stripe wants the payer to act, and does not say how")
    fields = {"publishable_key": settings.publishable_key} if settings.publishable_key else {}
    form = HostedForm(url=STRIPE_JS, token=client_secret, fields=fields)
    return ActionRequired(action=form, reference=intent.id)


# --- Errors ---------------------------------------------------------------------------


def _refusal(
    settings: StripeSettings, response: Response, *, money_may_move: bool, reference: str = ""
) -> Outcome:
    """Tell what an error means for the money, or raise `BadReply` if it is none of Stripe's."""
    status = response.status
    error = _error(response)
    code = _text(error, "code")
    told = {
        "raw_code": code or _text(error, "type"),
        "message": _text(error, "message"),
        "reference": reference,
    }
    intent: Any = error.get("payment_intent")
    if isinstance(intent, dict):
        _check_live(settings, cast("dict[str, Any]", intent))
    # The same key with another body, or a sending that is still under way: either way an earlier
    # request of ours exists, and it may move money.
    mismatch = _text(error, "type") == "idempotency_error"
    if status == 409 or mismatch or code in codes.SOMEBODY_ELSE:
        return Unknown(
            reason=f"Stripe knows this key or works on this object: {code or status}",
            reference=reference,
        )
    if status == 402:
        return _declined(error, told["reference"])
    if status in codes.REJECTS:
        cause, retryable = codes.REJECTS[status]
        if code in codes.CREDENTIAL_CODES:
            cause = RejectCause.CREDENTIALS
        elif code == "resource_missing" and _text(error, "param") == "payment_method":
            cause = RejectCause.METHOD_GONE
        return Rejected(cause=cause, retryable=retryable, **told)
    if money_may_move:
        # Stripe keeps the answer under our key, a 500 too: only a look at the intent helps.
        return Unknown(reason=f"Stripe answered with status {status}", reference=reference)
    return Rejected(cause=RejectCause.UNAVAILABLE, retryable=True, **told)


def _declined(error: object, reference: str) -> Declined:
    raw_code = _text(error, "decline_code") or _text(error, "code") or _text(error, "type")
    advice = _text(error, "advice_code") or _text(
        error, "payment_intent", "latest_charge", "outcome", "advice_code"
    )
    code, retryable = codes.decline_of(raw_code, advice)
    return Declined(
        code=code,
        raw_code=raw_code,
        retryable=retryable,
        message=_text(error, "message"),
        reference=reference,
    )


def _error(response: Response) -> dict[str, Any]:
    error = response.json_object().get("error")
    if not isinstance(error, dict):
        raise BadReply(f"status {response.status} without an error of Stripe's")
    return cast("dict[str, Any]", error)


def _error_code(response: Response) -> str:
    return _text(_error(response), "code") if response.status == 400 else ""


def _expect_ok(response: Response) -> dict[str, Any]:
    if response.status != 200:
        error = _error(response)
        raise BadReply(
            f"Stripe did not answer the inquiry: status {response.status}, "
            f"{_text(error, 'code') or _text(error, 'type') or 'no code'}",
            status=response.status,
        )
    return response.json_object()


# --- Building and reading, in general -------------------------------------------------


def _post(
    settings: StripeSettings,
    path: str,
    form: Form,
    *,
    key: str,
    step: str,
    moves_money: bool = False,
) -> Request:
    idempotency_key = step_key(key, step)
    if len(idempotency_key) > KEY_MAX:
        idempotency_key = digest_key(key, step)
    return Request(
        method="POST",
        url=settings.api_base + path,
        step=step,
        headers={
            **_headers(settings),
            "Content-Type": "application/x-www-form-urlencoded",
            "Idempotency-Key": idempotency_key,
        },
        body=urlencode(form).encode(),
        moves_money=moves_money,
        # Creating twice under one key creates once. The charge itself is not repeated blindly: a
        # saved error would be played back, while the intent tells the truth.
        repeatable=not moves_money,
    )


def _get(settings: StripeSettings, path_and_query: str, *, step: str) -> Request:
    return Request(
        method="GET",
        url=settings.api_base + path_and_query,
        step=step,
        headers=_headers(settings),
        repeatable=True,
    )


def _headers(settings: StripeSettings) -> dict[str, str]:
    return {
        "Authorization": f"Bearer {settings.secret_key.reveal()}",
        "Stripe-Version": API_VERSION,
    }


def _at(told: object, *path: str) -> object:
    for name in path:
        if not isinstance(told, dict):
            return None
        told = cast("dict[str, object]", told).get(name)
    return told


def _text(told: object, *path: str) -> str:
    """Read a text that may be missing; never longer than a store wants it, and always storable."""
    text = _at(told, *path)
    if not isinstance(text, str):
        return ""
    # PostgreSQL stores no NUL, and nobody stores half a surrogate pair.
    return text[:500].replace("\0", "").encode("utf-8", "replace").decode()


def _whole(told: object, *path: str) -> int:
    number = _at(told, *path)
    if type(number) is not int:
        raise BadReply(f"Stripe gives no whole number as {path[-1]}")
    return number


def _day(told: object, *path: str) -> date | None:
    """Read the day of a Unix time, where it is one of our era."""
    seconds = _at(told, *path)
    if type(seconds) is not int or not 0 < seconds < 2**32:
        return None
    return datetime.fromtimestamp(seconds, UTC).date()
