"""Harbour Pay's messages: forms there, lines of ``name=value`` back."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from urllib.parse import urlencode

from paygate.driver import (
    ActionRequired,
    Approved,
    BadReply,
    DeclineCode,
    Declined,
    Finding,
    Kind,
    Money,
    Movement,
    NotFound,
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


def build(
    login: Secret[str], step: str, key: str, form: Mapping[str, str], *, moves_money: bool = False
) -> Request:
    """Build any message; the key makes a repetition known as one."""
    return Request(
        method="POST",
        url=f"https://api.harbour.example/{step}",
        step=step,
        headers={
            "authorization": f"Basic {login.reveal()}",
            "content-type": "application/x-www-form-urlencoded",
            "x-request": step_key(key, step),
        },
        body=urlencode(form).encode(),
        moves_money=moves_money,
        repeatable=not moves_money,
    )


def write_amount(money: Money) -> dict[str, str]:
    """Write "10,99", or refuse what Harbour Pay does not take."""
    if money.currency not in codes.DIGITS:
        raise Unsupported(f"Harbour Pay does not take {money.currency}")
    return {"sum": f"{money.decimal:f}".replace(".", ","), "cur": money.currency}


def read_amount(told: Mapping[str, str]) -> Money:
    """Read "10,99", or raise `BadReply`."""
    try:
        return Money.of(told["cur"], Decimal(told["sum"].replace(",", ".")))
    except (KeyError, InvalidOperation, UsageError) as error:
        raise BadReply("Harbour Pay names no amount") from error


def read(response: Response) -> dict[str, str]:
    """Read the lines of an answer; what is no such line is none of Harbour Pay's."""
    try:
        lines = response.body.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise BadReply("Harbour Pay answers in ASCII") from error
    told = dict(line.split("=", 1) for line in lines if "=" in line)
    if len(told) != len(lines) or not all(value.isprintable() for value in told.values()):
        raise BadReply("the answer is not made of lines with a name and a value")
    return told


def need(told: Mapping[str, str], name: str) -> str:
    """Read what must be there."""
    if not told.get(name):
        raise BadReply(f"Harbour Pay gives no {name}")
    return told[name]


def parse(response: Response, asked: Money | None = None) -> Outcome:
    """Read what became of an operation, in which *asked* was to move."""
    if response.status != 200:
        raise BadReply(f"Harbour Pay answered with status {response.status}")
    told = read(response)
    match need(told, "result"):
        case "ok":
            return _done(told, asked)
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
        case _:
            raise BadReply("Harbour Pay says what it never said before")


def parse_found(response: Response, our_ref: str) -> Finding:
    """Read what an inquiry found; one that is refused finds nothing out."""
    told = read(response)
    if response.status == 200 and need(told, "result") == "none":
        return NotFound()
    outcome = parse(response)
    if isinstance(outcome, Rejected) or need(told, "ref") != our_ref:
        raise BadReply("that is no answer to the inquiry")
    return outcome


def movement(told: Mapping[str, str]) -> Movement:
    """Read the money that moved."""
    kind = codes.MOVED.get(need(told, "moved"))
    if kind is None:
        raise BadReply("Harbour Pay moved money in a way that is new to us")
    return Movement(movement_id=need(told, "id"), amount=read_amount(told), kind=kind)


def _done(told: Mapping[str, str], asked: Money | None) -> Outcome:
    method = None
    if "card" in told:
        last4 = need(told, "last4")[-4:]
        method = StoredMethod(token=Secret(need(told, "card")), kind=Kind.CARD, last4=last4)
    moved = (movement(told),) if "moved" in told else ()
    if asked is not None and [each.amount for each in moved] != [asked]:
        raise BadReply("another amount moved than was asked for")
    return Approved(reference=need(told, "id"), movements=moved, method=method)
