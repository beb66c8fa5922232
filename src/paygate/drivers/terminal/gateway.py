"""What a network of terminals can do: it asks and reports, and we answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from paygate import driver
from paygate.driver import (
    SCALES,
    ActionRequired,
    CallbackStyle,
    Dialogue,
    Ended,
    Ending,
    Kind,
    Notice,
    NotIdempotent,
    Operation,
    Question,
    Reply,
    ShowVoucher,
    at_once,
)
from paygate.drivers.terminal import answering
from paygate.drivers.terminal.access import Access
from paygate.drivers.terminal.click import Click
from paygate.drivers.terminal.dialect import NotReadable, Result
from paygate.drivers.terminal.osmp import Osmp
from paygate.drivers.terminal.payme import Payme
from paygate.drivers.terminal.settings import TerminalSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.drivers.terminal.dialect import Dialect

DIALECTS: Final[Mapping[str, type[Osmp | Payme | Click]]] = {
    "osmp": Osmp,
    "payme": Payme,
    "click": Click,
}


class Terminal:
    """Terminals: the payer types a number and puts in cash, or pays in the network's app."""

    name = "terminal"
    settings_model = TerminalSettings

    def __init__(self, settings: TerminalSettings) -> None:
        self._settings = settings
        self._access = Access(settings)
        self._dialect: Dialect = DIALECTS[settings.dialect](settings)
        currency = settings.currency
        self._amounts = driver.Amounts("the terminal network", {currency: SCALES[currency]})
        self._traits = driver.Traits(
            live=settings.live,
            merchant_account=settings.merchant,
            driver_version="1",
            rails={
                Kind.VOUCHER: driver.Rail(
                    operations=frozenset({Operation.CHARGE, Operation.WITHDRAW}),
                    currencies=frozenset({currency}),
                    limits=driver.limits_of(
                        settings.minimum, settings.maximum, (currency,), "the contract"
                    ),
                    immediate=False,
                    payer_present=True,
                    variable_amount=True,
                )
            },
            idempotency=NotIdempotent(),
            inquiry=driver.InquiryBy.NONE,
            not_found_is_final_after=None,
            callbacks=CallbackStyle.ANSWERED,
            callback_proof=driver.CallbackProof.SIGNED,
        )

    def __repr__(self) -> str:
        mode = "live" if self._settings.live else "test"
        return f"Terminal({self._settings.dialect}, {mode} {self._settings.merchant})"

    @property
    def traits(self) -> driver.Traits:
        """What this account is and can do."""
        return self._traits

    # --- Slips ----------------------------------------------------------------------------

    def charge(self, charge: driver.Charge) -> Dialogue[driver.Outcome]:
        """Print a slip, whose number the payer types at a terminal."""
        if charge.method is not None or charge.moto:
            raise driver.Unsupported("the payer pays at a terminal; give no method, and no moto")
        self._amounts.whole(charge.amount)
        number = driver.slip_number(charge.our_ref)
        slip = ShowVoucher(reference=number, instructions=self._settings.instructions)
        return at_once(ActionRequired(action=slip, reference=number))

    def withdraw(self, withdrawal: driver.Withdrawal) -> Dialogue[driver.Outcome]:
        """Withdraw a slip: from then on a terminal is answered that it may not be paid."""
        return at_once(Ended(how=Ending.CANCELED, reference=withdrawal.reference))

    # --- Requests of the network ----------------------------------------------------------

    def question(self, callback: driver.Callback) -> Dialogue[Question | Reply | None]:
        """Authenticate a request and read it, or return the dialect's error."""
        yield from ()
        self._access.check(callback)
        try:
            asked = self._dialect.read(callback)
        except NotReadable as error:
            return self._dialect.write_error(error.result, error.echo)
        return Question(
            currency=self._settings.currency,
            payer_number=asked.account,
            amount=asked.amount,
            events=answering.events_of(asked),
            since=asked.since,
            until=asked.until,
            request=asked,
        )

    def reply_to(self, question: Question, facts: driver.PayerFacts) -> Reply | Notice:
        """Answer a request, or return what it reports."""
        asked = question.request
        said = answering.decide(asked, facts, self._dialect.lifetime)
        if isinstance(said, Notice):
            return said
        return self._dialect.write(answering.answer_of(said, asked, facts))

    def refuse(self, callback: driver.Callback) -> Reply | None:
        """Refuse a request in the words of the dialect."""
        del callback
        return self._dialect.write_error(Result.AUTH_FAILED, {})
