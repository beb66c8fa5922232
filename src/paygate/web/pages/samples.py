"""Samples: views of every state of the pages, with values as the ledger would fill them in.

The page of all states shows them, and the tests look at each of them in every language.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from paygate.domain.kind import Kind
from paygate.domain.money import Money
from paygate.slips import code128_svg, qr_svg
from paygate.web.pages.states import PageState
from paygate.web.pages.views import (
    AmountField,
    ByScript,
    Copyable,
    Does,
    Fact,
    Link,
    PageView,
    PayerInput,
    PayForm,
    Picture,
    Post,
    Problem,
    ReceiptRow,
    ReceiptView,
    ScriptSource,
    SlipView,
    Step,
    StepState,
    SummaryLine,
)
from paygate.web.pages.ways import way_to_pay
from paygate.web.pages.wording import TEXTS, reason_of
from paygate.web.settings import WebSettings
from paygate.web.texts import Text, TimeOfDay, several, text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paygate.web.pages.views import Target
    from paygate.web.texts import Value

_TOTAL: Final = Money.of("USD", "67.50")
_PART: Final = Money.of("USD", "30.00")
_NEW: Final = Money.of("USD", "57.50")
_AT: Final = datetime(2026, 11, 29, 10, 42, tzinfo=UTC)
_DAY: Final = date(2026, 12, 6)
_ADDRESS: Final = "bc1qalwlmdxd2ggue4290ekzxl9tetg56neexr6amw"
_BTC: Final = "0.00071238"
_SLIP: Final = "84100742931651"
_TOKEN: Final = "sample"  # noqa: S105  (a sample is never accepted)

LOGO: Final = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" '
    b'rx="7" fill="#12573f"/><path d="M16 26V14M16 16c0-5 3-8 8-8 0 5-3 8-8 8M16 19c0-4-3-6-7-6 0 '
    b'4 3 6 7 6" fill="none" stroke="#fff" stroke-width="2"/></svg>'
)


def sample_settings(
    base_url: str = "https://alder.example/pay", *, embed_origins: Sequence[str] = ()
) -> WebSettings:
    """Return the settings of the merchant of the samples."""
    return WebSettings(
        payee="Alder Telecom",
        base_url=base_url,
        embed_origins=embed_origins,
        support_phone="+1 555 0100",
        support_email="billing@alder.example",
        legal_lines=("400 Mill Street, Portland, OR 97204", "Tax number 93-1234567"),
        logo=LOGO,
    )


_INVOICES: Final = (
    ("INV-1041", date(2026, 11, 12), Money.of("USD", "25.00")),
    ("INV-1052", date(2026, 12, 1), Money.of("USD", "30.00")),
    ("INV-1053", date(2026, 12, 1), Money.of("USD", "12.50")),
)
_LINES: Final = tuple(
    SummaryLine(text("{number}, due {date}", number=number, date=due), amount)
    for number, due, amount in _INVOICES
)
_WAYS: Final = (
    way_to_pay("card", Kind.CARD, _TOTAL, brands="Visa, Mastercard, Amex"),
    way_to_pay(
        "bank",
        Kind.E_CHECK,
        _TOTAL,
        duration=several("{n} working day", "{n} working days", 3),
    ),
    way_to_pay("paypal", Kind.REDIRECT, _TOTAL, processor="PayPal"),
    way_to_pay("bitcoin", Kind.BITCOIN, _TOTAL, duration=timedelta(minutes=15)),
    way_to_pay("cash", Kind.VOUCHER, _TOTAL),
)
_FORM: Final = PayForm(
    action="/pay/l/sample", token=_TOKEN, legend=text("How do you want to pay?"), ways=_WAYS
)
_ANOTHER: Final = replace(
    _FORM, legend=text("Pay {amount} another way", amount=_TOTAL), action="/pay/p/sample"
)
_VALUES: Final[Mapping[str, Value]] = {
    "amount": _TOTAL,
    "processor": "PayPal",
    "app": "Swish",
    "btc": _BTC,
    "time": TimeOfDay(_AT + timedelta(minutes=15)),
    "date": _DAY,
    "duration": several("{n} working day", "{n} working days", 3),
    "rest": Money.of("USD", "37.50"),
    "extra": Money.of("USD", "2.50"),
    "reason": Text(reason_of("insufficient_funds")),
    "old": _TOTAL,
    "new": _NEW,
}
_PAID_FACTS: Final = (
    Fact(text("Invoices"), "INV-1041, INV-1052, INV-1053"),
    Fact(text("Paid with"), text("{brand} ending {digits}", brand="Visa", digits="4242")),
    Fact(text("Date"), _AT),
    Fact(text("Receipt"), "RCT-000118"),
)
_STEPS: Final = (
    Step(
        StepState.NOW,
        text("Waiting for your payment"),
        text("You can close this page and come back."),
    ),
    Step(StepState.NEXT, text("Seen in the network")),
    Step(StepState.NEXT, text("Paid")),
)
_LEADS: Final[Mapping[Does, Target]] = {
    Does.PRINT: ByScript(),
    Does.NEW_PRICE: Post("/pay/p/sample", {"try": _TOKEN, "do": "renew"}),
    Does.WALLET: Link(f"bitcoin:{_ADDRESS}?amount={_BTC}"),
}


def _plain(state: PageState) -> PageView:
    """Return a page of *state* with its usual buttons."""
    found = state not in (PageState.NOT_FOUND, PageState.TRY_LATER, PageState.NOTHING_DUE)
    return PageView(
        state=state,
        values=_VALUES,
        amount=_TOTAL if found else None,
        reference="7KQ2-M4TD" if found else "",
        targets={each: _LEADS.get(each, Link("/pay/p/sample")) for each in TEXTS[state].buttons},
    )


def _samples() -> dict[str, PageView]:
    """Return the samples by name; the name of a state, or of a state and what is special."""
    found = {str(state): _plain(state) for state in PageState}
    choose = replace(found["choose"], form=_FORM, lines=_LINES)
    half = Money.of("USD", "5.00")
    chosen = replace(
        choose,
        values={**_VALUES, "amount": _PART},
        amount=_PART,
        lines=_LINES[1:2],
    )
    amount = AmountField(typed="", minimum=half, maximum=_PART)
    found |= {
        "choose": choose,
        "choose-one": replace(choose, form=replace(_FORM, ways=_WAYS[:1])),
        "choose-amount": replace(chosen, form=replace(_FORM, amount=amount)),
        "choose-wrong": replace(
            chosen,
            form=replace(
                _FORM,
                ways=(_WAYS[0], _WAYS[4]),
                amount=replace(amount, typed="2.00"),
                problems=(
                    Problem(
                        "amount",
                        text(
                            "Enter an amount between {minimum} and {maximum}",
                            minimum=half,
                            maximum=_PART,
                        ),
                    ),
                    Problem("via", text("Choose how you want to pay")),
                ),
            ),
        ),
        "choose-payer": replace(
            choose,
            form=replace(
                _FORM,
                ways=_WAYS[:2],
                chosen="bank",
                inputs=(
                    PayerInput(
                        name="email",
                        label=text("E-mail address"),
                        type="email",
                        autocomplete="email",
                    ),
                    PayerInput(
                        name="phone", label=text("Telephone"), type="tel", autocomplete="tel"
                    ),
                ),
                problems=(Problem("email", text("Enter an e-mail address")),),
            ),
        ),
        "go-post": replace(
            found["go"],
            targets={
                **found["go"].targets,
                Does.CONTINUE: Post("https://processor.example/pay", {"token": "t"}, external=True),
            },
        ),
        "script": replace(
            found["script"],
            script=ScriptSource(
                url="",  # a sample loads no script of a processor
                publishable_key="pk_sample",
                client_secret="cs_sample",  # noqa: S106  (a sample)
                return_to="https://alder.example/pay/p/sample/back",
            ),
        ),
        "elsewhere": replace(
            found["elsewhere"], notes=(text("Compare the number: {code}", code="4711"),)
        ),
        "bitcoin": replace(
            found["bitcoin"],
            picture=Picture(
                svg=qr_svg(f"bitcoin:{_ADDRESS}?amount={_BTC}", scale=None),
                label=text("Code for your wallet"),
            ),
            copyables=(
                Copyable(label=text("Address"), text=_ADDRESS),
                Copyable(label=text("Amount in BTC"), text=_BTC),
            ),
            steps=_STEPS,
        ),
        "code": replace(
            found["code"],
            picture=Picture(
                svg=qr_svg("00020126580014br.gov.bcb.pix0136123e4567-e12b-12d1-a456", scale=None),
                label=text("Code for your app"),
            ),
            copyables=(Copyable(label=text("Code as text"), text="00020126580014br.gov.bcb.pix"),),
        ),
        "slip": replace(
            found["slip"],
            facts=(
                Fact(text("Pay to"), "Alder Telecom"),
                Fact(text("For"), "INV-1041, INV-1052, INV-1053"),
            ),
            slip=SlipView(
                number="8410 0742 9316 51",
                code=Picture(svg=code128_svg(_SLIP), label=text("Barcode")),
                state_code=Picture(
                    svg=qr_svg("https://alder.example/pay/p/sample", scale=None),
                    label=text("State of this payment"),
                ),
                issued=_AT.date(),
            ),
        ),
        "pending-seen": replace(
            found["pending"],
            values={**_VALUES, "duration": timedelta(minutes=20)},
            steps=(
                Step(StepState.DONE, text("Waiting for your payment")),
                Step(
                    StepState.NOW,
                    text("Seen in the network"),
                    text("{n} of {all} confirmations", n=0, all=2),
                ),
                Step(StepState.NEXT, text("Paid")),
            ),
            poll="/pay/p/sample/state",
            version="1",
        ),
        "paid": replace(found["paid"], facts=_PAID_FACTS),
        "over": replace(found["over"], facts=_PAID_FACTS),
        "partly": replace(
            found["partly"], values={**_VALUES, "amount": _PART}, facts=_PAID_FACTS[1:]
        ),
        "declined": replace(found["declined"], form=_ANOTHER),
        "unknown": replace(found["unknown"], facts=(Fact(text("Last asked"), TimeOfDay(_AT)),)),
        "changed": replace(found["changed"], amount=_NEW, form=_FORM),
    }
    return found


SAMPLES: Final[Mapping[str, PageView]] = _samples()
"""A view of each state by its name, and views of what else a state can show."""

RECEIPT: Final = ReceiptView(
    number="RCT-000118",
    received=Money.of("USD", "70.00"),
    received_on=_AT.date(),
    facts=(
        _PAID_FACTS[1],
        Fact(text("Received on"), _AT.date()),
        Fact(text("Reference"), "7KQ2-M4TD"),
    ),
    rows=tuple(
        ReceiptRow(number=number, due=due, total=amount, paid=amount, open=Money.zero("USD"))
        for number, due, amount in _INVOICES
    ),
    credit=Money.of("USD", "2.50"),
    targets={Does.PRINT: ByScript(), Does.BACK: Link("https://alder.example/")},
)
"""A payment receipt."""
