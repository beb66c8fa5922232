"""How requests to Stripe are written and its answers are read.

What an answer must contain is checked, and a contradiction is a `BadResponse`, never a guess. What
only informs is read if it is there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import urlencode

from paygate import driver
from paygate.driver import filled, form_body, read_json, refusal, short_key, unanswered
from paygate.drivers.stripe import codes
from paygate.drivers.stripe.codes import ID

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from paygate.driver import Dialogue, Fields, Finding, Form, Members, Outcome, Request, Response
    from paygate.drivers.stripe.settings import StripeSettings

API_VERSION: Final = "2026-06-24.dahlia"

RETRY_HEADER: Final = "Stripe-Should-Retry"
"""Says whether the same request, with the same key, may be sent again."""

KEY_MAX: Final = 255
METADATA_MAX: Final = 500
TEXT_MAX: Final = 500
PAGE: Final = 100

# Our clock and Stripe's may differ, and a lost request may arrive late.
SCAN_BEFORE: Final = timedelta(minutes=10)
SCAN_AFTER: Final = timedelta(hours=1)

OURS: Final = "metadata.paygate_attempt"
"""The path of our reference in everything we make."""

TAKEN: Final = ("succeeded", "processing")
"""States of an intent whose money was taken, or is on its way."""

BEGUN: Final = (*TAKEN, "requires_capture")
"""States of an intent that was confirmed and not declined."""

Read: TypeAlias = "Callable[[Fields, driver.Rejected | None], Finding]"
"""Reads an object after it was changed, or, with the refusal, after Stripe refused to change it."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind of object: its path, and the related object that is returned whole with it."""

    path: str
    expanded: str = ""


INTENT: Final = Resource("payment_intents", "latest_charge")
SETUP: Final = Resource("setup_intents", "payment_method")
CARD: Final = Resource("payment_methods")
PAGE_ONLY: Final = Resource("checkout/sessions")
PAGE_PAID: Final = Resource("checkout/sessions", "payment_intent.latest_charge")
PAGE_KEPT: Final = Resource("checkout/sessions", "setup_intent.payment_method")


class Api:
    """One account at Stripe: its requests, and what the answers mean."""

    def __init__(self, settings: StripeSettings) -> None:
        self.settings = settings

    # --- Requests -----------------------------------------------------------------------

    def get(self, path: str, query: Form | None = None, *, step: str) -> Request:
        """Return a request for what is at *path*."""
        return driver.Request(
            method="GET",
            url=f"{self.settings.api_base}/v1/{path}" + (f"?{urlencode(query)}" if query else ""),
            step=step,
            headers=self._headers(),
            repeatable=True,
            retry_header=RETRY_HEADER,
        )

    def post(
        self, path: str, form: Members, *, key: str, step: str, moves_money: bool = False
    ) -> Request:
        """Return a request that makes or changes something, with an idempotency key of its own."""
        return driver.Request(
            method="POST",
            url=f"{self.settings.api_base}/v1/{path}",
            step=step,
            headers={
                **self._headers(),
                "Content-Type": "application/x-www-form-urlencoded",
                "Idempotency-Key": short_key(key, step, KEY_MAX),
            },
            body=form_body(filled(form)),
            moves_money=moves_money,
            retry_header=RETRY_HEADER,
            # Creating twice with one key creates once. The charge itself is not repeated blindly:
            # a saved error would be played back, while the intent has the real state.
            repeatable=not moves_money,
        )

    def _headers(self) -> dict[str, str]:
        connected = self.settings.connected_account
        return {
            "Authorization": f"Bearer {self.settings.secret_key.reveal()}",
            "Stripe-Version": API_VERSION,
            **({"Stripe-Account": connected} if connected else {}),
        }

    def ask(self, path: str, query: Form | None = None, *, step: str) -> Dialogue[Fields]:
        """Return what is at *path*, or raise if the inquiry is refused."""
        return expect_ok((yield self.get(path, query, step=step)))

    def create(
        self, path: str, form: Members, *, key: str, step: str
    ) -> Dialogue[Fields | Outcome]:
        """Return a new object that moves no money by itself, or why it was not made."""
        response = yield self.post(path, form, key=key, step=step)
        return read_json(response, "Stripe") if response.status == 200 else self.refused(response)

    def look(self, resource: Resource, reference: str) -> Dialogue[Fields]:
        """Return one object by its id."""
        query = filled({"expand": [resource.expanded]})
        return (yield from self.ask(f"{resource.path}/{named(reference)}", query, step="look_up"))

    def find(
        self, resource: Resource, reference: str, read: Callable[[Fields], Finding]
    ) -> Dialogue[Finding]:
        """Return what *read* makes of one object."""
        return read((yield from self.look(resource, reference)))

    def change(
        self,
        resource: Resource,
        reference: str,
        verb: str,
        read: Read,
        form: Members | None = None,
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
        Apply *verb* to an object, and look at the object if that is refused; see `settle`.

        With *replays* the object is looked at as well if Stripe played back an answer from the
        time when it was still open.
        """

        def look(refusal: driver.Rejected | None) -> Dialogue[Finding]:
            return read((yield from self.look(resource, reference)), refusal)

        if note:
            yield driver.Note(reference)
        path = f"{resource.path}/{named(reference)}/{verb}"
        response = yield self.post(
            path, form or {}, key=key, step=step or verb, moves_money=moves_money
        )
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
        return outcome if isinstance(found, driver.NotFound) else found

    def settle(
        self,
        response: Response,
        read: Read,
        look: Callable[[driver.Rejected], Dialogue[Finding]] | None,
        *,
        left: str = "",
        moves_money: bool = False,
        reference: str = "",
        look_at: Collection[int] = (),
        done: Collection[str] = (),
    ) -> Dialogue[Outcome]:
        """
        Return what *read* makes of the changed object, or what the refusal means.

        If the object was in another state or locked, or the status is one of *look_at*, *look*
        finds the object, and its state is the answer: usually an earlier sending of ours worked. If
        it is unchanged (`NotFound`), the refusal is the answer. *left* is the reason of the doubt
        about an answer of success that shows the object unchanged.
        """
        if response.status == 200:
            changed = read_json(response, "Stripe")
            found = read(changed, None)
            if not isinstance(found, driver.NotFound):
                return found
            reason = left.format(status=changed.text("status", ""))
            return driver.Unknown(reason=reason, reference=reference or changed.id("id", ""))
        refused = self.refused(response, money_may_move=moves_money, reference=reference, done=done)
        if look is None or not isinstance(refused, driver.Rejected):
            return refused
        moved = refused.cause is driver.RejectCause.STATE or refused.raw_code == codes.LOCKED
        if not moved and response.status not in look_at:
            return refused
        found = yield from look(refused)
        return refused if isinstance(found, driver.NotFound) else found

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

        A decline that shows its own intent in one of the states *done* contradicts itself. It is
        unknown until the intent is looked at: a second charge would take the money twice.
        """
        error = error_of(response)
        code, type_ = error.text("code", ""), error.text("type", "")
        raw_code, intent = code or type_, error.at("payment_intent")
        reference = reference or read_id(error, "payment_intent")
        if intent:
            self.check_live(intent)
        if response.status == 402 or type_ == "card_error":
            status = intent.text("status", "") or error.text("setup_intent.status", "")
            if status not in done:
                return codes.declined(error, reference)
            reason = f"Stripe declined it ({raw_code}), though its intent is {status}"
            return driver.Unknown(reason=reason, reference=reference)
        # The same key with another body, or a request that is still running: either way an earlier
        # request of ours exists.
        mismatch = type_ == "idempotency_error"
        known = mismatch or response.status == 409 or code == codes.KEY_IN_USE
        if known and money_may_move:
            return driver.Unknown(
                reason=f"Stripe knows this key already: {raw_code or response.status}",
                reference=reference,
                flagged=mismatch,
            )
        cause = driver.BUSY if known else _cause_of(response.status, error)
        return refusal(
            response,
            "Stripe",
            money_may_move=money_may_move,
            cause=(driver.RejectCause.KEY_MISMATCH, False) if mismatch else cause,
            certain=type_ in codes.REFUSES,
            raw_code=raw_code,
            message=error.text("message", ""),
            reference=reference,
        )

    def identify(self, found: Fields, kind: str, reference: str = "") -> str:
        """Return the id of an object, or raise `BadResponse` if it is not the one asked for."""
        found.expect(object=kind)
        identity = found.id("id", pattern=ID)
        if reference:
            found.expect(id=reference)
        # The schema of a refund has no livemode; that of everything else here requires one.
        if kind != "refund" or "livemode" in found:
            self.check_live(found)
        return identity

    def check_live(self, found: Fields) -> None:
        """Raise `BadResponse` if an object is of the other mode than the key."""
        if found.value("livemode") is not self.settings.live:
            raise driver.BadResponse(
                "Stripe answered in the wrong mode: the key is for "
                f"{'live' if self.settings.live else 'test'} payments"
            )


def error_of(response: Response) -> Fields:
    """Return the error in an answer, or raise `BadResponse` without one."""
    error = read_json(response, "Stripe").at("error")
    if not error:
        raise driver.BadResponse(f"status {response.status} without an error of Stripe's")
    return error


def _cause_of(status: int, error: Fields) -> driver.Cause | None:
    """Return why a request was refused by the code of *error*, if the status refuses it at all."""
    if status not in driver.CAUSES_BY_STATUS:
        return None
    code = error.text("code", "")
    if code == "resource_missing" and error.text("param", "") in ("payment_method", "customer"):
        return driver.RejectCause.METHOD_GONE, driver.CAUSES_BY_STATUS[status][1]
    return codes.CAUSES.get(code)


def expect_ok(response: Response) -> Fields:
    """Return what an inquiry found, or raise the error that Stripe reports."""
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
    """Return whether Stripe played back an answer from the time when its object was still open."""
    replayed = response.headers.get("idempotent-replayed", "").strip().lower() == "true"
    final = isinstance(outcome, driver.Approved | driver.Declined | driver.Rejected)
    return replayed and not final and outcome.reference != ""


def read_id(found: Fields, name: str) -> str:
    """Return the id of a related object, expanded or not, or an empty text."""
    return found.id(name, "", pattern=ID) or found.id(f"{name}.id", "", pattern=ID)


# --- Parts of forms -------------------------------------------------------------------


def named(reference: str) -> str:
    """Return *reference* if it can be a part of an address, or raise `BadResponse`."""
    if not ID.fullmatch(reference):
        raise driver.BadResponse(f"{reference[:40]!r} is not an id of Stripe's")
    return reference


def scanned(inquiry: driver.Inquiry, after: str) -> Members:
    """Return the query for what was made around the time of sending, after the object *after*."""
    last = inquiry.last_sent_at or inquiry.sent_at
    created = {
        "gte": str(int((inquiry.sent_at - SCAN_BEFORE).timestamp())),
        "lte": str(int((last + SCAN_AFTER).timestamp())),
    }
    return {"created": created, "limit": str(PAGE), "starting_after": after}


def our_ids(payment: str, our_ref: str) -> dict[str, str]:
    """Return our ids, as metadata."""
    return {
        "paygate_payment": payment[:METADATA_MAX],
        "paygate_attempt": our_ref[:METADATA_MAX],
    }


def person(who: driver.Customer) -> Members:
    """Return the name, telephone number and address of *who*."""
    place = who.address
    return {
        "name": who.name[:TEXT_MAX],
        "phone": who.phone[:TEXT_MAX],
        "address": {
            "line1": place.line1[:TEXT_MAX],
            "line2": place.line2[:TEXT_MAX],
            "city": place.city[:TEXT_MAX],
            "state": place.region[:TEXT_MAX],
            "postal_code": place.postal_code[:TEXT_MAX],
            "country": place.country[:TEXT_MAX],
        },
    }
