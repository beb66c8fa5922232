"""The dialect of Payme (Paycom): JSON-RPC, with amounts in tiyin and times in milliseconds.

Errors have HTTP status 200 too. All methods are idempotent by the id of the transaction: Create
opens it, Perform takes its money, Cancel ends it unpaid. One that is not performed within 12 hours
is dead.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from paygate.driver import BadResponse, Money, Reply, read_json
from paygate.drivers.terminal.answering import CANCELED, OPENED, PAID
from paygate.drivers.terminal.dialect import Answer, Asked, NotReadable, Result, Step

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.driver import Callback, Fields, KeptNotice
    from paygate.drivers.terminal.settings import TerminalSettings

BY: Final = "Payme"
_ID: Final = re.compile(r"[0-9A-Za-z_-]{1,64}")
_MILLISECONDS_MAX: Final = 32_503_680_000_000
"""The year 3000."""

_METHODS: Final = {
    "CheckPerformTransaction": Step.CHECK,
    "CreateTransaction": Step.RESERVE,
    "PerformTransaction": Step.PERFORM,
    "CancelTransaction": Step.CANCEL,
    "CheckTransaction": Step.STATUS,
    "GetStatement": Step.STATEMENT,
}
_SHOWN: Final[Mapping[Step, tuple[str, ...]]] = {
    Step.RESERVE: ("create_time", "transaction", "state"),
    Step.PERFORM: ("transaction", "perform_time", "state"),
    Step.CANCEL: ("transaction", "cancel_time", "state"),
}
"""What the result of a method shows of its transaction; CheckTransaction shows all."""
_WITH_ID: Final = (Step.RESERVE, Step.PERFORM, Step.CANCEL, Step.STATUS)

CODES: Final[Mapping[Result, tuple[int, str]]] = {
    Result.BAD_SYNTAX: (-32700, "the request is not JSON"),
    Result.BAD_REQUEST: (-32600, "the request lacks a field"),
    Result.BAD_COMMAND: (-32601, "the method is unknown"),
    Result.AUTH_FAILED: (-32504, "access denied"),
    Result.AMOUNT_LOW: (-31001, "the amount is too small"),
    Result.AMOUNT_HIGH: (-31001, "the amount is too large"),
    Result.AMOUNT_WRONG: (-31001, "the amount is wrong"),
    Result.NOT_FOUND: (-31003, "the transaction is not found"),
    Result.CANNOT_CANCEL: (-31007, "the transaction is completed"),
    Result.CANNOT_PERFORM: (-31008, "the transaction is canceled"),
    Result.CONFLICT: (-31008, "the transaction has other facts"),
    Result.RETRY_LATER: (-31008, "try again later"),
    Result.ACCOUNT_NOT_FOUND: (-31050, "the account is not found"),
    Result.BAD_ACCOUNT: (-31051, "the account number has another form"),
    Result.ACCOUNT_INACTIVE: (-31052, "the account is not active"),
    Result.ALREADY_PAID: (-31053, "it is paid already"),
    Result.NOT_ALLOWED: (-31054, "the payment is not possible now"),
}
"""The code of a result, with its message. Those of an account are ours to number."""


class Payme:
    """The dialect of one account."""

    signed: ClassVar[bool] = False
    lifetime: ClassVar[timedelta | None] = timedelta(milliseconds=43_200_000)

    def __init__(self, settings: TerminalSettings) -> None:
        self._settings = settings

    def read(self, callback: Callback) -> Asked:
        """Return what a JSON-RPC request asks."""
        try:
            body = read_json(callback.body, BY)
        except BadResponse:
            raise NotReadable(Result.BAD_SYNTAX) from None
        echo = {"id": _rpc_id(body)}
        method, parameters = body.value("method"), body.value("params")
        if not isinstance(method, str) or not isinstance(parameters, dict):
            raise NotReadable(Result.BAD_REQUEST, echo)
        step = _METHODS.get(method)
        if step is None:
            raise NotReadable(Result.BAD_COMMAND, echo)
        try:
            return self._asked(step, body.at("params"), {**echo, "method": method})
        except BadResponse:
            raise NotReadable(Result.BAD_REQUEST, echo) from None

    def _asked(self, step: Step, fields: Fields, echo: Mapping[str, str]) -> Asked:
        if step is Step.STATEMENT:
            until = _time(fields, "to") + timedelta(milliseconds=1)  # inclusive
            return Asked(step=step, since=_time(fields, "from"), until=until, echo=echo)
        paying = step in (Step.CHECK, Step.RESERVE)
        return Asked(
            step=step,
            transaction=fields.id("id", pattern=_ID) if step in _WITH_ID else "",
            account=self._account(fields, echo) if paying else "",
            amount=self._amount(fields, echo) if paying else None,
            reason=str(fields.whole("reason")) if step is Step.CANCEL else "",
            echo=echo,
        )

    def _account(self, fields: Fields, echo: Mapping[str, str]) -> str:
        """Return the number in the field of the contract, or in the only one."""
        value = fields.value("account")
        if not isinstance(value, dict):
            raise NotReadable(Result.BAD_REQUEST, echo)
        given = cast("dict[str, object]", value)
        name = self._settings.account_field
        found = given.get(name) if name else next(iter(given.values()), None)
        if not name and len(given) != 1:
            raise NotReadable(Result.BAD_ACCOUNT, echo)
        account = str(found) if isinstance(found, str | int) else ""
        if not self._settings.is_account(account):
            raise NotReadable(Result.BAD_ACCOUNT, echo)
        return account

    def _amount(self, fields: Fields, echo: Mapping[str, str]) -> Money:
        try:
            minor = fields.whole("amount")
            amount = Money(self._settings.currency, minor)
        except (BadResponse, ValueError):
            raise NotReadable(Result.AMOUNT_WRONG, echo) from None
        if amount.minor <= 0:
            raise NotReadable(Result.AMOUNT_LOW, echo)
        return amount

    def write(self, answer: Answer) -> Reply:
        """Return *answer* as the result of the method, or its error."""
        if answer.result is not Result.OK:
            return self.write_error(answer.result, answer.asked.echo)
        return _rpc(answer.asked.echo, result=self._result(answer))

    def _result(self, answer: Answer) -> dict[str, Any]:
        facts = answer.facts
        match answer.asked.step:
            case Step.CHECK:
                more = {"additional": {"name": facts.name}} if facts.name else {}
                return {"allow": True, **more}
            case Step.STATEMENT:
                return {"transactions": _statement(answer, self._settings)}
            case step if answer.opened is not None:
                found = _transaction(answer.opened, answer.paid, answer.canceled)
                return {name: found[name] for name in _SHOWN.get(step, tuple(found))}
            case _:
                return {}

    def write_error(self, result: Result, echo: Mapping[str, str]) -> Reply:
        """Return an error of JSON-RPC."""
        code, text = CODES.get(result, (-32400, "other error"))
        message = dict.fromkeys(("ru", "uz", "en"), text)
        return _rpc(echo, error={"code": code, "message": message})


def _rpc_id(body: Fields) -> str:
    """Return the id of the request, as JSON, to be repeated."""
    found = body.value("id")
    return json.dumps(found) if isinstance(found, int | str) else "null"


def _rpc(echo: Mapping[str, str], **member: object) -> Reply:
    body = {"jsonrpc": "2.0", "id": json.loads(echo.get("id", "null")), **member}
    headers = {"content-type": "application/json; charset=utf-8"}
    return Reply(headers=headers, body=json.dumps(body).encode())


def _time(fields: Fields, path: str) -> datetime:
    milliseconds = fields.whole(path)
    if not 0 <= milliseconds < _MILLISECONDS_MAX:
        raise fields.wrong(path, "a time")
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=milliseconds)


def _milliseconds(kept: KeptNotice | None) -> int:
    """Return when something was reported to us; 0 if it was not."""
    if kept is None:
        return 0
    return (kept.received_at - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)


def _transaction(
    opened: KeptNotice, paid: KeptNotice | None, canceled: KeptNotice | None
) -> dict[str, Any]:
    """Return the state of a transaction: 1 opened, 2 performed, -1 canceled."""
    reason = "" if canceled is None else canceled.notice.type.partition(" ")[2]
    state = 2 if paid is not None else -1 if canceled is not None else 1
    return {
        "create_time": _milliseconds(opened),
        "perform_time": _milliseconds(paid),
        "cancel_time": _milliseconds(canceled),
        "transaction": str(opened.number),
        "state": state,
        "reason": int(reason) if reason.lstrip("-").isdigit() else None,
    }


def _account_of(opened: KeptNotice) -> str:
    return opened.notice.payer_number or opened.notice.reference


def _statement(answer: Answer, settings: TerminalSettings) -> list[dict[str, Any]]:
    """Return the transactions that were opened in a time, with what became of them."""
    found: list[dict[str, Any]] = []
    by_id = {each.event_id: each for each in answer.facts.listed}
    for id_, opened in by_id.items():
        name = id_.removeprefix(OPENED)
        amount = opened.notice.reserves
        if name == id_ or amount is None or not opened.applied:
            continue
        found.append(
            {
                "id": name,
                "time": _milliseconds(opened),
                "amount": amount.minor,
                "account": {settings.account_field or "account": _account_of(opened)},
                **_transaction(opened, by_id.get(PAID + name), by_id.get(CANCELED + name)),
            }
        )
    return found
