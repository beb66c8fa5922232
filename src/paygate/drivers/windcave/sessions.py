"""Sessions: a page or hosted fields on which the payer pays, or stores a card.

A session takes one payment. Its id is noted when it is made, and everything that comes of it is
found there. Whatever the browser or a notification says is only a reason to look.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from paygate import driver
from paygate.driver import BadResponse, Operation, Unsupported, read_json
from paygate.drivers.windcave import codes, wire
from paygate.drivers.windcave.codes import SESSION
from paygate.drivers.windcave.settings import AMOUNTS, BY

if TYPE_CHECKING:
    from paygate.driver import Charge, Dialogue, Fields, Money, Outcome, Response
    from paygate.drivers.windcave.wire import Api

_OPERATIONS: Final = {word: operation for operation, word in wire.TYPES.items()}


def check(api: Api, charge: Charge) -> None:
    """Raise `Unsupported` for what a session cannot do."""
    wire.check_amount(api.settings, charge)
    if not charge.return_url and api.settings.form == "page":
        raise Unsupported(f"{BY}'s page needs a return_url to send the payer back to")


def open_to_pay(api: Api, charge: Charge, operation: Operation) -> Dialogue[Outcome]:
    """Open a session for one payment; with `store_method` its card is stored."""
    body: dict[str, object] = {
        "type": wire.TYPES[operation],
        "amount": AMOUNTS.decimal(charge.amount),
        "currency": charge.amount.currency,
        "merchantReference": charge.payment[: wire.REFERENCE_MAX],
        "metaData": wire.described(charge),
        "customer": wire.customer_of(charge.payer),
        **(_stores(api, charge.reason) if charge.store_method else {}),
    }
    return _open(api, body, charge.key, charge.return_url)


def open_to_keep(api: Api, enrollment: driver.Enrollment) -> Dialogue[Outcome]:
    """Open a session in which a card is checked with an amount of 0, and stored."""
    unscheduled = driver.ChargeReason.UNSCHEDULED if enrollment.mandate else None
    body: dict[str, object] = {
        "type": "validate",
        "amount": "0.00",
        "currency": enrollment.currency or api.settings.currencies[0],
        "merchantReference": enrollment.our_ref[: wire.REFERENCE_MAX],
        "customer": wire.customer_of(enrollment.customer),
        **_stores(api, unscheduled),
    }
    return _open(api, body, enrollment.key, enrollment.return_url)


def _stores(api: Api, reason: driver.ChargeReason | None) -> dict[str, object]:
    indicator = codes.FIRST.get(reason, "credentialonfileinitial")
    return {"storeCard": True, **wire.agreed(api.settings, indicator)}


def _open(api: Api, body: dict[str, object], key: str, return_url: str) -> Dialogue[Outcome]:
    back = dict.fromkeys(("approved", "declined", "cancelled"), return_url)
    whole = {
        **body,
        "methods": ["card"],
        "callbackUrls": back if return_url else {},
        "notificationUrl": api.settings.notification_url,
    }
    response = yield api.post("sessions", whole, key=key, step="session")
    if response.status not in (200, 202):
        return api.refused(response, money=False)
    session = read_json(response, BY)
    reference = session.id("id", pattern=SESSION)
    yield driver.Note(reference)
    action = _action(api, session)
    if action is None or session.text("state") != "init":
        raise BadResponse(f"{BY} opened a session in which nobody can pay")
    expires = session.instant("expires", None)
    return driver.ActionRequired(action=action, reference=reference, expires_at=expires)


def _action(api: Api, session: Fields) -> driver.Redirect | driver.ScriptStep | None:
    """Return what the payer must do; None if the session has no link for it."""
    page, base = api.settings.form == "page", api.settings.base
    links = {each.text("rel", ""): each for each in session.each("links", ())}
    link = links.get("hpp" if page else "ajaxSubmitCard")
    if link is None:
        return None
    url = link.url("href", also=[base])
    if driver.origin_of(url) != driver.origin_of(base):
        raise BadResponse(f"{BY} names a form that is not one of this account's mode")
    if page:
        return driver.Redirect(url=url)
    script = f"{base}/js/windcavepayments-hostedfields-v1.js"
    mode = "sec" if api.settings.live else "uat"
    secret = driver.Secret(url)
    return driver.ScriptStep(script_url=script, publishable_key=mode, client_secret=secret)


# --- What became of it ----------------------------------------------------------------------


def find(api: Api, reference: str) -> Dialogue[tuple[Fields, Response] | None]:
    """Return a session, with the answer that has it; None if Windcave does not have it."""
    return api.find("sessions", reference)


def became(
    api: Api, found: tuple[Fields, Response], asked: Money | None, name: str
) -> driver.ActionRequired | driver.Ended | Outcome:
    """Return what became of a session for *asked* (None: to store a card), under our *name*."""
    session, response = found
    reference, expires = session.text("id"), session.instant("expires", None)
    session.expect(merchantReference=name)
    if (asked is None) is not (session.text("type") == "validate"):
        raise BadResponse(f"{BY}'s session is for something else")
    if asked is not None and wire.amount_of(session) != asked:
        raise BadResponse(f"{BY}'s session is about another amount than was asked for")
    state, now = session.text("state"), driver.time_of(response)
    if state == "complete":
        return _result(api, session, asked or wire.amount_of(session), name, reference)
    if state != "init":
        reason = f"{BY} shows the session as {state[:40]!r}"
        return driver.Unknown(reason=reason, reference=reference)
    if expires is not None and now is not None and now > expires:
        return driver.Ended(how=driver.Ending.EXPIRED, reference=reference)
    action = _action(api, session)
    return driver.ActionRequired(action=action, reference=reference, expires_at=expires)


def _result(api: Api, session: Fields, asked: Money, name: str, reference: str) -> Outcome:
    """Return the outcome of the transactions; if it was paid twice, both have come."""
    made, operation = session.each("transactions"), session.choice("type", _OPERATIONS)
    outcomes: list[Outcome] = []
    for each in made:
        each.expect(sessionId=session.text("id"))
        outcomes.append(wire.outcome_of(each, api.check(each, operation, name), asked))
    taken = driver.Approved | driver.Authorized
    good = [(of, each) for of, each in zip(outcomes, made, strict=True) if isinstance(of, taken)]
    if not outcomes:
        return driver.Unknown(reason=f"{BY} shows no result", reference=reference)
    if not good:
        last = replace(outcomes[-1], reference=reference)
        # A session takes one try.
        return replace(last, final=True) if isinstance(last, driver.Declined) else last
    first, paid = replace(good[0][0], reference=reference), good[0][1]
    if isinstance(first, driver.Approved):
        all_of = [each for of, _ in good for each in getattr(of, "movements", ())]
        first = replace(first, movements=tuple(all_of))
    return wire.with_card(first, paid) if session.flag("storeCard", default=False) else first
