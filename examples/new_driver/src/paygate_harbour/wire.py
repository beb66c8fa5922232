"""Harbour Pay's messages: the requests are forms, the responses lines of ``name=value``."""

from collections.abc import Mapping
from datetime import datetime
from itertools import count, takewhile

from paygate.driver import (
    AccountFacts,
    ActionRequired,
    Approved,
    Authorized,
    BadResponse,
    Charge,
    DeclineCode,
    Declined,
    Dispute,
    Ended,
    FeedPage,
    Finding,
    FormFields,
    Inquiry,
    Kind,
    Money,
    Movement,
    NotAuthentic,
    NotFound,
    Notice,
    Operation,
    Outcome,
    Pending,
    Redirect,
    Rejected,
    Request,
    Response,
    Secret,
    StoredMethod,
    Unknown,
    filled,
    form_body,
    refusal,
    step_key,
    unanswered,
)
from paygate_harbour import codes
from paygate_harbour.codes import BY
from paygate_harbour.settings import Settings

_BETWEEN_EVENTS = b"\n%\n"
_MOVEMENT = ("moved", "id", "sum", "of")

# --- Building --------------------------------------------------------------------------


def build(
    settings: Settings, step: str, key: str, form: Mapping[str, str], *, moves_money: bool = False
) -> Request:
    """Return the request of a step; the key lets Harbour Pay recognize a repetition."""
    return Request(
        method="POST",
        url=f"https://api.harbour.example/{step}",
        step=step,
        headers={
            "authorization": f"Basic {settings.login.reveal()}",
            "content-type": "application/x-www-form-urlencoded",
            "x-request": step_key(key, step),
        },
        body=form_body(filled(form)),
        moves_money=moves_money,
        repeatable=not moves_money,
    )


def write_amount(money: Money) -> dict[str, str]:
    """Return "19,99" and its currency; raise `Unsupported` for another currency."""
    return {"sum": codes.AMOUNTS.decimal(money).replace(".", ","), "cur": money.currency}


def write_charge(charge: Charge) -> dict[str, str]:
    """Return the fields that a sale, a hold and a page have in common."""
    email = charge.payer.email if charge.payer else ""
    return {**write_amount(charge.amount), "ref": charge.our_ref, "mail": email}


# --- Reading ---------------------------------------------------------------------------


def read(body: bytes) -> FormFields:
    """Return the lines of a message; raise `BadResponse` for anything else."""
    try:
        pairs = [line.split("=", 1) for line in body.decode("ascii").split("\n")]
        lines = dict(pairs)
    except ValueError as error:
        raise BadResponse(f"{BY}: expected lines of name=value") from error
    if len(lines) != len(pairs):
        raise BadResponse(f"{BY}: a name is given twice")
    return FormFields(lines, BY)


def read_amount(data: FormFields, name: str, currency: str) -> Money:
    """Return "19,99" as Money, or raise `BadResponse`."""
    with_point = data.text(name).replace(",", ".")
    return codes.AMOUNTS.read_decimal(FormFields({name: with_point}, BY), name, currency)


def parse(
    settings: Settings, request: Request, response: Response, asked: Money | None = None
) -> Outcome:
    """Return the outcome of an operation that was to move or hold *asked*."""
    if response.status != 200:
        # It comes from something in between: Harbour Pay refuses with a status of 200.
        return refusal(response, BY, money_may_move=request.moves_money, certain=False)
    outcome = _outcome(settings, read(response.body))
    if asked is None:
        return outcome
    match outcome:
        case Approved(movements=moved) if [each.amount for each in moved[:1]] != [asked]:
            raise BadResponse("another amount moved than requested")
        case Authorized(amount=held) if held != asked:
            raise BadResponse("another amount is held than requested")
        case _:
            return outcome


def _outcome(settings: Settings, data: FormFields) -> Outcome:
    if "mode" in data:
        data.expect(mode=settings.mode)
    match data.text("result"):
        case "ok":
            return _approved(data)
        case "held":
            amount = read_amount(data, "sum", data.text("cur"))
            return Authorized(amount=amount, reference=data.id("id"))
        case "no":
            code, retryable = data.choice("why", codes.DECLINES, (DeclineCode.GENERIC, False))
            return Declined(code=code, raw_code=data.id("why"), retryable=retryable)
        case "again":
            return Unknown(reason=f"{BY} has already received this request")
        case "refused":
            cause, retryable = data.choice("why", codes.REFUSALS)
            return Rejected(cause=cause, retryable=retryable, raw_code=data.id("why"))
        case "wait":
            return Pending(reference=data.id("id"))
        case "go":
            return ActionRequired(action=Redirect(url=data.url("where")), reference=data.id("id"))
        case "shut":
            return Ended(how=data.choice("why", codes.SHUT), reference=data.id("id"))
        case _:
            raise data.wrong("result", "the driver does not know")


def _approved(data: FormFields) -> Approved:
    method = None
    if "card" in data:
        last4 = data.id("last4")[-4:]
        method = StoredMethod(token=Secret(data.id("card")), kind=Kind.CARD, last4=last4)
    return Approved(
        reference=data.id("id"),
        movements=movements(data),
        disputes=disputes(data),
        method=method,
    )


def movements(data: FormFields) -> tuple[Movement, ...]:
    """Return the money that moved, and its later movements from the lines ``later.…``."""
    moved = [data] if "moved" in data else []
    later = takewhile(data.__contains__, (f"later.{number}" for number in count(1)))
    moved += [_later(data.text(name)) for name in later]
    return tuple(_movement(each, data.text("cur")) for each in moved)


def _later(line: str) -> FormFields:
    parts = line.split(";")
    if len(parts) != len(_MOVEMENT):
        raise BadResponse(f"{BY}: a movement does not have four parts")
    return FormFields(dict(zip(_MOVEMENT, parts, strict=True)), BY)


def _movement(data: FormFields, currency: str) -> Movement:
    return Movement(
        movement_id=data.id("id"),
        amount=read_amount(data, "sum", currency),
        kind=data.choice("moved", codes.MOVED),
        undoes=data.id("of") if data.text("of", "") else None,
    )


def disputes(data: FormFields) -> tuple[Dispute, ...]:
    """Return the dispute's state, if there is a dispute."""
    if "dispute" not in data:
        return ()
    amount = read_amount(data, "disputed", data.text("cur"))
    state = data.choice("stands", codes.DISPUTED)
    return (Dispute(reference=data.id("dispute"), state=state, amount=amount),)


# --- Inquiries -------------------------------------------------------------------------


def read_answer(response: Response, lines: bytes) -> FormFields:
    """Return the answer to a question, or raise the error of one that was refused."""
    if response.status != 200:
        raise unanswered(response, BY)
    data = read(lines)
    if data.text("result", "") == "refused":
        why = data.text("why", "")
        raise unanswered(response, BY, cause=codes.REFUSALS.get(why), said=why)
    return data


def parse_found(settings: Settings, response: Response, inquiry: Inquiry) -> Finding:
    """Return what an inquiry found; raise `BadResponse` if Harbour Pay refuses the inquiry."""
    data = read_answer(response, response.body)
    if data.text("result") == "none":
        return NotFound()
    data.expect(ref=inquiry.our_ref)
    outcome = _outcome(settings, data)
    if inquiry.operation is Operation.WITHDRAW and isinstance(outcome, ActionRequired):
        return NotFound()
    return outcome


def parse_check(response: Response) -> AccountFacts:
    """Return whose account it is."""
    data = read_answer(response, response.body)
    live = data.choice("mode", {"live": True, "test": False})
    return AccountFacts(merchant_account=data.id("merchant"), live=live)


# --- Webhooks and news -------------------------------------------------------------------


def read_events(settings: Settings, body: bytes, signed_at: datetime) -> list[Notice]:
    """Return the events of a webhook; a line with a percent sign separates them."""
    return [read_event(settings, part, signed_at) for part in body.split(_BETWEEN_EVENTS)]


def read_event(settings: Settings, part: bytes, signed_at: datetime | None = None) -> Notice:
    """Return one event; one that cannot be read must not stop those that follow it."""
    try:
        data = read(part)
        if signed_at is not None:
            # The news do not name the account: they answer its own login.
            check_account(settings, data)
        ended = data.text("type") in ("declined", "shut")
        return Notice(
            event_id=data.id("event"),
            type=data.text("type"),
            our_ref=data.text("ref", ""),
            reference=data.text("id", ""),
            answer=_outcome(settings, data) if ended else None,
            movements=movements(data),
            disputes=disputes(data),
            signed_at=signed_at,
        )
    except BadResponse as error:
        return Notice(event_id="", type="", signed_at=signed_at, unreadable=error.message)


def check_account(settings: Settings, data: FormFields) -> None:
    """Raise `NotAuthentic` unless a webhook is of our merchant and our mode."""
    if data.text("merchant", "") != settings.merchant:
        raise NotAuthentic("the webhook is of another merchant", why="other_account")
    if data.text("mode", "") != settings.mode:
        raise NotAuthentic("the webhook is of the other mode", why="other_mode")


def parse_news(settings: Settings, response: Response, cursor: str) -> FeedPage:
    """Return a page of events; the last part has the cursor of the next page."""
    *parts, last = response.body.split(_BETWEEN_EVENTS)
    end = read_answer(response, last)
    end.expect(result="ok")
    return FeedPage(
        notices=tuple(read_event(settings, part) for part in parts),
        cursor=end.id("next", cursor),
        more=end.choice("more", {"yes": True, "no": False}),
    )
