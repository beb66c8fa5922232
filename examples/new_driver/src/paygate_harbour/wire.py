"""Harbour Pay's messages: the requests are forms, the responses lines of ``name=value``."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from urllib.parse import urlencode

from paygate.driver import (
    ActionRequired,
    Approved,
    Authorized,
    BadResponse,
    Customer,
    DeclineCode,
    Declined,
    Dispute,
    Ended,
    FeedPage,
    Finding,
    Inquiry,
    Kind,
    Money,
    Movement,
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
    Unsupported,
    UsageError,
    step_key,
)
from paygate_harbour import codes
from paygate_harbour.settings import Settings

# --- Building --------------------------------------------------------------------------


def build(
    settings: Settings, step: str, key: str, form: Mapping[str, str], *, moves_money: bool = False
) -> Request:
    """Return the request of a step; the key lets Harbour Pay recognise a repetition."""
    return Request(
        method="POST",
        url=f"https://api.harbour.example/{step}",
        step=step,
        headers={
            "authorization": f"Basic {settings.login.reveal()}",
            "content-type": "application/x-www-form-urlencoded",
            "x-request": step_key(key, step),
        },
        body=urlencode(form).encode(),
        moves_money=moves_money,
        repeatable=not moves_money,
    )


def write_amount(money: Money) -> dict[str, str]:
    """Return "19,99" and its currency; raise `Unsupported` for another currency."""
    if money.currency not in codes.DIGITS:
        raise Unsupported(f"Harbour Pay does not take {money.currency}")
    return {"sum": f"{money.decimal:f}".replace(".", ","), "cur": money.currency}


def write_payer(payer: Customer | None) -> dict[str, str]:
    """Return the fields about the payer."""
    return {"mail": payer.email} if payer is not None and payer.email else {}


# --- Reading ---------------------------------------------------------------------------


def read(body: bytes) -> dict[str, str]:
    """Return the lines of a response; raise `BadResponse` for anything else."""
    try:
        lines = body.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise BadResponse("the response is not in ASCII") from error
    data = dict(line.split("=", 1) for line in lines if "=" in line)
    if len(data) != len(lines) or not all(value.isprintable() for value in data.values()):
        raise BadResponse("the response is not made of lines with a name and a value")
    return data


def need(data: Mapping[str, str], name: str) -> str:
    """Return a value; raise `BadResponse` if it is missing or empty."""
    if not data.get(name):
        raise BadResponse(f"the response has no {name}")
    return data[name]


def read_amount(text: str, currency: str) -> Money:
    """Return "19,99" as Money, or raise `BadResponse`."""
    try:
        return Money.of(currency, Decimal(text.replace(",", ".")))
    except (InvalidOperation, UsageError) as error:
        raise BadResponse("the response has no valid amount") from error


def parse(settings: Settings, response: Response, asked: Money | None = None) -> Outcome:
    """Return the outcome of an operation that was to move *asked*."""
    if response.status != 200:
        raise BadResponse(f"Harbour Pay answered with status {response.status}")
    data = read(response.body)
    if data.get("mode", settings.mode) != settings.mode:
        raise BadResponse("the response is of the other mode")
    outcome = _outcome(data)
    moved = movements(data) if isinstance(outcome, Approved) else ()
    if asked is not None and [each.amount for each in moved[:1]] != [asked]:
        if isinstance(outcome, Approved):
            raise BadResponse("another amount moved than requested")
        if isinstance(outcome, Authorized) and outcome.amount != asked:
            raise BadResponse("another amount is held than requested")
    return outcome


def _outcome(data: Mapping[str, str]) -> Outcome:
    match need(data, "result"):
        case "ok":
            return _approved(data)
        case "held":
            amount = read_amount(need(data, "sum"), need(data, "cur"))
            return Authorized(amount=amount, reference=need(data, "id"))
        case "no":
            code, retryable = codes.DECLINES.get(need(data, "why"), (DeclineCode.GENERIC, False))
            return Declined(code=code, raw_code=data["why"], retryable=retryable)
        case "again":
            return Unknown(reason="Harbour Pay has already received this request")
        case "refused" if need(data, "why") in codes.REFUSALS:
            cause, retryable = codes.REFUSALS[data["why"]]
            return Rejected(cause=cause, retryable=retryable, raw_code=data["why"])
        case "wait":
            return Pending(reference=need(data, "id"))
        case "go" if need(data, "where").startswith("https://"):
            return ActionRequired(action=Redirect(url=data["where"]), reference=need(data, "id"))
        case "shut" if need(data, "why") in codes.SHUT:
            return Ended(how=codes.SHUT[data["why"]], reference=need(data, "id"))
        case _:
            raise BadResponse("Harbour Pay reports an unknown result")


def _approved(data: Mapping[str, str]) -> Approved:
    method = None
    if "card" in data:
        last4 = need(data, "last4")[-4:]
        method = StoredMethod(token=Secret(need(data, "card")), kind=Kind.CARD, last4=last4)
    return Approved(
        reference=need(data, "id"),
        movements=movements(data),
        disputes=disputes(data),
        method=method,
    )


def movements(data: Mapping[str, str]) -> tuple[Movement, ...]:
    """Return the money that moved, and its later movements from the lines ``later.…``."""
    moved: list[Movement] = []
    if "moved" in data:
        line = ";".join((data["moved"], need(data, "id"), need(data, "sum"), data.get("of", "")))
        moved.append(_movement(line, need(data, "cur")))
    later = (data[name] for name in sorted(data) if name.startswith("later."))
    return (*moved, *(_movement(line, need(data, "cur")) for line in later))


def _movement(line: str, currency: str) -> Movement:
    if line.count(";") != 3:
        raise BadResponse("a movement does not have four parts")
    word, name, amount, undone = line.split(";")
    kind = codes.MOVED.get(word)
    if kind is None or not name:
        raise BadResponse("the kind of a movement is unknown")
    money = read_amount(amount, currency)
    return Movement(movement_id=name, amount=money, kind=kind, undoes=undone or None)


def disputes(data: Mapping[str, str]) -> tuple[Dispute, ...]:
    """Return the dispute's state, if there is a dispute."""
    if "dispute" not in data:
        return ()
    state = codes.DISPUTED.get(need(data, "stands"))
    if state is None:
        raise BadResponse("the state of a dispute is unknown")
    amount = read_amount(need(data, "disputed"), need(data, "cur"))
    return (Dispute(reference=need(data, "dispute"), state=state, amount=amount),)


def parse_found(settings: Settings, response: Response, inquiry: Inquiry) -> Finding:
    """Return what an inquiry found; raise `BadResponse` if Harbour Pay refuses the inquiry."""
    data = read(response.body)
    if response.status == 200 and need(data, "result") == "none":
        return NotFound()
    outcome = parse(settings, response)
    if isinstance(outcome, Rejected) or need(data, "ref") != inquiry.our_ref:
        raise BadResponse("the response does not answer the inquiry")
    if inquiry.operation is Operation.WITHDRAW and isinstance(outcome, ActionRequired):
        return NotFound()
    return outcome


# --- Webhooks and news -------------------------------------------------------------------


def notices(settings: Settings, body: bytes) -> list[Notice]:
    """Return the events of a webhook; a line with a percent sign separates them."""
    found: list[Notice] = []
    for part in body.split(b"\n%\n"):
        data = read(part)
        if need(data, "merchant") != settings.merchant or need(data, "mode") != settings.mode:
            raise BadResponse("the webhook is of another merchant, or of the other mode")
        found.append(notice(data))
    return found


def notice(data: Mapping[str, str]) -> Notice:
    """Return one event."""
    answer: Outcome | None = None
    if need(data, "type") in ("declined", "shut"):
        answer = _outcome(data)
    return Notice(
        event_id=need(data, "event"),
        type=data["type"],
        our_ref=data.get("ref", ""),
        reference=data.get("id", ""),
        answer=answer,
        movements=movements(data),
        disputes=disputes(data),
    )


def parse_news(response: Response, cursor: str) -> FeedPage:
    """Return a page of events; the last part has the cursor of the next page."""
    if response.status != 200:
        raise BadResponse(f"Harbour Pay answered with status {response.status}")
    *parts, last = response.body.split(b"\n%\n")
    end = read(last)
    if need(end, "result") != "ok" or need(end, "more") not in ("yes", "no"):
        raise BadResponse("the last part of the feed is not valid")
    found = tuple(replace(notice(read(part)), signed_at=None) for part in parts)
    return FeedPage(notices=found, cursor=end.get("next") or cursor, more=end["more"] == "yes")
