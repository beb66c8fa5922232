"""The dialect of OSMP and QIWI, which dozens of kiosk networks have copied.

A request is a query string, or a form; a reply is XML, whose declaration must be its first byte.
The results 0 and 5 end a request, 1 makes the network repeat it. A final refusal of a payment
leaves the money with the network for a manual refund, so only a contradiction is refused.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, Final
from xml.sax.saxutils import escape

from paygate.driver import SCALES, BadResponse, Money, Reply, read_form
from paygate.drivers.terminal.dialect import Answer, Asked, NotReadable, Result, Step

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.driver import Callback, FormFields
    from paygate.drivers.terminal.settings import TerminalSettings

BY: Final = "the terminal network"
_TRANSACTION: Final = re.compile(r"[0-9]{1,20}")

CODES: Final[Mapping[Result, tuple[int, str]]] = {
    Result.OK: (0, "OK"),
    Result.RETRY_LATER: (1, "try again later"),
    Result.BAD_ACCOUNT: (4, "the account number has another form"),
    Result.ACCOUNT_NOT_FOUND: (5, "the account is not found"),
    Result.NOT_ALLOWED: (7, "the payment is not possible now"),
    Result.ALREADY_PAID: (7, "it is paid already"),
    Result.ACCOUNT_INACTIVE: (79, "the account is not active"),
    Result.AMOUNT_LOW: (241, "the amount is too small"),
    Result.AMOUNT_HIGH: (242, "the amount is too large"),
}
"""The code of a result, with its comment; any other is 300."""

_OTHER: Final = 300
_COMMANDS: Final = {"check": Step.CHECK, "pay": Step.PAY}


class Osmp:
    """The dialect of one account."""

    signed: ClassVar[bool] = False
    lifetime: ClassVar[timedelta | None] = None

    def __init__(self, settings: TerminalSettings) -> None:
        self._settings = settings

    def read(self, callback: Callback) -> Asked:
        """Return what a query or a form asks."""
        source = callback.body if callback.method == "POST" and callback.body else callback.query
        try:
            form = read_form(source, BY)
        except BadResponse:
            raise NotReadable(Result.BAD_SYNTAX) from None
        transaction = str(form.value("txn_id") or "")
        echo = {"txn_id": transaction} if _TRANSACTION.fullmatch(transaction) else {}
        step = _COMMANDS.get(str(form.value("command") or ""))
        if step is None:
            raise NotReadable(Result.BAD_COMMAND, echo)
        if not echo:
            raise NotReadable(Result.BAD_REQUEST)
        account = str(form.value("account") or "")
        paying = step is Step.PAY
        if not self._settings.is_account(account) and not (paying and 0 < len(account) <= 200):
            raise NotReadable(Result.BAD_ACCOUNT, echo)
        # The sum of a check may be a placeholder.
        amount = self._amount(form, echo) if paying else None
        echo |= {"sum": str(form.value("sum"))} if paying else {}
        return Asked(step=step, transaction=transaction, account=account, amount=amount, echo=echo)

    def _amount(self, form: FormFields, echo: Mapping[str, str]) -> Money:
        currency = str(form.value("ccy") or self._settings.currency)
        if currency not in SCALES:
            raise NotReadable(Result.BAD_REQUEST, echo)
        try:
            amount = form.money("sum", currency)
        except BadResponse:
            raise NotReadable(Result.AMOUNT_WRONG, echo) from None
        if amount.minor <= 0:
            raise NotReadable(Result.AMOUNT_LOW, echo)
        return amount

    def write(self, answer: Answer) -> Reply:
        """Return *answer* as XML; a payment that is stored has our number."""
        asked, paid = answer.asked, answer.paid
        stored = paid is not None and answer.result is Result.OK and asked.step is Step.PAY
        number = {"prv_txn": str(paid.number)} if stored and paid is not None else {}
        shown: dict[str, str] = {}
        facts = answer.facts
        if asked.step is Step.CHECK and answer.result is Result.OK:
            due = "" if facts.due is None else f"{facts.due.decimal:f}"
            shown = {name: text for name, text in (("name", facts.name), ("due", due)) if text}
        members = {**_echoed(asked.echo), **number}
        if stored:
            members["sum"] = asked.echo["sum"]
        return _xml(answer.result, members, shown)

    def write_error(self, result: Result, echo: Mapping[str, str]) -> Reply:
        """Return an error as XML."""
        return _xml(result, _echoed(echo), {}, status=403 if result is Result.AUTH_FAILED else 200)


def _echoed(echo: Mapping[str, str]) -> dict[str, str]:
    return {"osmp_txn_id": echo["txn_id"]} if "txn_id" in echo else {}


def _xml(
    result: Result, members: Mapping[str, str], shown: Mapping[str, str], *, status: int = 200
) -> Reply:
    code, comment = CODES.get(result, (_OTHER, result.value.replace("_", " ")))
    parts = [f"<{name}>{escape(text)}</{name}>" for name, text in members.items()]
    parts += [f"<result>{code}</result>", f"<comment>{comment}</comment>"]
    if shown:
        fields = "".join(
            f'<field{place} name="{name}" type="disp">{escape(text)}</field{place}>'
            for place, (name, text) in enumerate(shown.items(), 1)
        )
        parts.append(f"<fields>{fields}</fields>")
    body = f'<?xml version="1.0" encoding="UTF-8"?><response>{"".join(parts)}</response>'
    headers = {"content-type": "text/xml; charset=utf-8"}
    return Reply(status=status, headers=headers, body=body.encode())
