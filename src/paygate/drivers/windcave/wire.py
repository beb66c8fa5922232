"""The REST interface: requests, refusals, and what a transaction says."""

from __future__ import annotations

import base64
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from paygate import driver
from paygate.driver import BadResponse, MovementKind, Operation, json_body, read_json
from paygate.drivers.windcave import codes
from paygate.drivers.windcave.codes import ID
from paygate.drivers.windcave.settings import AMOUNTS, BY, WindcaveSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.driver import Dialogue, Fields, Money, Outcome, Request, Response

REFERENCE_MAX: Final = 64
DATA_MAX: Final = 255

TYPES: Final = {
    Operation.CHARGE: "purchase",
    Operation.AUTHORIZE: "auth",
    Operation.CAPTURE: "complete",
    Operation.VOID: "void",
    Operation.REFUND: "refund",
    Operation.ENROLL: "validate",
}
_MOVES: Final = {
    "purchase": MovementKind.CHARGE,
    "complete": MovementKind.CAPTURE,
    "refund": MovementKind.REFUND,
}


class Api:
    """One account at Windcave: its requests, and what the answers mean."""

    def __init__(self, settings: WindcaveSettings) -> None:
        self.settings = settings
        user = f"{settings.username}:{settings.api_key.reveal()}".encode()
        self._authorization = driver.Secret(f"Basic {base64.b64encode(user).decode()}")

    def post(
        self, path: str, body: Mapping[str, object], *, key: str, step: str, money: bool = False
    ) -> Request:
        """
        Return a request that makes something; empty members of *body* are left out.

        X-ID names the attempt. What Windcave does with a repeated one is not published, so
        nothing is repeated because of it.
        """
        named = uuid.UUID(driver.digest_key(key, step)[:32])
        return driver.Request(
            method="POST",
            url=f"{self.settings.base}/api/v1/{path}",
            step=step,
            headers={
                "Authorization": self._authorization.reveal(),
                "Content-Type": "application/json",
                "X-ID": str(named),
            },
            body=json_body({name: value for name, value in body.items() if value}),
            moves_money=money,
        )

    def find(self, path: str, identity: str) -> Dialogue[tuple[Fields, Response] | None]:
        """Return an object and the answer that has it; None if Windcave does not have it."""
        if not ID.fullmatch(identity):
            raise BadResponse(f"{identity[:40]!r} is not an id of {BY}'s")
        response = yield driver.Request(
            method="GET",
            url=f"{self.settings.base}/api/v1/{path}/{identity}",
            step="look_up",
            headers={"Authorization": self._authorization.reveal()},
            repeatable=True,
        )
        if response.status not in (200, 202):
            said = _error_of(response)
            if response.status == 404:
                return None
            raise driver.unanswered(response, BY, said=said)
        found = read_json(response, BY)
        found.expect(id=identity)
        return found, response

    def refused(self, response: Response, *, money: bool) -> driver.Rejected | driver.Unknown:
        """Return what an error means for the money, or raise if it is not Windcave's."""
        return driver.refusal(response, BY, money_may_move=money, message=_error_of(response))

    def check(self, found: Fields, operation: Operation | None, name: str) -> str:
        """Return the id of a transaction, or raise `BadResponse` if it is not the one asked for."""
        if found.text("username", self.settings.username) != self.settings.username:
            raise BadResponse(f"{BY} answered about another merchant's transaction")
        found.expect(merchantReference=name)
        if operation is not None and found.text("type") != TYPES[operation]:
            raise BadResponse(f"{BY} answered about something else than a {operation}")
        return found.id("id", pattern=ID)


def _error_of(response: Response) -> str:
    """Return the messages of an error of Windcave's, or raise `BadResponse`."""
    error = read_json(response, BY)
    errors = error.each("errors", ())
    if not errors and not error.text("requestId", ""):
        text = f"status {response.status} without an error of {BY}'s"
        raise BadResponse(text, status=response.status)
    said = [f"{each.text('target', '')} {each.text('message', '')}".strip() for each in errors]
    return "; ".join(said)[: driver.TEXT_MAX]


# --- What a transaction says ------------------------------------------------------------


def outcome_of(found: Fields, identity: str, asked: Money, undoes: str = "") -> Outcome:
    """Return what the transaction *identity* means for an operation about *asked*."""
    said, text, kind = found.text("reCo", ""), found.text("responseText", ""), found.text("type")
    card = found.at("card")
    facts: dict[str, Any] = {
        "reference": identity,
        "checks": codes.checks_of(found),
        "method_facts": driver.card_facts(*(card.text(each, "") for each in _PRINTED)),
    }
    authorised = found.flag("authorised", None)
    if authorised is None or (said in codes.UNKNOWN and not authorised):
        return driver.Unknown(reason=f"{BY} has no result yet: {said} {text}", reference=identity)
    if not authorised:
        again = found.flag("allowRetry", default=False)
        declined = codes.declined(said, text, again=again, **facts)
        return _void_refused(declined) if kind == "void" else declined
    if said != codes.APPROVED:
        reason = f"{BY} approved it with the code {said}"
        return driver.Unknown(reason=reason, reference=identity, flagged=True)
    facts["network_transaction_id"] = _trace(found)
    if kind == "auth":
        return driver.Authorized(amount=amount_of(found), **facts)
    if kind not in _MOVES:
        return driver.Approved(**facts)
    if kind == "refund" and amount_of(found) != asked:
        raise BadResponse(f"{BY} refunded another amount than was asked for")
    movement = driver.Movement(
        movement_id=identity,
        amount=amount_of(found),
        kind=_MOVES[kind],
        effective=found.instant("dateTimeUtc", None),
        undoes=undoes or None,
    )
    return driver.Approved(movements=(movement,), **facts)


_PRINTED: Final = ("type", "cardNumber", "dateExpiryMonth", "dateExpiryYear")


def _trace(found: Fields) -> str:
    return found.text("traceId", "").strip("_ ")  # it is filled up to a fixed length


def _void_refused(declined: driver.Declined) -> driver.Rejected:
    return driver.Rejected(
        cause=driver.RejectCause.STATE,
        retryable=False,
        raw_code=declined.raw_code,
        message=declined.message,
        reference=declined.reference,
    )


def amount_of(found: Fields) -> Money:
    """Return the amount of a session or transaction."""
    return AMOUNTS.read_decimal(found, "amount", found.text("currency"))


def stored_card(found: Fields) -> driver.StoredMethod | None:
    """Return the card that Windcave stored with a transaction; None if it names none."""
    card = found.at("card")
    token = card.id("id", "", pattern=ID)
    facts = driver.card_facts(*(card.text(each, "") for each in _PRINTED))
    if not token:
        return None
    return driver.StoredMethod(
        token=driver.Secret(token),
        kind=driver.Kind.CARD,
        brand=facts.brand,
        last4=facts.last4,
        expires_month=facts.expires_month,
        expires_year=facts.expires_year,
        holder=card.text("cardHolderName", ""),
        network_transaction_id=_trace(found),
    )


def with_card(outcome: Outcome, found: Fields) -> Outcome:
    """Return *outcome* with the card that was stored with the transaction."""
    if isinstance(outcome, driver.Approved | driver.Authorized):
        return replace(outcome, method=stored_card(found))
    return outcome


# --- What is said of a payment ------------------------------------------------------------


def described(charge: driver.Charge) -> list[str]:
    """Return what a payment is for, as texts that Windcave keeps with it."""
    facts = [f"{name}={text}" for name, text in charge.metadata.items()]
    texts = [driver.listed(charge.invoices, 255), driver.plain(charge.description, 255), *facts]
    return [text for text in texts if text]


def customer_of(payer: driver.Customer | None) -> dict[str, str]:
    """Return the payer; empty facts are left out."""
    if payer is None:
        return {}
    first, _, last = payer.name.partition(" ")
    facts = {"firstName": first, "lastName": last, "email": payer.email, "phoneNumber": payer.phone}
    return {name: driver.plain(text, 100) for name, text in facts.items() if text}


def agreed(settings: WindcaveSettings, indicator: str) -> dict[str, object]:
    """Return why a card is stored or charged; a series also says how often, and has no end."""
    often = settings.recurring_frequency
    series = {"recurringExpiry": "9999-12-31", "recurringFrequency": often}
    return {"storedCardIndicator": indicator, **(series if "recurring" in indicator else {})}


def check_amount(settings: WindcaveSettings, charge: driver.Charge) -> None:
    """Raise `Unsupported` for an amount or currency that the account does not take."""
    _ = AMOUNTS.whole(charge.amount)
    if charge.amount.currency not in settings.currencies:
        raise driver.Unsupported(f"this {BY} account does not take {charge.amount.currency}")
    if settings.has_pxpost and len(metadata_of(charge)) > DATA_MAX:
        raise driver.Unsupported(f"{BY}'s PxPost keeps {DATA_MAX} characters of metadata")


def metadata_of(charge: driver.Charge) -> str:
    """Return the host's own facts as one text."""
    return "; ".join(f"{name}={text}" for name, text in charge.metadata.items())
