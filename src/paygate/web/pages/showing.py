"""Showing: the page of a payment, from its facts in the ledger.

Of what a processor wrote, a page shows what the payer needs: an address, a number, a code, and
instructions. Its own texts about a decline are never shown. A page leads only to origins that the
gateway account names in its traits.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from paygate.domain.action import (
    ApproveElsewhere,
    PayToAddress,
    PostForm,
    Redirect,
    ScriptStep,
    ShowCode,
    ShowVoucher,
)
from paygate.domain.money import Money
from paygate.domain.origin import origin_of
from paygate.domain.payment import PaymentStatus
from paygate.slips import code128_svg, qr_svg
from paygate.slips.barcodes import CODE128_LENGTH_MAX
from paygate.web.pages.names import (
    in_groups,
    paid_with,
    processor_of,
    receipt_number,
    usual_duration,
)
from paygate.web.pages.standing import CHANGING, OFFERS_ANOTHER
from paygate.web.pages.states import PageState
from paygate.web.pages.views import (
    ByScript,
    Copyable,
    Does,
    Fact,
    Link,
    PageView,
    Picture,
    Post,
    ReceiptRow,
    ReceiptView,
    ScriptSource,
    SlipView,
    Step,
    StepState,
)
from paygate.web.pages.wording import reason_of
from paygate.web.settings import is_safe
from paygate.web.texts import Text, TimeOfDay, text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paygate.domain.action import Action
    from paygate.domain.invoice import Invoice
    from paygate.domain.link import PaymentLink
    from paygate.domain.payment import Payment
    from paygate.domain.receipt import Receipt
    from paygate.gateway import Rail
    from paygate.service.account import GatewayAccount
    from paygate.web.pages.standing import GoneBack
    from paygate.web.pages.views import PayForm, Target
    from paygate.web.settings import WebSettings
    from paygate.web.texts import Value

_RUNS_IN_THE_PAGE: Final = frozenset({"javascript", "data", "vbscript", "blob", "file", "about"})
_AT_ONCE: Final = frozenset({PageState.GO})
_WITH_RECEIPT: Final = frozenset(
    {PageState.PAID, PageState.OVER, PageState.PARTLY, PageState.TWICE, PageState.AWAITING}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the page of a payment is made of.

    - *page* is its address, and *home* the address to which the payer is sent home, if any.
    - *action* is the next step with what only the payer's browser may see; None if it was not read.
    - *link* is the link of the payment, if the payer followed one, and *form* pays it another way.
    - *renewal* is the try with which the same way is tried again.
    - *in_frame* says that the page is shown in a frame of the merchant's page.
    """

    payment: Payment
    state: PageState
    page: str
    web: WebSettings
    receipts: Sequence[Receipt] = ()
    back: GoneBack | None = None
    link: PaymentLink | None = None
    account: GatewayAccount | None = None
    action: Action | None = None
    form: PayForm | None = None
    renewal: str = ""
    home: str = ""
    result: str = ""
    version: str = ""
    poll: str = ""
    in_frame: bool = False
    language: str = ""

    @property
    def can_pay_another_way(self) -> bool:
        """Whether the link can be paid in another way now."""
        return self.link is not None and self.state in OFFERS_ANOTHER


def version_of(payment: Payment, state: PageState, link: PaymentLink | None) -> str:
    """Return a text that changes whenever the page of *payment* would show something else."""
    facts = (
        state.value,
        payment.status.value,
        payment.received,
        payment.returned,
        payment.credited,
        payment.awaiting,
        payment.seen,
        payment.sightings,
        type(payment.action).__name__,
        payment.expires_at,
        None if link is None else (link.status.value, link.open),
    )
    return hashlib.blake2s(repr(facts).encode(), digest_size=8).hexdigest()


def view_of(shown: Shown) -> PageView:
    """Return the page of a payment."""
    payment, state = shown.payment, shown.state
    view = PageView(
        state=state,
        values=_values(shown),
        reference=in_groups(payment.short_reference),
        amount=payment.amount,
        facts=_facts(shown),
        targets=_targets(shown),
        form=shown.form if state is PageState.DECLINED else None,
        poll=shown.poll if state in CHANGING else "",
        version=shown.version,
        result=shown.result,
    )
    return _with_action(view, shown)


# --- Values and facts ----------------------------------------------------------------------


def _values(shown: Shown) -> dict[str, Value]:
    payment, back = shown.payment, shown.back
    zero = Money.zero(payment.amount.currency)
    values: dict[str, Value] = {
        "amount": _amount(shown),
        "processor": processor_of(shown.web, payment.account),
        "duration": usual_duration(payment.kind, _rail(shown)),
        "reason": Text(reason_of(payment.code)),
        "rest": _rest(shown),
        "extra": payment.credited,
        "app": "",
        "btc": "",
        "date": shown.web.local_date(payment.created_at) if payment.created_at else "",
        "old": payment.amount,
        "new": zero,
    }
    if back is not None and back.on is not None:
        values["date"] = back.on
    return values


def _amount(shown: Shown) -> Money:
    """Return the amount that the page is about."""
    payment, back = shown.payment, shown.back
    match shown.state:
        case PageState.TAKEN_BACK if back is not None:
            return back.taken
        case PageState.REFUNDED:
            return payment.returned
        case PageState.PARTLY | PageState.OVER | PageState.TWICE | PageState.PAID:
            return payment.received if payment.received.minor else payment.amount
        case PageState.AUTHORIZED if payment.authorized is not None:
            return payment.authorized
        case _:
            return payment.amount


def _rest(shown: Shown) -> Money:
    payment, link = shown.payment, shown.link
    if link is not None and link.open.minor:
        return link.open
    return (
        payment.amount - payment.received if payment.received < payment.amount else payment.amount
    )


def _facts(shown: Shown) -> tuple[Fact, ...]:
    payment = shown.payment
    if shown.state not in _WITH_RECEIPT:
        return ()
    numbers = ", ".join(each.invoice for each in payment.items)
    facts = [Fact(text("Invoices"), numbers)] if numbers else []
    facts.append(Fact(text("Paid with"), paid_with(payment, shown.web)))
    came = [each for each in shown.receipts if each.kind.inward]
    if came:
        facts.append(Fact(text("Date"), came[0].effective))
        facts.append(Fact(text("Receipt"), receipt_number(came[0])))
    return tuple(facts)


def _rail(shown: Shown) -> Rail | None:
    account = shown.account
    return None if account is None else account.traits.rails.get(shown.payment.kind)


# --- Targets -------------------------------------------------------------------------------


def _targets(shown: Shown) -> dict[Does, Target]:
    payment, page = shown.payment, shown.page
    targets: dict[Does, Target] = {
        Does.CHECK: Link(f"{page}/back"),
        Does.PRINT: ByScript(),
    }
    if shown.state is PageState.SLIP:
        targets[Does.SAVE] = Link(f"{page}/slip.pdf")
    if payment.received.minor:
        targets[Does.RECEIPT] = Link(f"{page}/receipt")
    if shown.home:
        targets[Does.BACK] = Link(shown.home, top=True)
    if shown.can_pay_another_way:
        another = Link(f"{page}?another")
        targets |= dict.fromkeys((Does.ANOTHER_WAY, Does.PAY_REST, Does.PAY_AGAIN), another)
    if shown.can_pay_another_way and shown.renewal:
        again = Post(page, {"try": shown.renewal, "do": "again"})
        targets |= {Does.TRY_AGAIN: again, Does.NEW_PRICE: again}
    return targets


def leads_to(shown: Shown, url: str) -> bool:
    """Return whether the page may send its payer to *url*: an origin of the account's traits."""
    account = shown.account
    return account is not None and is_safe(url) and origin_of(url) in account.traits.page_origins


def _can_launch(url: str) -> bool:
    """Return whether *url* opens a site or an app, and runs nothing in the page."""
    scheme = urlsplit(url).scheme.lower()
    return bool(scheme) and scheme not in _RUNS_IN_THE_PAGE and url.isprintable()


# --- Actions -------------------------------------------------------------------------------


def _with_action(view: PageView, shown: Shown) -> PageView:
    """Return *view* with what the payer does next."""
    action = shown.action
    if shown.payment.status is PaymentStatus.PROCESSING and shown.payment.sightings:
        return replace(view, steps=_seen_steps(shown.payment))
    match action:
        case Redirect() | PostForm():
            return _going(view, shown, action)
        case ScriptStep():
            return _by_script(view, shown, action)
        case ShowVoucher() if view.state is PageState.SLIP:
            return _slip(view, shown, action)
        case ShowCode() if view.state is PageState.CODE:
            return _code(view, action)
        case PayToAddress() if view.state is PageState.BITCOIN:
            return _pay_to(view, shown, action)
        case ApproveElsewhere() if view.state is PageState.ELSEWHERE:
            return _elsewhere(view, action)
        case _:
            return view


def _going(view: PageView, shown: Shown, action: Redirect | PostForm) -> PageView:
    if view.state not in (PageState.GO, PageState.CAME_BACK) or not leads_to(shown, action.url):
        return view
    framable = shown.account is not None and shown.account.traits.framable
    at_once = view.state in _AT_ONCE and (framable or not shown.in_frame)
    if isinstance(action, Redirect) and action.method.upper() == "GET":
        to: Target = Link(action.url, top=not framable)
        targets = {**view.targets, Does.CONTINUE: to}
        return replace(view, targets=targets, refresh=action.url if at_once else "")
    fields = dict(action.fields)
    if isinstance(action, PostForm):
        if action.token is None:
            return view
        fields[action.token_field] = action.token.reveal()
    post = Post(action.url, fields, at_once=at_once, external=not framable)
    return replace(view, targets={**view.targets, Does.CONTINUE: post})


def _by_script(view: PageView, shown: Shown, action: ScriptStep) -> PageView:
    if view.state is PageState.CAME_BACK:
        return replace(view, targets={**view.targets, Does.CONTINUE: Link(shown.page)})
    secret = action.client_secret
    if view.state is not PageState.SCRIPT or secret is None:
        return view
    if not leads_to(shown, action.script_url):
        return view
    return replace(
        view,
        script=ScriptSource(
            url=action.script_url,
            publishable_key=action.publishable_key,
            client_secret=secret.reveal(),
            return_to=f"{shown.page}/back",
        ),
    )


def _slip(view: PageView, shown: Shown, action: ShowVoucher) -> PageView:
    payment = shown.payment
    bars = action.barcode or action.reference
    printable = 0 < len(bars) <= CODE128_LENGTH_MAX and bars.isascii() and bars.isprintable()
    numbers = ", ".join(each.invoice for each in payment.items)
    facts = (Fact(text("Pay to"), shown.web.payee), Fact(text("For"), numbers))
    until = shown.web.local_date(payment.expires_at) if payment.expires_at else ""
    return replace(
        view,
        values={**view.values, "date": until},
        facts=facts if numbers else facts[:1],
        slip=SlipView(
            number=action.reference,
            code=Picture(svg=code128_svg(bars), label=text("Barcode")) if printable else None,
            state_code=Picture(
                svg=qr_svg(shown.page, scale=None), label=text("State of this payment")
            ),
            instructions=action.instructions,
            issued=shown.web.local_date(payment.created_at) if payment.created_at else None,
        ),
    )


def _code(view: PageView, action: ShowCode) -> PageView:
    targets = dict(view.targets)
    if _can_launch(action.url):
        targets[Does.WALLET] = Link(action.url)
    return replace(
        view,
        targets=targets,
        picture=Picture(svg=qr_svg(action.payload, scale=None), label=text("Code for your app")),
        copyables=(Copyable(label=text("Code as text"), text=action.payload),),
    )


def _pay_to(view: PageView, shown: Shown, action: PayToAddress) -> PageView:
    payment = shown.payment
    amount = format(action.amount.decimal, "f")
    until: Value = TimeOfDay(payment.expires_at) if payment.expires_at else ""
    targets = dict(view.targets)
    if _can_launch(action.uri):
        targets[Does.WALLET] = Link(action.uri)
    values = {**view.values, "btc": amount, "time": until}
    notes: tuple[Text, ...] = ()
    if payment.received.minor:
        values["amount"] = payment.amount - payment.received
        notes = (text("{amount} received", amount=payment.received),)
    return replace(
        view,
        values=values,
        targets=targets,
        notes=notes,
        picture=Picture(
            svg=qr_svg(action.uri or action.address, scale=None),
            label=text("Code for your wallet"),
        ),
        copyables=(
            Copyable(label=text("Address"), text=action.address),
            Copyable(label=text("Amount in BTC"), text=amount),
        ),
        steps=(
            Step(
                StepState.NOW,
                text("Waiting for your payment"),
                text("You can close this page and come back."),
            ),
            Step(StepState.NEXT, text("Seen in the network")),
            Step(StepState.NEXT, text("Paid")),
        ),
    )


def _seen_steps(payment: Payment) -> tuple[Step, ...]:
    least = min(payment.sightings, key=lambda each: each.confirmations - each.needed)
    note = text("{n} of {all} confirmations", n=least.confirmations, all=least.needed)
    return (
        Step(StepState.DONE, text("Waiting for your payment")),
        Step(StepState.NOW, text("Seen in the network"), note if least.needed else None),
        Step(StepState.NEXT, text("Paid")),
    )


def _elsewhere(view: PageView, action: ApproveElsewhere) -> PageView:
    notes = (text("Compare the number: {code}", code=action.code),) if action.code else ()
    if action.instructions:
        notes = (*notes, Text("{text}", {"text": action.instructions}))
    return replace(view, values={**view.values, "app": action.where}, notes=notes)


# --- The payment receipt -------------------------------------------------------------------


def receipt_of(shown: Shown, invoices: Mapping[str, Invoice]) -> ReceiptView:
    """Return the payment receipt, to print; *invoices* are those of the payment, by number."""
    targets: dict[Does, Target] = {
        Does.PRINT: ByScript(),
        Does.SAVE: Link(f"{shown.page}/receipt.pdf"),
    }
    if shown.home:
        targets[Does.BACK] = Link(shown.home, top=True)
    view = receipt_view(shown.web, shown.payment, shown.receipts, invoices)
    return replace(view, targets=targets)


def receipt_view(
    web: WebSettings,
    payment: Payment,
    receipts: Sequence[Receipt],
    invoices: Mapping[str, Invoice],
) -> ReceiptView:
    """Return what a payment receipt says, without buttons."""
    came = [each for each in receipts if each.kind.inward]
    first = came[0]
    rows = [
        ReceiptRow(
            number=each.invoice,
            due=found.due if found else None,
            total=found.total if found else None,
            paid=each.paid,
            open=found.open if found else None,
        )
        for each in payment.items
        if each.paid.minor > 0
        for found in [invoices.get(each.invoice)]
    ]
    return ReceiptView(
        number=receipt_number(first),
        received=payment.received,
        received_on=first.effective,
        facts=(
            Fact(text("Paid with"), paid_with(payment, web)),
            Fact(text("Received on"), first.effective),
            Fact(text("Reference"), in_groups(payment.short_reference)),
        ),
        rows=tuple(rows),
        credit=payment.credited if payment.credited.minor else None,
    )
