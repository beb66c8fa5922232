"""How any request to Stripe is written, and any answer of Stripe's is read.

What an answer must have is checked; what disagrees is a `BadResponse`, never a
guess. What only informs is read if it is there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import urlencode

from paygate.driver import (
    BUSY,
    CAUSES_BY_STATUS,
    Approved,
    BadResponse,
    Cause,
    Declined,
    Fields,
    Note,
    NotFound,
    RejectCause,
    Rejected,
    Request,
    Unknown,
    filled,
    form_body,
    read_json,
    refusal,
    short_key,
    unanswered,
)
from paygate.drivers.stripe import codes
from paygate.drivers.stripe.codes import ID

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from paygate.driver import Customer, Dialogue, Finding, Form, Inquiry, Outcome, Response
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

OURS: Final = "metadata.paygate_attempt"
"""Where our reference stands in whatever we made."""

TAKEN: Final = ("succeeded", "processing")
"""States of an intent whose money was taken, or is on its way."""

BEGUN: Final = (*TAKEN, "requires_capture")
"""States of an intent that was confirmed, and not declined."""


Read: TypeAlias = "Callable[[Fields, Rejected | None], Finding]"
"""Reads an object after it was changed, or, with the refusal, after Stripe refused to change it."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind of object: where it is, and what is asked for with it instead of its id."""

    path: str
    expanded: str = ""


INTENT: Final = Resource("payment_intents", "latest_charge")
SETUP: Final = Resource("setup_intents", "payment_method")
CARD: Final = Resource("payment_methods")
PAGE_ONLY: Final = Resource("checkout/sessions")
PAGE_PAID: Final = Resource("checkout/sessions", "payment_intent.latest_charge")
PAGE_KEPT: Final = Resource("checkout/sessions", "setup_intent.payment_method")


class Api:
    """One account at Stripe: its requests, and what its answers mean."""

    def __init__(self, settings: StripeSettings) -> None:
        self.settings = settings

    # --- Requests -----------------------------------------------------------------------

    def get(self, path: str, query: Form | None = None, *, step: str) -> Request:
        """Return a request for what is at *path*."""
        return Request(
            method="GET",
            url=f"{self.settings.api_base}/v1/{path}" + (f"?{urlencode(query)}" if query else ""),
            step=step,
            headers=self._headers(),
            repeatable=True,
            retry_header=RETRY_HEADER,
        )

    def post(
        self, path: str, form: Form, *, key: str, step: str, moves_money: bool = False
    ) -> Request:
        """Return a request that makes or changes something, under a key of its own."""
        return Request(
            method="POST",
            url=f"{self.settings.api_base}/v1/{path}",
            step=step,
            headers={
                **self._headers(),
                "Content-Type": "application/x-www-form-urlencoded",
                "Idempotency-Key": short_key(key, step, KEY_MAX),
            },
            body=form_body(form),
            moves_money=moves_money,
            retry_header=RETRY_HEADER,
            # Creating twice under one key creates once. The charge itself is not repeated blindly:
            # a saved error would be played back, while the intent tells the truth.
            repeatable=not moves_money,
        )

    def _headers(self) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {self.settings.secret_key.reveal()}",
            "Stripe-Version": API_VERSION,
        }

    def ask(self, path: str, query: Form | None = None, *, step: str) -> Dialogue[Fields]:
        """Ask for what is at *path*; an inquiry that is refused finds nothing out."""
        return expect_ok((yield self.get(path, query, step=step)))

    def create(self, path: str, form: Form, *, key: str, step: str) -> Dialogue[Fields | Outcome]:
        """Make something that moves no money by itself; return it, or why there is none."""
        response = yield self.post(path, form, key=key, step=step)
        return read_json(response, "Stripe") if response.status == 200 else self.refused(response)

    def look(self, resource: Resource, reference: str) -> Dialogue[Fields]:
        """Ask for one object by its id."""
        query = expand(resource.expanded) if resource.expanded else None
        return (yield from self.ask(f"{resource.path}/{named(reference)}", query, step="look_up"))

    def find(
        self, resource: Resource, reference: str, read: Callable[[Fields], Finding]
    ) -> Dialogue[Finding]:
        """Ask for one object by its id, and return what *read* makes of it."""
        return read((yield from self.look(resource, reference)))

    def change(
        self,
        resource: Resource,
        reference: str,
        verb: str,
        form: Form,
        read: Read,
        *,
        left: str,
        key: str,
        step: str = "",
        moves_money: bool = False,
        look_at: Collection[int] = (),
        done: Collection[str] = TAKEN,
        replays: bool = False,
        note: bool = True,
    ) -> Dialogue[Outcome]:
        """
        Do *verb* with an object, and look at the object if that is refused; see `settle`.

        With *replays* it is looked at as well if Stripe kept the answer under our key while the
        object was open, so that it may be outdated.
        """

        def look(refusal: Rejected | None) -> Dialogue[Finding]:
            return read((yield from self.look(resource, reference)), refusal)

        if note:
            yield Note(reference)
        path = f"{resource.path}/{named(reference)}/{verb}"
        response = yield self.post(path, form, key=key, step=step or verb, moves_money=moves_money)
        outcome = yield from self.settle(
            response,
            read,
            look,
            left=left,
            reference=reference if note or moves_money else "",
            moves_money=moves_money,
            look_at=look_at,
            done=done,
        )
        if not (replays and is_outdated(outcome, response)):
            return outcome
        found = yield from look(None)
        return outcome if isinstance(found, NotFound) else found

    def settle(
        self,
        response: Response,
        read: Read,
        look: Callable[[Rejected], Dialogue[Finding]] | None,
        *,
        left: str,
        moves_money: bool = False,
        reference: str = "",
        look_at: Collection[int] = (),
        done: Collection[str] = (),
    ) -> Dialogue[Outcome]:
        """
        Return what *read* makes of the object that was changed, or what the refusal means.

        Only the object says what became of it if it has moved on, or was locked, and with the
        statuses *look_at*. It has moved on usually by an earlier sending of ours, which worked:
        what it is now is the answer. If *look* finds it where it was, the refusal is. *left* is the
        reason of the doubt about an object that was changed, and is where it was.
        """
        if response.status == 200:
            told = read_json(response, "Stripe")
            found = read(told, None)
            if not isinstance(found, NotFound):
                return found
            reason = left.format(status=told.text("status", ""))
            return Unknown(reason=reason, reference=reference or told.id("id", ""))
        refused = self.refused(response, money_may_move=moves_money, reference=reference, done=done)
        if look is None or not isinstance(refused, Rejected):
            return refused
        moved = refused.cause is RejectCause.STATE or refused.raw_code == codes.LOCKED
        if not moved and response.status not in look_at:
            return refused
        found = yield from look(refused)
        return refused if isinstance(found, NotFound) else found

    # --- Answers ------------------------------------------------------------------------

    def refused(
        self,
        response: Response,
        *,
        money_may_move: bool = False,
        reference: str = "",
        done: Collection[str] = (),
    ) -> Outcome:
        """
        Return what an error means for the money, or raise `BadResponse` if it is not Stripe's.

        A decline that shows its own intent in one of the states *done* contradicts itself, and is
        no decline before the intent was looked at: a second charge would take the money twice.
        """
        error = error_of(response)
        code, type_ = error.text("code", ""), error.text("type", "")
        raw_code, intent = code or type_, error.at("payment_intent")
        reference = reference or read_id(error, "payment_intent")
        if intent:
            self.check_live(intent)
        if response.status == 402 or type_ == "card_error":
            stands = intent.text("status", "") or error.text("setup_intent.status", "")
            if stands in done:
                return Unknown(
                    reason=f"Stripe declined it ({raw_code}), though its intent is {stands}",
                    reference=reference,
                )
            return codes.declined(error, reference)
        # The same key with another body, or a sending that is still under way: either way an
        # earlier request of ours exists.
        mismatch = type_ == "idempotency_error"
        known = mismatch or response.status == 409 or code == codes.KEY_IN_USE
        if known and money_may_move:
            return Unknown(
                reason=f"Stripe knows this key already: {raw_code or response.status}",
                reference=reference,
                flagged=mismatch,
            )
        cause = BUSY if known else _cause_of(response.status, error)
        return refusal(
            response,
            "Stripe",
            money_may_move=money_may_move,
            cause=(RejectCause.KEY_MISMATCH, False) if mismatch else cause,
            certain=type_ in codes.REFUSES,
            raw_code=raw_code,
            message=error.text("message", ""),
            reference=reference,
        )

    def identify(self, told: Fields, kind: str, reference: str = "") -> str:
        """Return the id of an object, or raise `BadResponse` if it is not the one asked for."""
        told.expect(object=kind)
        identity = told.id("id", pattern=ID)
        if reference:
            told.expect(id=reference)
        # The schema of a refund has no livemode; that of everything else here requires one.
        if kind != "refund" or "livemode" in told:
            self.check_live(told)
        return identity

    def check_live(self, told: Fields) -> None:
        """Raise `BadResponse` if what is told of is of the other mode than the key."""
        if told.value("livemode") is not self.settings.live:
            raise BadResponse(
                "Stripe answered in the wrong mode: the key is for "
                f"{'live' if self.settings.live else 'test'} payments"
            )


def error_of(response: Response) -> Fields:
    """Return the error in an answer, or raise `BadResponse` if there is none."""
    error = read_json(response, "Stripe").at("error")
    if not error:
        raise BadResponse(f"status {response.status} without an error of Stripe's")
    return error


def _cause_of(status: int, error: Fields) -> Cause | None:
    """Return why a request was refused by the code of *error*, if the status refuses it at all."""
    code = error.text("code", "")
    if status not in CAUSES_BY_STATUS:
        return None
    if code == "resource_missing" and error.text("param", "") in ("payment_method", "customer"):
        return RejectCause.METHOD_GONE, CAUSES_BY_STATUS[status][1]
    return codes.CAUSES.get(code)


def expect_ok(response: Response) -> Fields:
    """Return what an inquiry found, or raise what Stripe says against us."""
    if response.status == 200:
        return read_json(response, "Stripe")
    error = error_of(response)
    code = error.text("code", "")
    said = code or error.text("type", "") or "no code"
    raise unanswered(response, "Stripe", cause=codes.CAUSES.get(code), said=said)


def read_page(page: Fields) -> tuple[list[Fields], str | None]:
    """Return the entries of a list, and the last id if more pages follow."""
    page.expect(object="list")
    found = page.entries("data")
    more = page.flag("has_more")
    return found, page.id(f"data.{len(found) - 1}.id", pattern=ID) if more else None


def is_outdated(outcome: Outcome, response: Response) -> bool:
    """Return whether *outcome* is of an answer that Stripe kept while its object was open."""
    replayed = response.headers.get("idempotent-replayed", "").strip().lower() == "true"
    ended = isinstance(outcome, Approved | Declined | Rejected)
    return replayed and not ended and outcome.reference != ""


def read_id(told: Fields, name: str) -> str:
    """Return the id of a related object, whether that was expanded or not; or an empty text."""
    return told.id(name, "", pattern=ID) or told.id(f"{name}.id", "", pattern=ID)


# --- Parts of forms -------------------------------------------------------------------


def named(reference: str) -> str:
    """Return *reference* if it can be a part of an address, or raise `BadResponse`."""
    if not ID.fullmatch(reference):
        raise BadResponse(f"{reference[:40]!r} is not an id of Stripe's")
    return reference


def expand(*names: str) -> Form:
    """Ask for whole objects instead of their ids."""
    return [(f"expand[{number}]", name) for number, name in enumerate(names)]


def scanned(inquiry: Inquiry, after: str) -> Form:
    """Ask a list for what was made about the time of sending, after the object *after*."""
    last = inquiry.last_sent_at or inquiry.sent_at
    query = [
        ("created[gte]", str(int((inquiry.sent_at - SCAN_BEFORE).timestamp()))),
        ("created[lte]", str(int((last + SCAN_AFTER).timestamp()))),
        ("limit", str(PAGE)),
    ]
    return [*query, *filled({"starting_after": after})]


def our_ids(payment: str, our_ref: str, within: str = "") -> Form:
    """Name our ids in the metadata, or in that of the object *within* is about."""
    name = inside(within, "metadata")
    ids = {"paygate_payment": payment, "paygate_attempt": our_ref}
    return filled({f"{name}[{key}]": value[:METADATA_MAX] for key, value in ids.items()})


def inside(within: str, name: str) -> str:
    """Return the name of a parameter, or of that of the object *within* is about."""
    return f"{within}[{name}]" if within else name


def person(who: Customer, within: str = "") -> Form:
    """Write name, telephone and address of *who*, of the object or of what is *within* it."""
    address, place = inside(within, "address"), who.address
    facts = {
        inside(within, "name"): who.name,
        inside(within, "phone"): who.phone,
        f"{address}[line1]": place.line1,
        f"{address}[line2]": place.line2,
        f"{address}[city]": place.city,
        f"{address}[state]": place.region,
        f"{address}[postal_code]": place.postal_code,
        f"{address}[country]": place.country,
    }
    return filled({name: fact[:TEXT_MAX] for name, fact in facts.items()})
