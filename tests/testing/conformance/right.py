"""A driver that is right, for a processor that does not exist: what wrong ones are made of."""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeVar, cast
from urllib.parse import urlencode

from pydantic import Field

from paygate.dialogue import Dialogue, Note, Request, Response
from paygate.domain.action import Redirect
from paygate.domain.chargeback import Dispute, DisputeState
from paygate.domain.charging import ChargeFact
from paygate.domain.kind import Kind, Operation
from paygate.domain.method import MethodNews, StoredMethod
from paygate.domain.money import Money
from paygate.domain.movement import Movement, MovementKind
from paygate.domain.outcome import (
    ActionRequired,
    Approved,
    Authorized,
    DeclineCode,
    Declined,
    Ended,
    Ending,
    Finding,
    NotFound,
    Outcome,
    Pending,
    RejectCause,
    Rejected,
    Unknown,
)
from paygate.domain.secret import OneTimeToken, RawBankAccount, RawCard, Secret
from paygate.driver import read_json
from paygate.errors import BadResponse, NotAuthentic, PaygateError, Unsupported
from paygate.gateway import (
    AccessToken,
    AccountFacts,
    Applied,
    Callback,
    CallbackProof,
    CallbackStyle,
    Capture,
    Charge,
    Completion,
    DedupWindow,
    Enrollment,
    FeedPage,
    Forgetting,
    Idempotency,
    Inquiry,
    InquiryBy,
    Keyed,
    Notice,
    NotIdempotent,
    Rail,
    Refunding,
    Reply,
    StoredToken,
    Traits,
    Voiding,
    Withdrawal,
)
from paygate.settings import Settings

T = TypeVar("T")

SIGNATURE = "paper-signature"
DIGITS = {"USD": 2, "EUR": 2, "JPY": 0, "KWD": 3}
TOO_FINE = 10  # of a dinar's thousandths, Paper takes tens

DECLINES = {
    "D51": (DeclineCode.INSUFFICIENT_FUNDS, True),
    "D43": (DeclineCode.LOST_OR_STOLEN, False),
}
REJECTS = {401: RejectCause.CREDENTIALS, 422: RejectCause.VALIDATION, 410: RejectCause.METHOD_GONE}
REJECTS |= {423: RejectCause.STATE}


class PaperSettings(Settings):
    api_key: Secret[str] = Field(description="The key of the account")
    signing_key: Secret[str] = Field(description="Signs the callbacks")
    merchant: str = Field(default="merchant-1", description="Whose account it is")
    live: bool = Field(default=False, description="Whether its money is real")
    inquiry: InquiryBy = Field(default=InquiryBy.OUR_REF, description="How it is found again")
    idempotency: Literal["keyed", "window", "none"] = Field(
        default="keyed", description="What a repetition does"
    )
    callbacks: CallbackStyle = Field(default=CallbackStyle.ACKNOWLEDGED, description="Style")
    proof: CallbackProof = Field(
        default=CallbackProof.SIGNED_WITH_INSTANT, description="What a callback proves"
    )
    pages: bool = Field(default=False, description="Whether payers pay on Paper's page")
    captures_once: bool = Field(default=False, description="Whether a capture is the last")


class Paper:
    name = "paper"
    settings_model = PaperSettings

    def __init__(self, settings: PaperSettings) -> None:
        self._settings = settings

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._settings.merchant})"

    @property
    def traits(self) -> Traits:
        settings = self._settings
        styles: dict[str, Idempotency] = {
            "keyed": Keyed(ttl=timedelta(days=1)),
            "window": DedupWindow(window=timedelta(minutes=2)),
            "none": NotIdempotent(),
        }
        return Traits(
            live=settings.live,
            merchant_account=settings.merchant,
            driver_version="1",
            rails={Kind.CARD: self.card(), Kind.REDIRECT: self.page()},
            idempotency=styles[settings.idempotency],
            inquiry=settings.inquiry,
            not_found_is_final_after=timedelta(minutes=5),
            callbacks=settings.callbacks,
            callback_proof=settings.proof,
            page_origins=frozenset({"https://paper.example"}),
        )

    def card(self) -> Rail:
        return Rail(
            operations=frozenset(Operation),
            currencies=frozenset(DIGITS),
            methods=frozenset({OneTimeToken, StoredToken, RawCard}),
            brands=frozenset({"visa", "mastercard"}),
            takes=frozenset({ChargeFact.METADATA}),
            multiple_capture=not self._settings.captures_once,
            return_lag=timedelta(minutes=1),
        )

    def page(self) -> Rail:
        return Rail(
            operations=frozenset({Operation.CHARGE}),
            currencies=frozenset(DIGITS),
            immediate=False,
            payer_present=True,
        )

    # --- Money ------------------------------------------------------------------------------

    def charge(self, charge: Charge) -> Dialogue[Outcome]:
        return self.collect("charge", charge)

    def authorize(self, charge: Charge) -> Dialogue[Outcome]:
        return self.collect("authorize", charge)

    def collect(self, step: str, charge: Charge) -> Dialogue[Outcome]:
        if charge.kind is Kind.REDIRECT:
            body = {**self.money(charge), "return_url": charge.return_url}
            return (yield from self.ask("page", charge.key, body, moves=False))
        body = {**self.money(charge), **self.about(charge), "method": self.method(charge.method)}
        opened = yield self.request("open", charge.key, {"ref": charge.our_ref})
        if opened.status != 200:
            return self.outcome(opened)
        name = self.read(opened, lambda told: text(told, "id"))
        yield Note(name)
        return (yield from self.ask(step, charge.key, {**body, "about": name}, charge.amount))

    def complete(self, completion: Completion) -> Dialogue[Outcome]:
        return (yield from self.follow("complete", completion))

    def capture(self, capture: Capture) -> Dialogue[Outcome]:
        if self._settings.captures_once and not capture.final:
            raise Unsupported("Paper captures once; capture with final=True")
        return (yield from self.follow("capture", capture, final=capture.final))

    def void(self, voiding: Voiding) -> Dialogue[Outcome]:
        return (yield from self.follow("void", voiding))

    def refund(self, refunding: Refunding) -> Dialogue[Outcome]:
        self.cents(refunding.amount)
        yield Note(refunding.reference)
        response = yield self.get("order", id=refunding.reference)
        if response.status != 200:
            return self.outcome(response)
        more = self.of_refund(refunding, response)
        return (yield from self.follow("refund", refunding, **more))

    def of_refund(self, refunding: Refunding, paid: Response) -> dict[str, object]:
        self.read(paid, lambda told: text(told, "id"))
        return {"movement": refunding.movement_id, "why": refunding.reason}

    def withdraw(self, withdrawal: Withdrawal) -> Dialogue[Outcome]:
        body = {"about": withdrawal.reference, "ref": withdrawal.our_ref}
        return (yield from self.ask("withdraw", withdrawal.key, body, moves=False))

    def enroll(self, enrollment: Enrollment) -> Dialogue[Outcome]:
        body = {
            "ref": enrollment.our_ref,
            "email": enrollment.customer.email,
            "method": self.method(enrollment.method),
        }
        return (yield from self.ask("enroll", enrollment.key, body, moves=False))

    def forget(self, forgetting: Forgetting) -> Dialogue[Outcome]:
        body = {"ref": forgetting.our_ref, "token": forgetting.token.value.reveal()}
        return (yield from self.ask("forget", forgetting.key, body, moves=False))

    def follow(
        self, step: str, asked: Completion | Capture | Voiding | Refunding, **more: object
    ) -> Dialogue[Outcome]:
        body = {**self.money(asked), "about": asked.reference, **more}
        yield Note(asked.reference)
        return (yield from self.ask(step, asked.key, body, asked.amount))

    def ask(
        self,
        step: str,
        key: str,
        body: Mapping[str, object],
        amount: Money | None = None,
        *,
        moves: bool = True,
    ) -> Dialogue[Outcome]:
        response = yield self.request(step, key, body, moves=moves)
        return self.outcome(response, amount, moved=moves)

    # --- Building ------------------------------------------------------------------------------

    def money(self, asked: Charge | Completion | Capture | Voiding | Refunding) -> dict[str, Any]:
        return {
            "ref": asked.our_ref,
            "currency": asked.amount.currency,
            "cents": self.cents(asked.amount),
        }

    def about(self, charge: Charge) -> dict[str, Any]:
        return {
            "email": charge.payer.email if charge.payer else "",
            "text": charge.description,
            "keep": charge.store_method,
            "present": charge.payer_present,
            "data": dict(charge.metadata),
        }

    def cents(self, money: Money) -> int:
        if money.currency not in DIGITS:
            raise Unsupported(f"Paper does not take {money.currency}")
        if DIGITS[money.currency] == 3 and money.minor % TOO_FINE:
            raise Unsupported(f"Paper takes no third digit of {money.currency}")
        return money.minor

    def method(self, method: object) -> dict[str, str]:
        match method:
            case OneTimeToken() | StoredToken():
                return {"token": method.value.reveal()}
            case RawCard():
                return {"number": method.number.reveal()}
            case RawBankAccount() | None:
                raise Unsupported("Paper charges cards")
            case _:
                raise Unsupported("Paper charges cards")

    def request(
        self, step: str, key: str, body: Mapping[str, object], *, moves: bool = False
    ) -> Request:
        return Request(
            method="POST",
            url=f"https://paper.example/v1/{step}",
            step=step,
            headers={**self.headers(), "idempotency-key": f"{key}-{step}"},
            body=json.dumps(body, sort_keys=True).encode(),
            moves_money=moves,
            sign_in=True,
        )

    def get(self, step: str, **asked: str) -> Request:
        return Request(
            method="GET",
            url=f"https://paper.example/v1/{step}?{urlencode(asked)}",
            step=step,
            headers=self.headers(),
            repeatable=True,
            sign_in=True,
        )

    def headers(self) -> dict[str, str]:
        return {
            "authorization": f"Bearer {self._settings.api_key.reveal()}",
            "content-type": "application/json",
        }

    # --- Reading -------------------------------------------------------------------------------

    def outcome(
        self, response: Response, asked: Money | None = None, *, moved: bool = False
    ) -> Outcome:
        if response.status == 409:
            return Unknown(reason="Paper has this one already")
        if response.status == 402:
            return self.read(response, self.declined)
        if response.status in REJECTS:
            cause = REJECTS[response.status]
            code = self.read(response, lambda told: text(told, "error"))
            return Rejected(cause=cause, retryable=False, raw_code=code)
        if response.status != 200:
            if moved:
                return Unknown(reason=f"Paper answered with status {response.status}")
            raise BadResponse(f"Paper answered with status {response.status}")
        found = self.read(response, self.order)
        amounts = [each.amount for each in getattr(found, "movements", ())]
        if asked is not None and any(each != asked for each in amounts):
            raise BadResponse("Paper moved another amount than was asked for")
        return found

    def order(self, told: Mapping[str, Any]) -> Outcome:
        name = text(told, "id")
        if told.get("live", False) is not self._settings.live:
            raise ValueError("the answer is of the other mode")
        match told["state"]:
            case "done":
                return Approved(
                    reference=name,
                    movements=self.moved(told),
                    disputes=self.disputed(told),
                    method=self.stored(told),
                )
            case "expired" | "canceled" as how:
                return Ended(how=Ending(how), reference=name)
            case "held":
                return Authorized(amount=amount(told), reference=name)
            case "declined":
                return self.declined(told)
            case "pending":
                return Pending(reference=name)
            case "open":
                return ActionRequired(action=Redirect(url=text(told, "url")), reference=name)
            case other:
                raise ValueError(f"no state {other!r}")

    def moved(self, told: Mapping[str, Any]) -> tuple[Movement, ...]:
        return tuple(
            Movement(
                movement_id=text(each, "id"),
                amount=amount(each),
                kind=MovementKind(text(each, "kind")),
                undoes=text(each, "undoes") if "undoes" in each else None,
                settled=self.part(each, "settled"),
                fee=self.part(each, "fee"),
            )
            for each in cast("list[dict[str, Any]]", told.get("moved", []))
        )

    def part(self, told: Mapping[str, Any], name: str) -> Money | None:
        return Money(text(told, "currency"), told[name]) if name in told else None

    def disputed(self, told: Mapping[str, Any]) -> tuple[Dispute, ...]:
        return tuple(
            Dispute(
                reference=text(each, "id"),
                state=DisputeState(text(each, "state")),
                amount=amount(each),
            )
            for each in cast("list[dict[str, Any]]", told.get("disputes", []))
        )

    def stored(self, told: Mapping[str, Any]) -> StoredMethod | None:
        if "card" not in told:
            return None
        card = told["card"]
        return StoredMethod(
            token=Secret(text(card, "token")), kind=Kind.CARD, last4=text(card, "last4")
        )

    def declined(self, told: Mapping[str, Any]) -> Declined:
        raw_code = text(told, "code")
        code, retryable = DECLINES.get(raw_code, (DeclineCode.GENERIC, False))
        return Declined(code=code, raw_code=raw_code, retryable=retryable)

    def read(self, response: Response, reader: Callable[[Mapping[str, Any]], T]) -> T:
        try:
            return reader(read_object(response))
        except (LookupError, TypeError, ValueError, PaygateError) as error:
            raise BadResponse("Paper's answer does not read") from error

    # --- Finding out ----------------------------------------------------------------------------

    def look_up(self, inquiry: Inquiry) -> Dialogue[Finding]:
        asked = {"ref": inquiry.our_ref}
        if self._settings.inquiry is InquiryBy.LIST_SCAN:
            asked = {"since": inquiry.sent_at.isoformat()}
        elif self._settings.inquiry is InquiryBy.GATEWAY_REF:
            asked = {"id": inquiry.reference}
        while True:
            response = yield self.get("orders", **asked)
            finding = self.finding(response, inquiry)
            asked["after"] = self.next_of(response)
            if not asked["after"] or not isinstance(finding, NotFound):
                return finding

    def next_of(self, response: Response) -> str:
        if response.status != 200:
            return ""
        return self.read(response, lambda told: str(told.get("next", "")))

    def finding(self, response: Response, inquiry: Inquiry) -> Finding:
        if response.status != 200:
            raise BadResponse("Paper did not answer the inquiry")
        orders = self.read(response, lambda told: cast("list[Any]", told["orders"]))
        try:
            mine = [each for each in orders if self.is_ours(each, inquiry)]
            return self.order(mine[0]) if mine else NotFound()
        except (AttributeError, LookupError, TypeError, ValueError, PaygateError) as error:
            raise BadResponse("Paper's answer does not read") from error

    def is_ours(self, order: Any, inquiry: Inquiry) -> bool:
        return bool(order.get("ref") == inquiry.our_ref)

    def feed(self, cursor: str) -> Dialogue[FeedPage]:
        response = yield self.get("events", after=cursor)
        if response.status != 200:
            raise BadResponse("Paper told no events")

        def page(told: Mapping[str, Any]) -> FeedPage:
            return FeedPage(
                notices=tuple(self.notice(each) for each in told["events"]),
                cursor=text(told, "after"),
                more=told["more"] is True,
            )

        return self.read(response, page)

    def sign_in(self) -> Dialogue[AccessToken]:
        response = yield Request(
            method="POST",
            url="https://paper.example/token",
            step="sign_in",
            headers=self.headers(),
        )
        if response.status != 200:
            raise BadResponse("Paper lets us not in")

        def token(told: Mapping[str, Any]) -> AccessToken:
            return AccessToken(
                value=Secret(text(told, "token")), expires_in_s=whole(told, "seconds")
            )

        return self.read(response, token)

    def check(self) -> Dialogue[AccountFacts]:
        response = yield self.get("account")
        if response.status != 200:
            raise BadResponse("Paper does not say whose account it is")

        def facts(told: Mapping[str, Any]) -> AccountFacts:
            return AccountFacts(merchant_account=text(told, "merchant"), live=told["live"] is True)

        return self.read(response, facts)

    # --- Callbacks --------------------------------------------------------------------------------

    def verify(self, callback: Callback) -> Dialogue[list[Notice]]:
        found: list[Notice] = []
        for told, signed_at in self.authentic(callback):
            about = told
            if "fetch" in told:
                response = yield self.get("order", id=told["fetch"])
                about = {**told, "order": self.read(response, lambda order: order)}
            found.append(self.believed(about, signed_at))
        return self.listed(found, callback)

    def listed(self, notices: list[Notice], callback: Callback) -> list[Notice]:
        del callback
        return notices

    def authentic(self, callback: Callback) -> list[tuple[dict[str, Any], datetime | None]]:
        signed_at = None
        if self._settings.proof is not CallbackProof.NONE:
            signed_at = self.authenticate(callback)
        try:
            told = json.loads(callback.body)
            return [(each, signed_at) for each in self.events(told)]
        except (AttributeError, LookupError, TypeError, ValueError, RecursionError) as error:
            raise NotAuthentic("a callback that does not read") from error

    def events(self, told: Mapping[str, Any]) -> list[dict[str, Any]]:
        events = cast("list[dict[str, Any]]", told.get("batch") or [told])
        if not all(self.is_for_us(each) for each in events):
            raise NotAuthentic("a callback of another merchant")
        return events

    def believed(self, told: dict[str, Any], signed_at: datetime | None) -> Notice:
        try:
            return self.notice(told, signed_at)
        except (AttributeError, LookupError, TypeError, ValueError, PaygateError) as error:
            raise NotAuthentic("a callback that does not read") from error

    def is_for_us(self, told: Mapping[str, Any]) -> bool:
        return self.is_our_mode(told) and bool(told["merchant"] == self._settings.merchant)

    def is_our_mode(self, told: Mapping[str, Any]) -> bool:
        return told["live"] is self._settings.live

    def authenticate(self, callback: Callback) -> datetime | None:
        instant, _, theirs = callback.headers.get(SIGNATURE, "").partition(",")
        ours = mac(self._settings.signing_key.reveal(), instant, callback.body)
        if not hmac.compare_digest(ours.encode(), theirs.encode()):
            raise NotAuthentic("the signature is not Paper's")
        if self._settings.proof is CallbackProof.SIGNED:
            return None
        return datetime.fromtimestamp(int(instant), UTC)

    def notice(self, told: Mapping[str, Any], signed_at: datetime | None = None) -> Notice:
        order = told.get("order", {})
        decided = order.get("state") in ("declined", "expired", "canceled")
        return Notice(
            event_id=text(told, "event"),
            type=text(told, "type"),
            our_ref=text(order, "ref") if order else "",
            reference=text(order, "id") if order else "",
            movements=self.moved(order),
            disputes=self.disputed(order),
            answer=self.order(order) if decided else None,
            method=MethodNews(reference=text(told, "card"), ended=True) if "card" in told else None,
            signed_at=signed_at,
        )

    def reply(self, notice: Notice, result: Applied) -> Reply:
        del notice
        if self._settings.callbacks is not CallbackStyle.ANSWERED:
            return Reply(body=b"thanks")
        good = result in (Applied.BOOKED, Applied.NO_CHANGE)
        return Reply(status=200 if good else 422, body=str(result).encode())


def read_object(response: Response) -> Mapping[str, Any]:
    return cast("dict[str, Any]", read_json(response, "Paper").value())


def text(told: Any, name: str) -> str:
    found = told[name]
    if not isinstance(found, str) or "\0" in found or not found.isprintable():
        raise TypeError(f"{name} is no text")
    return found


def whole(told: Any, name: str) -> int:
    found = told[name]
    if type(found) is not int:
        raise TypeError(f"{name} is no whole number")
    return found


def amount(told: Mapping[str, Any]) -> Money:
    return Money(text(told, "currency"), told["cents"])


def mac(key: str, instant: str, body: bytes) -> str:
    return hmac.new(key.encode(), instant.encode() + b"." + body, hashlib.sha256).hexdigest()
