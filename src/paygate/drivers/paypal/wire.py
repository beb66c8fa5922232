"""How requests to PayPal are written and its answers are read.

What an answer must contain is checked, and a contradiction is a `BadResponse`, never a guess.
Errors are distinguished by the issue of their first detail, never by their text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlencode

from paygate import driver
from paygate.driver import json_body, read_json, refusal, short_key, unanswered
from paygate.drivers.paypal import codes
from paygate.drivers.paypal.codes import AMOUNTS, ID

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from paygate.driver import Dialogue, Fields, Finding, Money, Outcome, Request, Response
    from paygate.drivers.paypal.settings import PayPalSettings

BY: Final = "PayPal"
KEY_MAX: Final = 108
TEXT_MAX: Final = 127
PAGE_LINKS: Final = ("payer-action", "approve")
ACCESS_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,4000}")


class Api:
    """One account at PayPal: its requests, and what the answers mean."""

    def __init__(self, settings: PayPalSettings) -> None:
        self.settings = settings

    # --- Requests -----------------------------------------------------------------------

    def get(self, path: str, query: Mapping[str, str] | None = None, *, step: str) -> Request:
        """Return a request for what is at *path*."""
        return driver.Request(
            method="GET",
            url=f"{self.settings.base}{path}" + (f"?{urlencode(query)}" if query else ""),
            step=step,
            repeatable=True,
            sign_in=True,
        )

    def post(
        self,
        path: str,
        body: Mapping[str, object] | None,
        *,
        key: str,
        step: str,
        moves_money: bool = False,
    ) -> Request:
        """
        Return a request that makes something, with an id under which it is made once.

        PayPal takes no body at all for some calls: not even an empty object.
        """
        return driver.Request(
            method="POST",
            url=f"{self.settings.base}{path}",
            step=step,
            headers={
                **({} if body is None else {"Content-Type": "application/json"}),
                "Prefer": "return=representation",
                "PayPal-Request-Id": short_key(key, step, KEY_MAX),
            },
            body=b"" if body is None else json_body(body),
            moves_money=moves_money,
            repeatable=not moves_money,
            sign_in=True,
        )

    def ask(
        self, path: str, query: Mapping[str, str] | None = None, *, step: str
    ) -> Dialogue[Fields]:
        """Return what is at *path*, or raise if the inquiry is refused."""
        return expect_ok((yield self.get(path, query, step=step)))

    def find(
        self, path: str, read: Callable[[Fields], Finding], *, step: str = "look_up"
    ) -> Dialogue[Finding]:
        """Return what *read* makes of the object at *path*; `NotFound` if it does not exist."""
        response = yield self.get(path, step=step)
        return driver.NotFound() if is_gone(response) else read(expect_ok(response))

    def view(self, path: str) -> Dialogue[Fields | Outcome]:
        """Return the object at *path* before it is changed, or why PayPal does not show it."""
        response = yield self.get(path, step="look_up")
        return read_json(response, BY) if response.status == 200 else self.refused(response)

    def settle(
        self,
        response: Response,
        read: Callable[[Fields], Finding],
        look: Callable[[], Dialogue[Finding]],
        reference: str,
    ) -> Dialogue[Outcome]:
        """
        Return what *read* makes of the answer to a request that moves money.

        If it was refused because it was done before, *look* finds what was done; if that is
        nothing of ours (`NotFound`), the refusal is the answer.
        """
        if response.status in (200, 201):
            done = read(read_json(response, BY))
            return _undecided(reference) if isinstance(done, driver.NotFound) else done
        refused = self.refused(response, money_may_move=True, reference=reference)
        if not isinstance(refused, driver.Rejected) or refused.raw_code not in codes.DONE:
            return refused
        found = yield from look()
        return refused if isinstance(found, driver.NotFound) else found

    # --- Answers ------------------------------------------------------------------------

    def refused(
        self, response: Response, *, money_may_move: bool = False, reference: str = ""
    ) -> Outcome:
        """Return what an error means for the money, or raise if it is not PayPal's."""
        error = error_of(response)
        issue, name = issue_of(error), error.text("name", "") or error.text("error", "")
        if issue in codes.DECLINES:
            code, retryable = codes.DECLINES[issue]
            return driver.Declined(
                code=code,
                raw_code=issue,
                retryable=retryable,
                message=said_by(error),
                reference=reference,
                final=issue not in codes.CHOOSE_AGAIN,
            )
        if issue in codes.WAITING:
            return driver.ActionRequired(action=self.page_of(error), reference=reference)
        if money_may_move and issue in codes.UNDER_WAY:
            return driver.Unknown(reason=f"PayPal is still busy: {issue}", reference=reference)
        certain = name in codes.REFUSES or issue in codes.CAUSES or name.startswith("invalid_")
        return refusal(
            response,
            BY,
            money_may_move=money_may_move,
            cause=codes.CAUSES.get(issue),
            certain=certain,
            raw_code=issue or name,
            message=said_by(error),
            reference=reference,
        )

    def page_of(self, found: Fields) -> driver.Redirect | None:
        """Return the page of PayPal that the payer must visit, if *found* links to one."""
        also = [self.settings.api_base] if self.settings.api_base else []
        links = {each.text("rel", ""): each for each in found.each("links", ())}
        link = next((links[rel] for rel in PAGE_LINKS if rel in links), None)
        if link is None:
            return None
        url = link.url("href", also=also)
        if driver.origin_of(url) not in self.settings.page_origins:
            raise driver.BadResponse("PayPal names a page that is not one of this account's mode")
        return driver.Redirect(url=url)

    def check_payee(self, found: Fields, path: str = "payee.merchant_id") -> None:
        """Raise `BadResponse` if the money is for another merchant."""
        if found.text(path, self.settings.merchant_id) != self.settings.merchant_id:
            raise driver.BadResponse("PayPal names another merchant than this account's")


def _undecided(reference: str) -> driver.Unknown:
    return driver.Unknown(
        reason="PayPal accepted the request, and shows nothing done", reference=reference
    )


def error_of(response: Response) -> Fields:
    """Return an error of PayPal's, or raise `BadResponse`."""
    error = read_json(response, BY)
    if not error.text("name", "") and not error.text("error", ""):
        raise driver.BadResponse(
            f"status {response.status} without an error of PayPal's", status=response.status
        )
    return error


def issue_of(error: Fields) -> str:
    """Return the issue of the first detail of an error, or an empty text."""
    return error.text("details.0.issue", "")


def said_by(error: Fields) -> str:
    """Return what an error says, with the id that PayPal's support asks for."""
    text = (
        error.text("details.0.description", "")
        or error.text("message", "")
        or error.text("error_description", "")
    )
    debug = error.text("debug_id", "")
    return f"{text} (debug id {debug})" if debug else text


def is_gone(response: Response) -> bool:
    """Return whether PayPal says that an object does not exist."""
    missing = response.status == 404
    return missing and error_of(response).text("name", "") == "RESOURCE_NOT_FOUND"


def is_empty(response: Response) -> bool:
    """Return whether PayPal says that it is done, and nothing else."""
    return response.status == 204 and not response.body


def expect_ok(response: Response) -> Fields:
    """Return what an inquiry found, or raise the error that PayPal reports."""
    if response.status == 200:
        return read_json(response, BY)
    error = error_of(response)
    raise unanswered(response, BY, said=issue_of(error) or error.text("name", ""))


# --- Parts ----------------------------------------------------------------------------


def named(reference: str, pattern: re.Pattern[str] = ID) -> str:
    """Return *reference* if it can be a part of an address, or raise `BadResponse`."""
    if not pattern.fullmatch(reference):
        raise driver.BadResponse(f"{reference[:40]!r} is not an id of PayPal's")
    return reference


def money(amount: Money) -> dict[str, str]:
    """Return *amount* as PayPal writes it."""
    return {"currency_code": amount.currency, "value": AMOUNTS.decimal(amount)}


def read_money(found: Fields, path: str = "amount") -> Money:
    """Return the amount at *path*, or raise `BadResponse`; an amount of 0 moved nothing."""
    amount = AMOUNTS.read_decimal(found, f"{path}.value", found.text(f"{path}.currency_code"))
    if not amount.minor:
        raise driver.BadResponse("PayPal says that money moved, with an amount of 0")
    return amount


class OurIds(NamedTuple):
    """Our ids, which PayPal keeps with the money and in its reports; empty if it is another's."""

    payment: str = ""
    our_ref: str = ""
    held: bool = False
    """Whether the money is captured from an authorization."""


_HELD: Final = "held"


def our_ids(payment: str, our_ref: str, *, held: bool = False) -> str:
    """Return our ids as one text."""
    return ".".join((payment, our_ref, *([_HELD] if held else [])))[:TEXT_MAX]


def read_ids(custom: str) -> OurIds:
    """Return the ids that `our_ids` wrote."""
    match custom.split("."):
        case [payment, our_ref] if payment and our_ref:
            return OurIds(payment, our_ref)
        case [payment, our_ref, word] if payment and our_ref and word == _HELD:
            return OurIds(payment, our_ref, held=True)
        case _:
            return OurIds()
