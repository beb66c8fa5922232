"""The subject of the cases: a driver, its settings, and the transcripts of its processor."""

from __future__ import annotations

import string
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from paygate.driver import (
    Capture,
    Charge,
    Completion,
    Customer,
    Enrollment,
    Forgetting,
    Inquiry,
    Kind,
    Money,
    OneTimeToken,
    Operation,
    PostalAddress,
    RawBankAccount,
    RawCard,
    Refunding,
    Secret,
    StoredToken,
    Voiding,
    Withdrawal,
)
from paygate.testing.conformance.amounts import read_amounts
from paygate.testing.conformance.explain import does_not_apply
from paygate.testing.conformance.facts import names_amounts
from paygate.testing.conformance.transcripts import TranscriptError, read_transcript

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from paygate.driver import Callback, Gateway, Method, Rail, Traits
    from paygate.testing.conformance.transcripts import Case, Transcript

CURRENCIES: Final = ("currency", "currency_lower")
"""The placeholders that stand for a currency."""

NOW: Final = datetime(2026, 8, 3, 12, 0, tzinfo=UTC)
"""The instant at which everything in the kit happens."""

CARD: Final = RawCard(Secret("4111111111111111"), 12, 2030, Secret("7379"), "Ada Example")
ACCOUNT: Final = RawBankAccount(
    Secret("021000021"), Secret("98761234567"), "checking", "Ada Example"
)

OTHER_PAYER: Final = Customer(
    id="C-8",
    name="Grace Other",
    email="grace@example.com",
    phone="+1 202 555 0199",
    address=PostalAddress(
        line1="2 Side Street",
        city="Shelbyville",
        region="IL",
        postal_code="62565",
        country="US",
    ),
    zone="America/Chicago",
    language="en",
)
"""The payer in the cases that check whether the payer's data is passed on."""

PAYER: Final = Customer(
    id="C-7",
    name="Ada Example",
    email="ada@example.com",
    phone="+1 202 555 0143",
    address=PostalAddress(
        line1="1 Main Street",
        city="Springfield",
        region="IL",
        postal_code="62701",
        country="US",
    ),
    zone="America/Chicago",
    language="en",
)


class Subject:
    """The driver under test; every class of the driver's tests inherits from it."""

    driver: ClassVar[type[Any]]
    """The class that the entry point names."""
    settings: ClassVar[Mapping[str, Any]]
    """The settings of a test account."""
    transcripts: ClassVar[Path]
    """The folder with a file for each operation."""
    kind: ClassVar[Kind] = Kind.CARD
    """The kind of payment that is tested: a driver for several kinds has a `Subject` for each."""
    amount: ClassVar[Money] = Money("USD", 1999)
    """The amount that the cases use; code that calculates with floats turns it into 1998 cents."""
    other_amount: ClassVar[Money] = Money("USD", 115)
    """Another amount, of which none may be booked as ours."""
    other_currency: ClassVar[str] = "EUR"
    """A currency that a response may state by mistake."""
    cassettes: ClassVar[Path | None] = None
    """The folder of recorded conversations, if there is one; it is searched for secrets."""
    other_listener: ClassVar[Mapping[str, Any]] = {}
    """Settings for whose account the callbacks are not signed.

    They are needed if the processor signs with a key of its own, so that no secret of the account
    is part of the signature.
    """
    now: ClassVar[datetime] = NOW
    """The time at which requests are sent and callbacks are signed."""
    examples: ClassVar[int] = 60
    """How many responses a case generates, if it generates any."""
    methods: ClassVar[Mapping[type, Method]] = {
        OneTimeToken: OneTimeToken.of("tok_visa"),
        StoredToken: StoredToken(Secret("stored-4Kq9")),
        RawCard: CARD,
        RawBankAccount: ACCOUNT,
    }
    """The payment method to charge, by the type that the traits name."""
    other_methods: ClassVar[Mapping[type, Method]] = {}
    """Other methods by type, for the cases that check whether the right method is sent.

    Without one, the kit derives it from `methods`.
    """

    # --- What an author may override ---------------------------------------------------------

    def gateway(self, **changed: Any) -> Gateway:
        """Return a new gateway account, with some settings *changed*."""
        model = self.driver.settings_model
        made: Gateway = self.driver(model.model_validate({**self.settings, **changed}))
        return made

    def amount_text(self, money: Money) -> str:
        """Return *money* as the processor writes it, for ``${amount}`` in a transcript."""
        return str(money.minor)

    def signed(self, body: bytes, at: datetime) -> Callback:
        """Return the callback that the processor sends with *body*, signed at the instant *at*.

        Implement the signature from the processor's manual; do not call the driver's own code.
        """
        del body, at
        raise TranscriptError(
            f"{type(self).__name__} does not define how the processor signs its callbacks. Define "
            "signed(self, body, at) so that it returns the Callback that arrives",
            lacks="signed",
        )

    # --- What the driver is asked to do ------------------------------------------------------

    def method(self) -> Method | None:
        """Return the method to charge: the first type that the traits of the rail name."""
        for of in (OneTimeToken, StoredToken, RawCard, RawBankAccount):
            if of in self.rail.methods:
                return self.methods[of]
        return None

    def charge(self, **given: Any) -> Charge:
        """Return the charge or authorization to test."""
        facts: dict[str, Any] = {
            "key": "k-conformance-1",
            "our_ref": "att-7f3a",
            "payment": "pay-7f3a",
            "amount": self.amount,
            "kind": self.kind,
            "method": self.method(),
            "payer": PAYER,
            "invoices": ("INV-7",),
            "description": "Invoice INV-7",
            "return_url": "https://shop.example/back",
            **given,
        }
        return Charge(**facts)

    def completion(self, **given: Any) -> Completion:
        """Return the completion to test."""
        return Completion(**{**self._follow("complete"), **given})

    def capture(self, **given: Any) -> Capture:
        """Return the capture to test."""
        return Capture(**{**self._follow("capture"), **given})

    def voiding(self, **given: Any) -> Voiding:
        """Return the void to test."""
        return Voiding(**{**self._follow("void"), **given})

    def refunding(self, **given: Any) -> Refunding:
        """Return the refund to test."""
        facts: dict[str, Any] = self._follow("refund")
        of = self.transcript("refund").fact("of", "the movement that is refunded")
        facts |= {"movement_id": of, "reason": "requested_by_customer"}
        return Refunding(**{**facts, **given})

    def withdrawal(self, **given: Any) -> Withdrawal:
        """Return the withdrawal of a page to test."""
        facts: dict[str, Any] = self._follow("withdraw")
        del facts["amount"]
        return Withdrawal(**{**facts, **given})

    def enrollment(self, **given: Any) -> Enrollment:
        """Return the enrollment of a method to test."""
        facts: dict[str, Any] = {
            "key": "k-conformance-1",
            "our_ref": "att-7f3a",
            "customer": PAYER,
            "kind": self.kind,
            "method": self.method(),
            "return_url": "https://shop.example/back",
            **given,
        }
        return Enrollment(**facts)

    def forgetting(self, **given: Any) -> Forgetting:
        """Return the deletion of a stored method to test."""
        token = cast("StoredToken", self.methods[StoredToken])
        facts: dict[str, Any] = {"key": "k-conformance-1", "our_ref": "att-7f3a", "token": token}
        return Forgetting(**{**facts, **given})

    def inquiry(self, operation: Operation, **given: Any) -> Inquiry:
        """Return the inquiry about *operation* to test."""
        told = self.transcript(looked_up(operation)).facts
        facts: dict[str, Any] = {
            "operation": operation,
            "key": "k-conformance-1",
            "our_ref": "att-7f3a",
            "payment": "pay-7f3a",
            "reference": told.get("about", ""),
            "parent_reference": told.get("parent", ""),
            "movement_id": told.get("of", ""),
            "amount": self.amount,
            "sent_at": self.now,
            **given,
        }
        return Inquiry(**facts)

    # --- The same with other values -----------------------------------------------------------

    def other_method(self, of: type) -> Method:
        """Return another method of the type *of*, in the same format as the one in `methods`."""
        given = self.other_methods.get(of)
        if given is not None:
            return given
        match self.methods[of]:
            case RawCard() as card:
                return replace(card, number=Secret("5555555555554444"))
            case RawBankAccount() as account:
                return replace(account, account_number=Secret("12348769500"))
            case OneTimeToken() as token:
                return OneTimeToken.of(unlike(token.value.reveal()))
            case StoredToken() as token:
                return StoredToken(Secret(unlike(token.value.reveal())))

    def amounts(self) -> list[Money]:
        """Return amounts that only exact arithmetic gets right, in each scale of currency."""
        path = self.transcripts / "amounts.txt"
        rows = read_amounts(path, self.rail) if path.exists() else []
        more = [row.money for row in rows if not row.refused]
        return list(dict.fromkeys([self.amount, self.other_amount, *more]))

    def amounts_of(self, case: Case) -> list[Money]:
        """Return those of `amounts` that the processor's response in *case* can state."""
        if not case.mentions("minor", "decimal", "amount"):
            return [self.amount]
        anywhere = case.mentions(*CURRENCIES) and not names_amounts(case)
        return [
            money for money in self.amounts() if anywhere or money.currency == self.amount.currency
        ]

    def _follow(self, operation: str) -> dict[str, Any]:
        about = self.transcript(operation).fact(
            "about", "the reference of the payment or page it acts on"
        )
        return {
            "key": "k-conformance-1",
            "our_ref": "att-7f3a",
            "payment": "pay-7f3a",
            "reference": about,
            "amount": self.amount,
        }

    # --- What the cases use -------------------------------------------------------------------

    @property
    def traits(self) -> Traits:
        """The traits of the account."""
        return self.gateway().traits

    @property
    def rail(self) -> Rail:
        """The traits of the kind that is tested."""
        rail = self.traits.rails.get(self.kind)
        if rail is None:
            does_not_apply(f"the traits have no rail for {self.kind}")
        return rail

    def transcript(self, name: str) -> Transcript:
        """Return the transcript *name*."""
        return read_transcript(self.transcripts / f"{name}.txt")

    def expected(self, name: str, cases: Mapping[str, str]) -> list[Case]:
        """
        Return those of *cases* that the transcript *name* contains.

        Raises `TranscriptError` if one is missing and not named in the fact `unreported`.
        """
        transcript = self.transcript(name)
        missing = {
            each: meaning
            for each, meaning in cases.items()
            if each not in transcript and not transcript.leaves_out(each)
        }
        if missing:
            listed = "; ".join(f"{each}: {meaning}" for each, meaning in missing.items())
            raise TranscriptError(
                f"{transcript.path}: cases are missing ({listed}). Add each as '=== name' with "
                "what the processor sends in that case. If it never reports this here, say so at "
                f"the top of the file: 'unreported = {', '.join(missing)}'",
                file=str(transcript.path),
                lacks=next(iter(missing)),
            )
        return [transcript.case(each) for each in cases if each in transcript]

    def values(self, case: Case, money: Money | None = None, **more: str) -> dict[str, str]:
        """Return the values of the placeholders in *case*."""
        money = money or self.amount
        found = {
            "key": "k-conformance-1",
            "our_ref": "att-7f3a",
            "payment": "pay-7f3a",
            "minor": str(money.minor),
            "decimal": f"{money.decimal:f}",
            "currency": money.currency,
            "currency_lower": money.currency.lower(),
            "amount": self.amount_text(money),
            "now": self.now.isoformat(),
            "now_unix": str(int(self.now.timestamp())),
            **more,
        }
        return {
            name: text for name, text in found.items() if name not in case.facts or name in more
        }

    def secrets(self) -> dict[str, str]:
        """Return what must never be shown, by name: credentials, test card and bank account."""
        model = self.driver.settings_model.model_validate(dict(self.settings))
        found = dict(_secrets_in(model, ""))
        assert CARD.security_code is not None
        found["the card number"] = CARD.number.reveal()
        found["the security code"] = CARD.security_code.reveal()
        found["the account number"] = ACCOUNT.account_number.reveal()
        return found


def looked_up(operation: Operation) -> str:
    """Return the name of the transcript for inquiries about *operation*."""
    return "look_up" if operation is Operation.CHARGE else f"look_up_{operation}"


def unlike(text: str) -> str:
    """Return *text* with its last digit changed, or its last letter if it has no digit."""
    for letters in (string.digits, string.ascii_letters):
        for at in reversed(range(len(text))):
            if text[at] in letters:
                other = letters[(letters.index(text[at]) + 5) % len(letters)]
                return f"{text[:at]}{other}{text[at + 1 :]}"
    return f"{text}7"


def _secrets_in(value: Any, name: str) -> list[tuple[str, str]]:
    from pydantic import BaseModel

    if isinstance(value, Secret):
        revealed = cast("Secret[str] | Secret[bytes]", value).reveal()
        text = revealed if isinstance(revealed, str) else revealed.decode("latin-1")
        return [(f"the setting {name}", text)] if len(text) > 3 else []
    if isinstance(value, BaseModel):
        return [
            found
            for field in type(value).model_fields
            for found in _secrets_in(getattr(value, field), f"{name}.{field}".lstrip("."))
        ]
    if isinstance(value, list | tuple | set | frozenset):
        members = cast("Iterable[object]", value)
        return [found for each in members for found in _secrets_in(each, name)]
    if isinstance(value, dict):
        return [
            found
            for key, each in cast("dict[str, object]", value).items()
            for found in _secrets_in(each, f"{name}.{key}")
        ]
    return []
