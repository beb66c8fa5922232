"""The dialect of CLICK (SHOP API): forms with a signature, and replies in JSON.

Prepare opens a transaction and Complete takes its money. A negative ``error`` in Complete says that
the network canceled it. The signature covers the amount as it is written.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final

from paygate.driver import BadResponse, NotAuthentic, Reply, alike, read_form
from paygate.drivers.terminal.dialect import Answer, Asked, NotReadable, Result, Step

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.driver import Callback, FormFields
    from paygate.drivers.terminal.settings import TerminalSettings

BY: Final = "CLICK"
_ID: Final = re.compile(r"[0-9]{1,20}")
_SIGNED: Final = ("click_trans_id", "service_id", "", "merchant_trans_id")

CODES: Final[Mapping[Result, tuple[int, str]]] = {
    Result.OK: (0, "Success"),
    Result.AUTH_FAILED: (-1, "the signature is wrong"),
    Result.AMOUNT_LOW: (-2, "the amount is too small"),
    Result.AMOUNT_HIGH: (-2, "the amount is too large"),
    Result.AMOUNT_WRONG: (-2, "the amount is wrong"),
    Result.BAD_COMMAND: (-3, "the action is unknown"),
    Result.ALREADY_PAID: (-4, "it is paid already"),
    Result.CANNOT_CANCEL: (-4, "it is paid already"),
    Result.ACCOUNT_NOT_FOUND: (-5, "the account is not found"),
    Result.BAD_ACCOUNT: (-5, "the account number has another form"),
    Result.ACCOUNT_INACTIVE: (-5, "the account is not active"),
    Result.NOT_FOUND: (-6, "the transaction is not found"),
    Result.RETRY_LATER: (-7, "try again later"),
    Result.CONFLICT: (-7, "the transaction has other facts"),
    Result.NOT_ALLOWED: (-7, "the payment is not possible now"),
    Result.CANNOT_PERFORM: (-9, "the transaction is canceled"),
}
"""The code of a result, with its note; any other is -8."""


class Click:
    """The dialect of one account."""

    signed: ClassVar[bool] = True
    lifetime: ClassVar[timedelta | None] = None

    def __init__(self, settings: TerminalSettings) -> None:
        self._settings = settings

    def read(self, callback: Callback) -> Asked:
        """Return what a signed form asks."""
        try:
            form = read_form(callback.body, BY)
        except BadResponse:
            raise NotReadable(Result.BAD_SYNTAX) from None
        text = {name: str(form.value(name) or "") for name in (*_SIGNED, "merchant_prepare_id")}
        action = str(form.value("action") or "")
        self._check_signature(form, text, action)
        echo = {name: text[name] for name in ("click_trans_id", "merchant_trans_id")}
        if action not in ("0", "1"):
            raise NotReadable(Result.BAD_COMMAND, echo)
        if not _ID.fullmatch(text["click_trans_id"]):
            raise NotReadable(Result.BAD_REQUEST, echo)
        account = text["merchant_trans_id"]
        if not self._settings.is_account(account):
            raise NotReadable(Result.BAD_ACCOUNT, echo)
        try:
            amount = form.money("amount", self._settings.currency)
        except BadResponse:
            raise NotReadable(Result.AMOUNT_WRONG, echo) from None
        if amount.minor <= 0:
            raise NotReadable(Result.AMOUNT_LOW, echo)
        error = str(form.value("error") or "0")
        step = Step.RESERVE if action == "0" else Step.PERFORM
        if step is Step.PERFORM and error.startswith("-"):
            step = Step.CANCEL
        return Asked(
            step=step,
            transaction=text["click_trans_id"],
            account=account,
            amount=amount,
            reason=error.lstrip("-")[:10] if step is Step.CANCEL else "",
            echo={**echo, "action": action},
        )

    def _check_signature(self, form: FormFields, text: Mapping[str, str], action: str) -> None:
        """Raise `NotAuthentic` unless the form has the signature of our secret."""
        secret = self._settings.secret
        if secret is None:
            raise NotAuthentic("the account has no secret", why="signature")
        parts = [text[name] if name else secret.reveal() for name in _SIGNED]
        parts += [text["merchant_prepare_id"]] if action == "1" else []
        parts += [str(form.value("amount") or ""), action, str(form.value("sign_time") or "")]
        made = hashlib.md5("".join(parts).encode(), usedforsecurity=False).hexdigest()
        if not alike(made, str(form.value("sign_string") or "")):
            raise NotAuthentic("the form is not signed with the secret", why="signature")
        if self._settings.service_id not in ("", text["service_id"]):
            raise NotAuthentic("the form is of another service", why="other_account")

    def write(self, answer: Answer) -> Reply:
        """Return *answer* with our number of the transaction."""
        result, more = answer.result, dict[str, Any]()
        if answer.asked.step is Step.CANCEL and result is Result.OK:
            result = Result.CANNOT_PERFORM
        if answer.opened is not None and answer.asked.echo["action"] == "0":
            more = {"merchant_prepare_id": answer.opened.number}
        if answer.paid is not None and answer.asked.echo["action"] == "1":
            more = {"merchant_confirm_id": answer.paid.number}
        return _json(result, {**answer.asked.echo, **more})

    def write_error(self, result: Result, echo: Mapping[str, str]) -> Reply:
        """Return an error."""
        return _json(result, echo)


def _json(result: Result, members: Mapping[str, Any]) -> Reply:
    code, note = CODES.get(result, (-8, "the request cannot be read"))
    shown = {name: value for name, value in members.items() if name != "action"}
    body = {**shown, "error": code, "error_note": note}
    headers = {"content-type": "application/json; charset=utf-8"}
    return Reply(headers=headers, body=json.dumps(body).encode())
