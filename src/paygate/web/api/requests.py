"""What programs send: bodies and queries, as models that read them and describe them."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from paygate.domain.currency import SCALES
from paygate.domain.customer import Customer
from paygate.domain.invoice import InvoiceStatus
from paygate.domain.link import LinkStatus
from paygate.domain.money import Money
from paygate.domain.payment import PaymentStatus
from paygate.domain.prepayment import PrepaymentStatus

_PRINTABLE = r"^[^\x00-\x1f\x7f-\x9f]*$"
Id = Annotated[str, Field(min_length=1, max_length=255, pattern=_PRINTABLE)]
OrderKey = Annotated[str, Field(min_length=1, max_length=64, pattern=_PRINTABLE)]
Line = Annotated[str, Field(max_length=255, pattern=_PRINTABLE)]
Day = Annotated[
    str,
    Field(
        max_length=10,
        json_schema_extra={"format": "date"},
        description="A date, such as 2031-12-31.",
    ),
]
Instant = Annotated[
    str,
    Field(
        max_length=40,
        json_schema_extra={"format": "date-time"},
        description="An instant with its zone, such as 2031-01-31T12:00:00Z.",
    ),
]
_CODES: Final[dict[str, JsonValue]] = {"enum": list[JsonValue](sorted(SCALES))}
Currency = Annotated[
    str,
    Field(
        pattern=r"^[A-Z]{3}$",
        description="An ISO 4217 code, or BTC.",
        examples=["USD"],
        json_schema_extra=_CODES,
    ),
]
Reason = Annotated[str, Field(min_length=1, max_length=2_000)]
Text = Annotated[str, Field(max_length=2_000)]


class _Asked(BaseModel):
    """A body or query; names that it does not know are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class MoneyBody(_Asked):
    """An amount in one currency, as text: a number in JSON is often read as a float."""

    amount: Annotated[
        str,
        Field(
            pattern=r"^(0|[1-9][0-9]{0,11})(\.[0-9]{1,8})?$",
            description="With at most the digits that the currency has, such as 30.00.",
            examples=["30.00"],
        ),
    ]
    currency: Currency

    def money(self) -> Money:
        """Return the amount; raise `InvalidAmount` or `InvalidCurrency`."""
        return Money.of(self.currency, self.amount)


class CustomerRequest(_Asked):
    """A customer with facts that the processor may ask for; they can be erased."""

    id: Id
    name: Line = ""
    email: Line = ""
    phone: Line = ""
    zone: Annotated[str, Field(max_length=64, description="An IANA time zone.")] = ""

    def customer(self) -> Customer:
        """Return the customer."""
        return Customer(self.id, name=self.name, email=self.email, phone=self.phone, zone=self.zone)


Who = Annotated[
    Id | CustomerRequest, Field(description="Your id of the customer, or the id with facts.")
]


def customer_of(who: str | CustomerRequest) -> Customer | str:
    """Return the customer whom a request names."""
    return who if isinstance(who, str) else who.customer()


class AmountRange(_Asked):
    """The least and the most that the payer can choose."""

    least: MoneyBody
    most: MoneyBody


class LinkTerms(_Asked):
    """How a payment link can be paid; each can be left out."""

    amount: AmountRange | None = Field(None, description="Set if the payer chooses the amount.")
    uses: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        None, description="For how many payments it is; without it, until nothing is open."
    )
    expires_at: Instant | None = None
    accounts: list[Id] = Field(
        default_factory=list[str], max_length=50, description="The gateway accounts to choose from."
    )
    immediate_only: bool = Field(
        default=False, description="Whether only payments with an immediate result are offered."
    )
    language: Annotated[
        str, Field(pattern=r"^([A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3})?$", max_length=35)
    ] = ""
    return_to: (
        Annotated[
            str,
            Field(
                max_length=2_000,
                pattern=r"^https?://[!-~]+$",
                description=("Where the payer is sent home; {payment} and {result} are filled in."),
            ),
        ]
        | None
    ) = None
    metadata: dict[str, str] = Field(default_factory=dict[str, str], max_length=20)


class PrepaymentRequest(_Asked):
    """An entry: an amount that a customer can pay before its invoice exists."""

    customer: Who
    amount: MoneyBody
    assignment_key: Annotated[
        OrderKey, Field(description="Your order's own key, which its invoice will have, too.")
    ]
    description: Text = ""
    data: dict[str, Any] = Field(
        default_factory=dict[str, Any],
        description="Yours: up to 16 KiB of JSON, repeated in the events of the prepayment.",
    )
    on_rest: Literal["keep", "credit"] = Field(
        "keep", description="Whether money beyond the invoice waits, or becomes credit."
    )
    link: LinkTerms | None = Field(None, description="Make a payment link for it, too.")


class InvoiceRequest(_Asked):
    """An invoice: an amount that a customer owes, under your number."""

    number: OrderKey
    customer: Who
    total: MoneyBody
    due: Day
    issued_on: Day | None = Field(None, description="Today, if it is left out.")
    assignment_key: OrderKey | None = None
    link: LinkTerms | None = Field(None, description="Make a payment link for it, too.")


class LinkRequest(LinkTerms):
    """A payment link for invoices, for a prepayment, or for all that a customer owes."""

    invoices: list[Id] | None = Field(
        None, min_length=1, max_length=100, description="Numbers or ids of invoices."
    )
    prepayment: Id | None = Field(None, description="The id of a prepayment.")
    customer: Who | None = Field(None, description="Whose balance it is for, with a currency.")
    currency: Currency | None = None


class RevokeRequest(_Asked):
    """Why a link is revoked."""

    reason: Reason


class ReissueRequest(_Asked):
    """When the link with its new address expires; as before, if it is left out."""

    expires_at: Instant | None = None


class RefundRequest(_Asked):
    """Money of a payment to send back; all of it, without an amount."""

    amount: MoneyBody | None = None
    to: Literal["reopen", "credit_note", "from_credit"] | None = Field(
        None,
        description=(
            "What happens to the invoices: they are open again, or open and written off by the "
            "same amount, or the money comes from credit of the payment."
        ),
    )
    reason: Text = ""


# --- Queries ---------------------------------------------------------------------------------

Limit = Annotated[int, Field(ge=1, le=200, description="How many, at most.")]
After = Annotated[Id, Field(description="The `next` of the page before.")]
CustomerId = Annotated[Id, Field(description="Of this customer.")]


class PrepaymentQuery(_Asked):
    """Which prepayments, the newest first."""

    customer: CustomerId | None = None
    assignment_key: OrderKey | None = None
    status: PrepaymentStatus | None = None
    after: After | None = None
    limit: Limit = 50


class InvoiceQuery(_Asked):
    """Which invoices, the last issued first."""

    customer: CustomerId | None = None
    status: InvoiceStatus | None = None
    after: After | None = None
    limit: Limit = 50


class LinkQuery(_Asked):
    """Which payment links, the newest first."""

    customer: CustomerId | None = None
    status: LinkStatus | None = None
    after: After | None = None
    limit: Limit = 50


class PaymentQuery(_Asked):
    """Which payments, the newest first."""

    customer: CustomerId | None = None
    status: PaymentStatus | None = None
    invoice: Id | None = None
    after: After | None = None
    limit: Limit = 50


class EventQuery(_Asked):
    """Which events, in the order in which they happened."""

    after: Annotated[
        int, Field(ge=0, le=2**53, description="The position after which they begin.")
    ] = 0
    limit: Limit = 50


class PaperQuery(_Asked):
    """In which language, and on which paper."""

    language: Literal["en", "es", "de", "fr", "ar"] = "en"
    size: Literal["a4", "letter"] = "a4"


class StatementQuery(PaperQuery):
    """Which part of an account: from the first day of `since` to the day before `until`."""

    currency: Currency
    since: Day | None = None
    until: Day | None = None
