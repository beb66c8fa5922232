"""Harbour Pay's messages: forms there, lines of ``name=value`` back."""

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
    """Return any message; the key lets Harbour Pay recognise a repetition."""
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
    """Return "19,99" and its currency; raise `Unsupported` for a currency that is not taken."""
    if money.currency not in codes.DIGITS:
        raise Unsupported(f"Harbour Pay does not take {money.currency}")
    return {"sum": f"{money.decimal:f}".replace(".", ","), "cur": money.currency}


def write_payer(payer: Customer | None) -> dict[str, str]:
    """Return what Harbour Pay wants to know about the payer."""
    return {"mail": payer.email} if payer is not None and payer.email else {}


# --- Reading ---------------------------------------------------------------------------


def read(body: bytes) -> dict[str, str]:
    """Return the lines of an answer; raise `BadResponse` for anything else."""
    try:
        lines = body.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise BadResponse("Harbour Pay answers in ASCII") from error
    told = dict(line.split("=", 1) for line in lines if "=" in line)
    if len(told) != len(lines) or not all(value.isprintable() for value in told.values()):
        raise BadResponse("the answer is not made of lines with a name and a value")
    return told


def need(told: Mapping[str, str], name: str) -> str:
    """Return what must be there."""
    if not told.get(name):
        raise BadResponse(f"Harbour Pay gives no {name}")
    return told[name]


def read_amount(text: str, currency: str) -> Money:
    """Return "19,99" as Money, or raise `BadResponse`."""
    try:
        return Money.of(currency, Decimal(text.replace(",", ".")))
    except (InvalidOperation, UsageError) as error:
        raise BadResponse("Harbour Pay names no amount") from error


def parse(settings: Settings, response: Response, asked: Money | None = None) -> Outcome:
    """Return the outcome of an operation in which *asked* was to move."""
    if response.status != 200:
        raise BadResponse(f"Harbour Pay answered with status {response.status}")
    told = read(response.body)
    if told.get("mode", settings.mode) != settings.mode:
        raise BadResponse("Harbour Pay answered in its other mode")
    outcome = _outcome(told)
    moved = movements(told) if isinstance(outcome, Approved) else ()
    if asked is not None and [each.amount for each in moved[:1]] != [asked]:
        if isinstance(outcome, Approved):
            raise BadResponse("another amount moved than was asked for")
        if isinstance(outcome, Authorized) and outcome.amount != asked:
            raise BadResponse("another amount is held than was asked for")
    return outcome


def _outcome(told: Mapping[str, str]) -> Outcome:
    match need(told, "result"):
        case "ok":
            return _approved(told)
        case "held":
            amount = read_amount(need(told, "sum"), need(told, "cur"))
            return Authorized(amount=amount, reference=need(told, "id"))
        case "no":
            code, retryable = codes.DECLINES.get(need(told, "why"), (DeclineCode.GENERIC, False))
            return Declined(code=code, raw_code=told["why"], retryable=retryable)
        case "again":
            return Unknown(reason="Harbour Pay has had this request before")
        case "refused" if need(told, "why") in codes.REFUSALS:
            cause, retryable = codes.REFUSALS[told["why"]]
            return Rejected(cause=cause, retryable=retryable, raw_code=told["why"])
        case "wait":
            return Pending(reference=need(told, "id"))
        case "go" if need(told, "where").startswith("https://"):
            return ActionRequired(action=Redirect(url=told["where"]), reference=need(told, "id"))
        case "shut" if need(told, "why") in codes.SHUT:
            return Ended(how=codes.SHUT[told["why"]], reference=need(told, "id"))
        case _:
            raise BadResponse("Harbour Pay says what it never said before")


def _approved(told: Mapping[str, str]) -> Approved:
    method = None
    if "card" in told:
        last4 = need(told, "last4")[-4:]
        method = StoredMethod(token=Secret(need(told, "card")), kind=Kind.CARD, last4=last4)
    return Approved(
        reference=need(told, "id"),
        movements=movements(told),
        disputes=disputes(told),
        method=method,
    )


def movements(told: Mapping[str, str]) -> tuple[Movement, ...]:
    """Return the money that moved, and then what became of it, from the lines ``later.…``."""
    moved: list[Movement] = []
    if "moved" in told:
        line = ";".join((told["moved"], need(told, "id"), need(told, "sum"), told.get("of", "")))
        moved.append(_movement(line, need(told, "cur")))
    later = (told[name] for name in sorted(told) if name.startswith("later."))
    return (*moved, *(_movement(line, need(told, "cur")) for line in later))


def _movement(line: str, currency: str) -> Movement:
    if line.count(";") != 3:
        raise BadResponse("Harbour Pay tells of money in parts that are not four")
    word, name, amount, undone = line.split(";")
    kind = codes.MOVED.get(word)
    if kind is None or not name:
        raise BadResponse("Harbour Pay moved money in a way that is new to us")
    money = read_amount(amount, currency)
    return Movement(movement_id=name, amount=money, kind=kind, undoes=undone or None)


def disputes(told: Mapping[str, str]) -> tuple[Dispute, ...]:
    """Return how the dispute stands, if there is one."""
    if "dispute" not in told:
        return ()
    state = codes.DISPUTED.get(need(told, "stands"))
    if state is None:
        raise BadResponse("Harbour Pay has a dispute that stands in a way that is new to us")
    amount = read_amount(need(told, "disputed"), need(told, "cur"))
    return (Dispute(reference=need(told, "dispute"), state=state, amount=amount),)


def parse_found(settings: Settings, response: Response, inquiry: Inquiry) -> Finding:
    """Return what an inquiry found; raise `BadResponse` if Harbour Pay refuses to look."""
    told = read(response.body)
    if response.status == 200 and need(told, "result") == "none":
        return NotFound()
    outcome = parse(settings, response)
    if isinstance(outcome, Rejected) or need(told, "ref") != inquiry.our_ref:
        raise BadResponse("that is no answer to the inquiry")
    if inquiry.operation is Operation.WITHDRAW and isinstance(outcome, ActionRequired):
        return NotFound()
    return outcome


# --- Webhooks and news -------------------------------------------------------------------


def notices(settings: Settings, body: bytes) -> list[Notice]:
    """Return the events of a webhook, which are parted by a line with a percent sign."""
    found: list[Notice] = []
    for part in body.split(b"\n%\n"):
        told = read(part)
        if need(told, "merchant") != settings.merchant or need(told, "mode") != settings.mode:
            raise BadResponse("the webhook is another merchant's, or of the other mode")
        found.append(notice(told))
    return found


def notice(told: Mapping[str, str]) -> Notice:
    """Return one event."""
    answer: Outcome | None = None
    if need(told, "type") in ("declined", "shut"):
        answer = _outcome(told)
    return Notice(
        event_id=need(told, "event"),
        type=told["type"],
        our_ref=told.get("ref", ""),
        reference=told.get("id", ""),
        answer=answer,
        movements=movements(told),
        disputes=disputes(told),
    )


def parse_news(response: Response, cursor: str) -> FeedPage:
    """Return a page of events; the last part says where the next one begins."""
    if response.status != 200:
        raise BadResponse(f"Harbour Pay answered with status {response.status}")
    *parts, last = response.body.split(b"\n%\n")
    end = read(last)
    if need(end, "result") != "ok" or need(end, "more") not in ("yes", "no"):
        raise BadResponse("the news do not end as they should")
    found = tuple(replace(notice(read(part)), signed_at=None) for part in parts)
    return FeedPage(notices=found, cursor=end.get("next") or cursor, more=end["more"] == "yes")
