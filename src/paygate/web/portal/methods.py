"""Payment methods: stored at the processor, allowed for automatic payment, replaced and deleted.

The member agrees before they leave for the processor's form: what may be paid with the method is
part of the request to store it, so nothing is half agreed. The request is found again by its key,
which contains the customer; the address of another member leads nowhere.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from paygate.domain.action import PostForm, Redirect
from paygate.domain.attempt import AttemptState
from paygate.domain.kind import Kind, Operation
from paygate.domain.mandate import Mandate, MandateScope
from paygate.domain.money import Money
from paygate.domain.origin import origin_of
from paygate.errors import (
    GatewayNotFound,
    InvalidValue,
    NotPayable,
    NotSubscribed,
    Refused,
    SecretNotKept,
    StoreError,
    UsageError,
)
from paygate.web.pages.names import processor_of
from paygate.web.pages.views import Link, Post, Problem
from paygate.web.pages.visits import NotThereError
from paygate.web.pages.ways import WAYS
from paygate.web.pages.wording import reason_of
from paygate.web.portal.owned import (
    method_of,
    name_of,
    open_invoices,
    stored_methods,
    subscription_of,
)
from paygate.web.portal.serving import GoTo, NotDoneError
from paygate.web.portal.tags import is_being_paid
from paygate.web.portal.views import Ask, Leads, Notice, Option, Question
from paygate.web.settings import is_safe
from paygate.web.texts import Text, text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paygate.domain.invoice import Invoice
    from paygate.domain.method import MethodRequest, PaymentMethod
    from paygate.web.pages.views import Target
    from paygate.web.portal.visit import PortalVisit
    from paygate.web.texts import Value

NOTHING: Final = "nothing"
_SCOPES: Final = (MandateScope.FUTURE.value, MandateScope.FUTURE_AND_PENDING.value, NOTHING)
_WHAT: Final = text("What may be paid with it automatically?")
_CHOOSE_WHAT: Final = text("Choose what may be paid automatically")
_CHOOSE_KIND: Final = text("Choose what you want to store")
_CANNOT: Final = text("This cannot be stored now. Nothing was changed. Try another one.")
_CHANGED: Final = text("Your open invoices have changed. Look at the sum, and send it again.")
_BASIS: Final = "the total of each invoice, on its due date"
_AGREED: Final = (
    text(
        "I authorize {payee} to charge this payment method for what I chose above, until I delete "
        "it here or stop automatic payments. I can do that at any time."
    ),
    text("We keep the date and this text with your agreement."),
)
_AGENT_MAX: Final = 500


# --- What the member agrees to -------------------------------------------------------------


def _question(visit: PortalVisit, pending: Sequence[Invoice], *, nothing: bool) -> Question:
    options = [
        Option(MandateScope.FUTURE.value, text("New invoices only"), text("Each on its due date")),
    ]
    if pending:
        numbers = ", ".join(each.number for each in pending)
        hint = text(
            "{sums} for {numbers}, each on its due date",
            sums=_sums(visit, pending),
            numbers=numbers,
        )
        label = text("New invoices, and what is open now")
        options.append(Option(MandateScope.FUTURE_AND_PENDING.value, label, hint))
    if nothing:
        options.append(Option(NOTHING, text("Nothing"), text("Only when I pay myself")))
    return Question(field="scope", legend=_WHAT, options=options, chosen=visit.given("scope"))


def _sums(visit: PortalVisit, invoices: Sequence[Invoice]) -> Value:
    """Return the sum of *invoices*; of several currencies, each of them."""
    sums: dict[str, int] = {}
    for each in invoices:
        currency = each.room.currency
        sums[currency] = sums.get(currency, 0) + each.room.minor
    amounts = [Money(currency, minor) for currency, minor in sums.items()]
    if len(amounts) == 1:
        return amounts[0]
    return ", ".join(visit.reader.value(each) for each in amounts)


async def _pending(visit: PortalVisit) -> list[Invoice]:
    return [each for each in await open_invoices(visit) if not is_being_paid(each)]


def _version(pending: Sequence[Invoice]) -> str:
    """Return a digest of what is open, which the member saw when they agreed."""
    facts = repr([(each.number, each.room) for each in pending])
    return hashlib.sha256(facts.encode()).hexdigest()[:16]


def _agreed(visit: PortalVisit) -> tuple[Text, ...]:
    payee = {"payee": visit.web.payee}
    return tuple(Text(each.message, payee) for each in _AGREED)


def _mandate(visit: PortalVisit, pending: Sequence[Invoice]) -> Mandate | None:
    """Return what the member agreed to, or None for nothing; raise `NotDoneError`."""
    scope = visit.given("scope")
    offered = {each.value for each in _question(visit, pending, nothing=True).options}
    if scope not in _SCOPES or scope not in offered:
        raise NotDoneError(Problem("scope", _CHOOSE_WHAT))
    if scope == NOTHING:
        return None
    both = scope == MandateScope.FUTURE_AND_PENDING.value
    if both and (visit.form is None or visit.form.version != _version(pending)):
        raise NotDoneError(Problem("scope", _CHANGED))
    shown = "\n".join(visit.reader.plain(each) for each in _agreed(visit))
    digest = hashlib.sha256(shown.encode()).hexdigest()
    return Mandate(
        text_version=visit.version or f"paygate {digest[:12]}",
        text_digest=digest,
        language=visit.reader.code,
        accepted_at=visit.cashier.now(),
        scope=MandateScope(scope),
        pending=[each.number for each in pending] if both else (),
        ip="" if visit.visit.visitor == "unknown" else visit.visit.visitor,
        user_agent=_agent(visit),
        authenticated=visit.member.authenticated,
        basis=_BASIS,
    )


def _agent(visit: PortalVisit) -> str:
    given = visit.visit.request.headers.get("user-agent", "")[:_AGENT_MAX]
    return "".join(each for each in given if each.isprintable())


# --- Storing -------------------------------------------------------------------------------


def _kinds(visit: PortalVisit) -> dict[str, tuple[str, Kind]]:
    """Return what can be stored on a page of a processor, by what the form sends."""
    return {
        f"{name}/{kind.value}": (name, kind)
        for name, account in visit.accounts.items()
        for kind in account.traits.rails
        if kind in WAYS and account.terms.enabled and account.offers(kind, Operation.ENROLL)
    }


async def show_adding(visit: PortalVisit) -> Ask | Notice:
    """Ask what to store and what may be paid with it, before the processor's form."""
    replaced = await method_of(visit) if "method" in visit.params else None
    kinds = _kinds(visit)
    title = text("Add a payment method")
    if replaced is not None:
        title = text("Replace {method}", method=name_of(replaced))
    if not kinds:
        note = text("{payee} stores no payment methods.", payee=visit.web.payee)
        return Notice(title=title, notes=(note,), leads=(_back(visit),))
    pending = await _pending(visit)
    where = Question(
        field="kind",
        legend=text("What do you want to store?"),
        options=[_kind_option(visit, value, *each) for value, each in kinds.items()],
        chosen=visit.given("kind"),
    )
    only = [("kind", next(iter(kinds)))] if len(kinds) == 1 else []
    return Ask(
        title=title,
        token=visit.begin("store" if replaced is None else "replace", _version(pending)),
        button=text("Continue"),
        back=_back(visit),
        hidden=only,
        questions=[*([] if only else [where]), _question(visit, pending, nothing=True)],
        notes=(
            text(
                "You enter its details at the payment processor. {payee} never sees them.",
                payee=visit.web.payee,
            ),
        ),
        agreed=_agreed(visit),
        problems=visit.problems,
    )


def _kind_option(visit: PortalVisit, value: str, account: str, kind: Kind) -> Option:
    way = WAYS[kind]
    label = Text(way.label, {"processor": processor_of(visit.web, account)})
    return Option(value, label, icon=way.icon)


async def store(visit: PortalVisit) -> GoTo:
    """Ask the processor for its form, with what the member agreed to."""
    replaced = await method_of(visit) if "method" in visit.params else None
    chosen = _kinds(visit).get(visit.given("kind"))
    if chosen is None:
        raise NotDoneError(Problem("kind", _CHOOSE_KIND))
    mandate = _mandate(visit, await _pending(visit))
    account, kind = chosen
    place = visit.form_id if replaced is None else f"{visit.form_id}/{replaced.id}"
    try:
        await visit.run(
            visit.cashier.enroll,
            visit.known or visit.member.customer,
            via=account,
            kind=kind,
            key=_key(visit, visit.form_id, "" if replaced is None else replaced.id),
            return_url=visit.at(f"/methods/back/{place}"),
            mandate=mandate,
        )
    except StoreError:
        raise
    except (Refused, UsageError):
        raise NotDoneError(Problem("kind", _CANNOT)) from None
    return GoTo(visit.at(f"/methods/stored/{place}"))


def _key(visit: PortalVisit, nonce: str, replaced: str) -> str:
    """Return the key of a request to store: only its customer can make its address."""
    who = hashlib.sha256(visit.member.customer.encode()).hexdigest()[:24]
    return f"portal.{who}.{nonce}.{replaced}"


async def _request(visit: PortalVisit) -> MethodRequest:
    """Return the request in the address."""
    key = _key(visit, visit.params["nonce"], visit.params.get("method", ""))
    found: Sequence[MethodRequest] = await visit.run(visit.cashier.method_changes, key=key)
    if not found:
        raise NotThereError
    return found[0]


def _place(visit: PortalVisit) -> str:
    method = visit.params.get("method", "")
    return visit.params["nonce"] + (f"/{method}" if method else "")


async def come_back(visit: PortalVisit) -> GoTo:
    """Ask the processor what became of a request, and lead to its page."""
    request = await _request(visit)
    if not request.state.final:
        with suppress(GatewayNotFound, Refused):
            request = await visit.run(visit.cashier.inquire_method, request)
    if request.state is AttemptState.SUCCEEDED and request.method is not None:
        await _replace(visit, request)
    return GoTo(visit.at(f"/methods/stored/{_place(visit)}?back"))


async def _replace(visit: PortalVisit, request: MethodRequest) -> None:
    """Forget the method that the stored one replaces; the same key does it once."""
    replaced = visit.params.get("method", "")
    if not replaced or request.method is None:
        return
    await visit.run(
        visit.cashier.replace_method,
        replaced,
        replacement=request.method,
        key=f"portal.replace.{request.id}",
    )


async def show_request(visit: PortalVisit) -> Notice:
    """Return what became of a request to store a method."""
    request = await _request(visit)
    again = Leads(text("Add a payment method"), visit.at("/methods/new"))
    check = (text("Check again"), Link(visit.at(f"/methods/back/{_place(visit)}")))
    match request.state:
        case AttemptState.SUCCEEDED if request.method is not None:
            return await _stored(visit, request.method)
        case AttemptState.REQUIRES_ACTION:
            return await _going(visit, request)
        case AttemptState.DECLINED:
            return Notice(
                title=text("It was not stored"),
                tone="bad",
                notes=(text("Your bank said no: {reason}.", reason=Text(reason_of(request.code))),),
                leads=(again, _back(visit)),
            )
        case AttemptState.FAILED | AttemptState.CANCELED | AttemptState.EXPIRED:
            return Notice(
                title=text("It was not stored"),
                tone="bad",
                notes=(text("Nothing was changed."),),
                leads=(again, _back(visit)),
            )
        case _:
            return Notice(
                title=text("We do not know yet whether it was stored"),
                tone="doubt",
                notes=(text("We keep asking the payment processor."),),
                main=check,
                leads=(_back(visit),),
            )


async def _stored(visit: PortalVisit, method: PaymentMethod) -> Notice:
    subscription = await subscription_of(visit)
    notes = [text("{method} is stored at the payment processor.", method=name_of(method))]
    if method.mandate is not None and subscription is not None:
        notes.append(text("Your invoices are paid with it automatically."))
    return Notice(
        title=text("Your payment method is stored"),
        tone="good",
        notes=notes,
        leads=(_back(visit),),
    )


async def _going(visit: PortalVisit, request: MethodRequest) -> Notice:
    """Return the page that leads to the processor's form, or says that it was left."""
    came_back = "back" in visit.query
    target = await _target(visit, request, at_once=not came_back)
    processor = processor_of(visit.web, request.account)
    check = Leads(text("Check again"), visit.at(f"/methods/back/{_place(visit)}"))
    leads = (check, _back(visit)) if came_back or target is None else (_back(visit),)
    refresh = ""
    if isinstance(target, Link) and not came_back:
        refresh = target.href
    return Notice(
        title=text("It is not stored yet")
        if came_back
        else text("Continue at {processor}", processor=processor),
        notes=(text("Nothing is charged."),),
        main=None
        if target is None
        else (text("Continue at {processor}", processor=processor), target),
        leads=leads,
        refresh=refresh,
    )


async def _target(visit: PortalVisit, request: MethodRequest, *, at_once: bool) -> Target | None:
    """Return where the processor's form is, if its account names that origin."""
    try:
        action = await visit.run(visit.cashier.action_of, request)
    except (SecretNotKept, NotPayable, GatewayNotFound, Refused):
        return None
    account = visit.accounts.get(request.account)
    if account is None or not isinstance(action, Redirect | PostForm):
        return None
    if not is_safe(action.url) or origin_of(action.url) not in account.traits.page_origins:
        return None
    if isinstance(action, Redirect) and action.method.upper() == "GET":
        return Link(action.url, top=True)
    fields: Mapping[str, str] = action.fields
    if isinstance(action, PostForm):
        if action.token is None:
            return None
        fields = {**fields, action.token_field: action.token.reveal()}
    return Post(action.url, fields, at_once=at_once, external=True)


# --- Automatic payment ---------------------------------------------------------------------


async def show_use(visit: PortalVisit) -> Ask:
    """Ask what may be paid with a stored method automatically."""
    method = await method_of(visit)
    pending = await _pending(visit)
    return Ask(
        title=text("Allow automatic payments"),
        token=visit.begin("use", _version(pending)),
        button=text("Allow"),
        back=_back(visit),
        notes=(name_of(method),),
        questions=[_question(visit, pending, nothing=False)],
        agreed=_agreed(visit),
        problems=visit.problems,
    )


async def pay_automatically(visit: PortalVisit) -> GoTo:
    """Let a stored method pay the invoices that the member agreed to."""
    method = await method_of(visit)
    mandate = _mandate(visit, await _pending(visit))
    if mandate is None:
        raise NotDoneError(Problem("scope", _CHOOSE_WHAT))
    try:
        await visit.run(visit.cashier.start_autopay, method, mandate=mandate)
        await visit.run(visit.cashier.set_default_method, method)
    except StoreError:
        raise
    except (Refused, InvalidValue):
        raise NotDoneError(Problem("scope", _CANNOT)) from None
    return GoTo(visit.at("/"))


async def show_stop(visit: PortalVisit) -> Ask:
    """Ask before automatic payments end."""
    return Ask(
        title=text("Stop automatic payments"),
        token=visit.begin("stop"),
        button=text("Stop automatic payments"),
        danger=True,
        back=_back(visit),
        notes=(
            text("You pay each invoice yourself. Your payment methods stay stored."),
            text("A payment that is under way still finishes."),
        ),
        problems=visit.problems,
    )


async def stop(visit: PortalVisit) -> GoTo:
    """End the member's automatic payments."""
    with suppress(NotSubscribed):
        await visit.run(
            visit.cashier.end_autopay,
            visit.member.customer,
            reason="stopped by the customer in the portal",
        )
    return GoTo(visit.at("/"))


async def show_delete(visit: PortalVisit) -> Ask:
    """Ask before a stored method is deleted."""
    method = await method_of(visit)
    notes = [text("It is deleted at the payment processor, too.")]
    others = [each for each in await stored_methods(visit) if each.id != method.id]
    ends = method.mandate is not None and not any(each.mandate is not None for each in others)
    if ends and await subscription_of(visit) is not None:
        notes.append(text("Automatic payments stop. You pay each invoice yourself."))
    return Ask(
        title=text("Delete {method}?", method=name_of(method)),
        token=visit.begin("delete", method.id),
        button=text("Delete"),
        danger=True,
        back=_back(visit),
        notes=notes,
        problems=visit.problems,
    )


async def delete(visit: PortalVisit) -> GoTo:
    """Forget a stored method; it is not charged from now on."""
    found = await visit.run(visit.cashier.method, visit.params["method"])
    if found.customer != visit.member.customer:
        raise NotThereError
    if found.forgotten_at is None:
        await visit.run(visit.cashier.forget_method, found, key=f"portal.delete.{found.id}")
    return GoTo(visit.at("/"))


def _back(visit: PortalVisit) -> Leads:
    return Leads(text("Back to your invoices"), visit.at("/"))
