"""How any message to Stripe is written, and any answer of Stripe's is read.

What an answer must have is checked; what disagrees is a `BadResponse`, never a
guess. What only informs is read if it is there.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, cast

from paygate.driver import (
    BadResponse,
    CardCheck,
    CardChecks,
    CheckResult,
    CredentialsRejected,
    Declined,
    MethodFacts,
    RejectCause,
    Rejected,
    Request,
    Unknown,
    brand_of,
    form_body,
    short_key,
)
from paygate.drivers.stripe import codes

if TYPE_CHECKING:
    from collections.abc import Collection

    from paygate.driver import Customer, Form, Inquiry, Outcome, Response
    from paygate.drivers.stripe.settings import StripeSettings

API_VERSION: Final = "2026-06-24.dahlia"

RETRY_HEADER: Final = "Stripe-Should-Retry"
"""With it Stripe says whether the same request, under the same key, may be sent again."""

KEY_MAX: Final = 255
METADATA_MAX: Final = 500
TEXT_MAX: Final = 500
PAGE: Final = 100

# Our clock and Stripe's may differ, and a lost request may arrive late.
SCAN_BEFORE: Final = timedelta(minutes=10)
SCAN_AFTER: Final = timedelta(hours=1)

ID: Final = re.compile(r"[A-Za-z0-9_]{1,255}")
TOKEN: Final = re.compile(r"[\x21-\x7e]{1,255}")


# --- Building -------------------------------------------------------------------------


def post(
    settings: StripeSettings,
    path: str,
    form: Form,
    *,
    key: str,
    step: str,
    moves_money: bool = False,
) -> Request:
    return Request(
        method="POST",
        url=settings.api_base + path,
        step=step,
        headers={
            **headers(settings),
            "Content-Type": "application/x-www-form-urlencoded",
            "Idempotency-Key": short_key(key, step, KEY_MAX),
        },
        body=form_body(form),
        moves_money=moves_money,
        retry_header=RETRY_HEADER,
        # Creating twice under one key creates once. The charge itself is not repeated blindly: a
        # saved error would be played back, while the intent tells the truth.
        repeatable=not moves_money,
    )


def get(settings: StripeSettings, path_and_query: str, *, step: str) -> Request:
    return Request(
        method="GET",
        url=settings.api_base + path_and_query,
        step=step,
        headers=headers(settings),
        repeatable=True,
        retry_header=RETRY_HEADER,
    )


def headers(settings: StripeSettings) -> dict[str, str]:
    return {
        "Authorization": f"Bearer {settings.secret_key.reveal()}",
        "Stripe-Version": API_VERSION,
    }


def our_ids(payment: str, our_ref: str, within: str = "") -> Form:
    """Name our ids in the metadata, or in that of the object *within* is about."""
    name = inside(within, "metadata")
    ids = {"paygate_payment": payment, "paygate_attempt": our_ref}
    return [(f"{name}[{key}]", value[:METADATA_MAX]) for key, value in ids.items() if value]


def inside(within: str, name: str) -> str:
    """Return the name of a parameter, or of that of the object *within* is about."""
    return f"{within}[{name}]" if within else name


def person(who: Customer, within: str = "") -> Form:
    """Write name, telephone and address of *who*, of the object or of what is *within* it."""
    where = who.address
    facts = {
        inside(within, "name"): who.name,
        inside(within, "phone"): who.phone,
        **{
            inside(within, "address") + f"[{name}]": fact
            for name, fact in (
                ("line1", where.line1),
                ("line2", where.line2),
                ("city", where.city),
                ("state", where.region),
                ("postal_code", where.postal_code),
                ("country", where.country),
            )
        },
    }
    return [(name, fact[:TEXT_MAX]) for name, fact in facts.items() if fact]


def named(reference: str) -> str:
    """Make sure that *reference* can be a part of an address."""
    if not ID.fullmatch(reference):
        raise BadResponse(f"{reference[:40]!r} is no id of Stripe's")
    return reference


def scanned(inquiry: Inquiry, after: str) -> Form:
    """Ask a list for what was made about the time of sending, after the object *after*."""
    last = inquiry.last_sent_at or inquiry.sent_at
    query: Form = [
        ("created[gte]", str(int((inquiry.sent_at - SCAN_BEFORE).timestamp()))),
        ("created[lte]", str(int((last + SCAN_AFTER).timestamp()))),
        ("limit", str(PAGE)),
    ]
    if after:
        query.append(("starting_after", after))
    return query


# --- Reading --------------------------------------------------------------------------


def at(told: Any, *path: str) -> object:
    """Look at something inside of an answer; None where it is not."""
    for name in path:
        if not isinstance(told, dict):
            return None
        told = told.get(name)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return told  # pyright: ignore[reportUnknownVariableType]


def text(told: object, *path: str) -> str:
    """Read a text that may be missing; never longer than a store wants it, and always storable."""
    found = at(told, *path)
    if not isinstance(found, str):
        return ""
    if found.isascii() and found.isprintable():
        return found[:TEXT_MAX]
    # PostgreSQL stores no NUL, and nobody stores half a surrogate pair.
    return found[:TEXT_MAX].replace("\0", "").encode("utf-8", "replace").decode()


def long_text(told: object, *path: str) -> str:
    """Read a text that is passed on and must not be cut, such as an address."""
    found = at(told, *path)
    return found if isinstance(found, str) and found.isascii() and found.isprintable() else ""


def whole(told: object, *path: str) -> int:
    number = at(told, *path)
    if type(number) is not int:
        raise BadResponse(f"Stripe gives no whole number as {path[-1]}")
    return number


def instant(told: object, *path: str) -> datetime | None:
    """Read a Unix time, where it is one of our era."""
    seconds = at(told, *path)
    if type(seconds) is not int or not 0 < seconds < 2**32:
        return None
    return datetime.fromtimestamp(seconds, UTC)


def read_object(
    settings: StripeSettings, told: dict[str, Any], kind: str, reference: str = ""
) -> str:
    """Return the id of an object, or raise `BadResponse` if it is not the one asked for."""
    identity = text(told, "id")
    if told.get("object") != kind or not ID.fullmatch(identity):
        raise BadResponse(f"Stripe answered a {kind} with something else")
    if reference and identity != reference:
        raise BadResponse(f"Stripe answered with another {kind} than was asked for")
    if "livemode" in told or kind not in _WITHOUT_MODE:
        check_live(settings, told)
    return identity


# The schema of a refund has no livemode; that of everything else here requires one.
_WITHOUT_MODE: Final = frozenset({"refund"})


def read_page(response: Response) -> tuple[list[object], str]:
    """Read the entries of a list, and the last id if more pages follow."""
    page = expect_ok(response)
    entries: Any = page.get("data")
    if page.get("object") != "list" or not isinstance(entries, list):
        raise BadResponse("Stripe answered a list with something else")
    found = cast("list[object]", entries)
    match page.get("has_more"):
        case False:
            return found, ""
        case True:
            last = text(found[-1] if found else None, "id")
            if not ID.fullmatch(last):
                raise BadResponse("Stripe says that more follow, and not after what")
            return found, last
        case _:
            raise BadResponse("Stripe does not say whether more follow")


def read_id(told: object, *path: str) -> str:
    """Read an id of a related object, whether that was expanded or not."""
    return text(told, *path) or text(told, *path, "id")


def check_live(settings: StripeSettings, told: dict[str, Any]) -> None:
    if told.get("livemode") is not settings.live:
        raise BadResponse(
            "Stripe answered in the wrong mode: the key is for "
            f"{'live' if settings.live else 'test'} payments"
        )


# --- Errors ---------------------------------------------------------------------------


TAKEN: Final = ("succeeded", "processing")
"""States of an intent whose money was taken, or is on its way."""

BEGUN: Final = (*TAKEN, "requires_capture")
"""States of an intent that was confirmed, and not declined."""


def refusal(
    settings: StripeSettings,
    response: Response,
    *,
    money_may_move: bool,
    reference: str = "",
    done: Collection[str] = (),
) -> Outcome:
    """
    Return what an error means for the money, or raise `BadResponse` if it is none of Stripe's.

    A decline that shows its own intent in one of the states *done* contradicts itself, and is no
    decline before the intent was looked at: a second charge would take the money twice.
    """
    status = response.status
    error = error_of(response)
    code, type_ = text(error, "code"), text(error, "type")
    intent: Any = error.get("payment_intent")
    if isinstance(intent, dict):
        check_live(settings, cast("dict[str, Any]", intent))
    told = {
        "raw_code": code or type_,
        "message": text(error, "message"),
        "reference": reference or read_id(error, "payment_intent"),
    }
    if status == 402 or type_ == "card_error":
        stands = text(error, "payment_intent", "status") or text(error, "setup_intent", "status")
        if stands in done:
            return Unknown(
                reason=f"Stripe declined it ({told['raw_code']}), though its intent is {stands}",
                reference=told["reference"],
            )
        return declined(error, told["reference"])
    # The same key with another body, or a sending that is still under way: either way an earlier
    # request of ours exists.
    mismatch = type_ == "idempotency_error"
    known = mismatch or status == 409 or code == codes.KEY_IN_USE
    if known and money_may_move:
        return Unknown(
            reason=f"Stripe knows this key already: {told['raw_code'] or status}",
            reference=told["reference"],
            flagged=mismatch,
        )
    if mismatch:
        return Rejected(cause=RejectCause.KEY_MISMATCH, retryable=False, **told)
    refuses = status in codes.REJECTS and (type_ in codes.REFUSES or not money_may_move)
    if refuses and not known:
        cause, retryable = codes.CAUSES.get(code) or codes.REJECTS[status]
        if code == "resource_missing" and text(error, "param") in ("payment_method", "customer"):
            cause = RejectCause.METHOD_GONE
        return Rejected(cause=cause, retryable=retryable, **told)
    if not money_may_move:
        # What was repeated, and is still turned away, has created nothing that could be paid.
        return Rejected(cause=RejectCause.UNAVAILABLE, retryable=True, **told)
    # Stripe keeps the answer under our key, a 500 too: only a look at the intent helps.
    return Unknown(reason=f"Stripe answered with status {status}", reference=told["reference"])


def must_look(refused: Outcome) -> bool:
    """Return whether only the object says what became of it: it has moved on, or was locked."""
    return isinstance(refused, Rejected) and (
        refused.cause is RejectCause.STATE or refused.raw_code == codes.LOCKED
    )


def is_replayed(response: Response) -> bool:
    """Return whether *response* is one that Stripe kept under our key, and so perhaps outdated."""
    return response.headers.get("idempotent-replayed", "").strip().lower() == "true"


def declined(error: object, reference: str) -> Declined:
    """Return the decline that *error* tells of.

    It is final: there is no page of an intent on which the payer could give another card. The
    bank's page is over, and Checkout shows its own.
    """
    raw_code = _why(error)
    advice = text(error, "advice_code") or text(
        error, "payment_intent", "latest_charge", "outcome", "advice_code"
    )
    code, retryable = codes.decline_of(raw_code, advice)
    return Declined(
        code=code,
        raw_code=raw_code,
        retryable=retryable,
        message=text(error, "message"),
        reference=reference,
        final=True,
        method_facts=facts_of(at(error, "payment_method", "card")),
        checks=checks_of(at(error, "payment_method", "card")),
    )


def _why(error: object) -> str:
    """Return the code that says most: the issuer's, unless it only says that it declined."""
    told = [text(error, name) for name in ("decline_code", "code", "type")]
    given = [each for each in told if each] or [""]
    return next((each for each in told[:2] if each and each not in codes.VAGUE), given[0])


def checks_of(card: object) -> CardChecks | None:
    """Return what Stripe says was checked of a *card*; None if it says nothing."""
    names = {
        "address": "address_line1_check",
        "postal_code": "address_postal_code_check",
        "security_code": "cvc_check",
    }
    told = {ours: text(card, "checks", theirs) for ours, theirs in names.items()}
    found = {
        ours: CardCheck(codes.CHECKS.get(raw_code, CheckResult.UNAVAILABLE), raw_code)
        for ours, raw_code in told.items()
        if raw_code
    }
    return CardChecks(**found) if found else None


def facts_of(card: object) -> MethodFacts | None:
    """Return what may be printed of a *card* that paid; None if Stripe does not show it."""
    if not text(card, "last4"):
        return None
    month, year = expiry_of(card)
    return MethodFacts(
        brand=brand_of(text(card, "brand")),
        last4=text(card, "last4"),
        expires_month=month,
        expires_year=year,
        wallet=text(card, "wallet", "type"),
    )


def expiry_of(card: object) -> tuple[int | None, int | None]:
    """Return month and year in which a *card* expires, if Stripe says so."""
    month, year = at(card, "exp_month"), at(card, "exp_year")
    dated = type(month) is int and type(year) is int and 1 <= month <= 12 and 2000 <= year < 2200
    return (cast("int", month), cast("int", year)) if dated else (None, None)


def error_of(response: Response) -> dict[str, Any]:
    error = response.json_object().get("error")
    if not isinstance(error, dict):
        raise BadResponse(f"status {response.status} without an error of Stripe's")
    return cast("dict[str, Any]", error)


def expect_ok(response: Response) -> dict[str, Any]:
    if response.status != 200:
        error = error_of(response)
        code = text(error, "code")
        said = f"status {response.status}, {code or text(error, 'type') or 'no code'}"
        cause = codes.CAUSES.get(code) or codes.REJECTS.get(response.status)
        if cause is not None and cause[0] is RejectCause.CREDENTIALS:
            raise CredentialsRejected(f"Stripe does not accept the key: {said}")
        raise BadResponse(f"Stripe did not answer the inquiry: {said}", status=response.status)
    return response.json_object()
