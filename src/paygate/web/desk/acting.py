"""Acting: the page of each act, and the second person above the limit.

An act above the limit is not done at once. What the clerk typed becomes a request, signed and part
of an address, which they send to a manager. The manager sees what is asked for, by whom, and does
it; the events then name both. Nobody approves their own request, and a request lapses as soon as
anything happens to the payment.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, cast

from paygate.domain.customer import zone_of
from paygate.errors import PaymentNotFound
from paygate.web.desk.acts import ACTS, Case
from paygate.web.desk.pages import DeskPage, Done
from paygate.web.desk.problems import ProblemsError
from paygate.web.desk.showing import facts_of
from paygate.web.desk.staff import Role
from paygate.web.desk.views import ActForm, DeskView, Facts, Go, Note, english
from paygate.web.form_keys import FormNotValidError
from paygate.web.pages.names import in_groups
from paygate.web.pages.views import Fact, Problem
from paygate.web.pages.visits import NotThereError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from paygate.domain.customer import Customer
    from paygate.domain.money import Money
    from paygate.domain.payment import Payment
    from paygate.domain.receipt import Receipt
    from paygate.service.history import History
    from paygate.web.desk.acts import PaymentAct
    from paygate.web.desk.views import Block
    from paygate.web.desk.visit import DeskVisit
    from paygate.web.texts import Text

_CHANGED: Final = english(
    "The payment has changed since this page was opened. Nothing was done. Look at it again."
)
_REQUEST_LIFE: Final = timedelta(days=7)
_LIKE_ARGUMENTS: Final = frozenset({"token"})


async def _show(visit: DeskVisit) -> DeskView:
    act = _act_of(visit)
    case = await _case(visit, visit.params["payment"])
    form = ActForm(
        button=english(act.button),
        token=visit.begin(case.version),
        inputs=act.inputs(visit, case),
        problems=visit.problems,
    )
    limits = list(visit.limits.values())
    blocks: list[Block] = [Note(english(act.explain)), form, _summary(case)]
    if limits and act.name not in ("inquire", "reviewed"):
        said = ", ".join(visit.reader.value(each) for each in limits)
        blocks.insert(1, Note(english("Above {limits}, a manager approves it.", limits=said)))
    blocks.append(_back(visit, case.payment))
    return DeskView(_title(act, case.payment), blocks)


async def _act(visit: DeskVisit) -> Done:
    act = _act_of(visit)
    case = await _case(visit, visit.params["payment"])
    version = visit.form.version if visit.form else ""
    order = act.read(visit, case)
    await _check_version(visit, act, case, version)
    if _above(visit, act.amounts(case, order)):
        return Done(visit.at(f"/approve?request={_request(visit, act, case)}"))
    said = await _done(visit, act, case, version, order)
    return Done(visit.at(f"/payments/{case.payment.id}"), said)


async def _done(
    visit: DeskVisit, act: PaymentAct, case: Case, version: str, order: Mapping[str, Any]
) -> Text:
    key = {"key": _key(act, case.payment, version)} if act.keyed else {}
    verb = getattr(visit.cashier, act.verb)
    return act.said(await visit.run(verb, case.payment.id, **order, **key))


async def _check_version(visit: DeskVisit, act: PaymentAct, case: Case, version: str) -> None:
    """Raise if something happened since the form was shown, unless it was this form itself."""
    if version == case.version:
        return
    if act.keyed:
        key = _key(act, case.payment, version)
        try:
            await visit.run(visit.cashier.payment_by_key, key, verb=act.verb)
        except PaymentNotFound:
            pass
        else:
            return
    raise ProblemsError(Problem("form", _CHANGED))


def _key(act: PaymentAct, payment: Payment, version: str) -> str:
    """Return the key of an act: whoever saw the same payment and does the same, does it once."""
    return f"desk.{act.name}.{payment.id}.{version}"


def _act_of(visit: DeskVisit) -> PaymentAct:
    found = ACTS.get(visit.params["act"])
    if found is None or not visit.staff.role.includes(found.needs):
        raise NotThereError
    return found


async def _case(visit: DeskVisit, payment: str) -> Case:
    history: History = await visit.run(visit.cashier.history, payment)
    known: Customer | None = None
    if history.payment.customer:
        known = await visit.run(visit.cashier.customer, history.payment.customer)
    return Case(
        payment=history.payment,
        receipts=history.receipts,
        attempts=history.attempts,
        version=f"{len(history.events)}-{len(history.attempts)}",
        today=_today(visit, known, history.receipts),
    )


def _today(visit: DeskVisit, known: Customer | None, receipts: Sequence[Receipt]) -> date:
    """Return today in the customer's zone, but no day before the money came."""
    zone = known.zone if known is not None and known.zone else visit.web.zone
    today = visit.cashier.now().astimezone(zone_of(zone)).date()
    return max([today, *(each.effective for each in receipts if each.kind.inward)])


def _summary(case: Case) -> Facts:
    return facts_of(case.payment, case.receipts)


def _title(act: PaymentAct, payment: Payment) -> Text:
    reference = in_groups(payment.short_reference)
    return english("{act}: payment {reference}", act=english(act.label), reference=reference)


def _back(visit: DeskVisit, payment: Payment) -> Note:
    return Note(
        english("Nothing is done yet."),
        "",
        [Go(english("Back to the payment"), visit.at(f"/payments/{payment.id}"))],
    )


# --- The second person ---------------------------------------------------------------------


def _above(visit: DeskVisit, amounts: Sequence[Money]) -> bool:
    limits = visit.limits
    return any(
        each.currency in limits and abs(each.minor) > limits[each.currency].minor
        for each in amounts
    )


def _request(visit: DeskVisit, act: PaymentAct, case: Case) -> str:
    version = visit.form.version if visit.form else ""
    typed = {name: each for name, each in visit.typed.items() if name not in _LIKE_ARGUMENTS}
    return visit.keys.seal(
        {
            "payment": case.payment.id,
            "act": act.name,
            "version": version,
            "by": visit.staff.id,
            "role": visit.staff.role.value,
            "at": int(visit.cashier.now().timestamp()),
            "typed": typed,
        }
    )


class _Asked:
    """A request as it was signed."""

    def __init__(self, visit: DeskVisit) -> None:
        try:
            facts = visit.keys.open(visit.query.get("request", ""))
            self.payment, self.name = str(facts["payment"]), str(facts["act"])
            self.version, self.by = str(facts["version"]), str(facts["by"])
            self.at = int(cast("int", facts["at"]))
            self.typed = cast("Mapping[str, str]", facts["typed"])
        except (FormNotValidError, KeyError):
            raise NotThereError from None
        if visit.cashier.now().timestamp() - self.at > _REQUEST_LIFE.total_seconds():
            raise NotThereError

    @property
    def act(self) -> PaymentAct:
        return ACTS[self.name]


async def _show_request(visit: DeskVisit) -> DeskView:
    asked = _Asked(visit)
    case = await _case(visit, asked.payment)
    inputs = asked.act.inputs(visit.with_(typed=asked.typed), case)
    facts = [Fact(english("Asked for by"), asked.by)]
    facts += [
        Fact(each.label, each.value) for each in inputs if each.value and each.type != "hidden"
    ]
    blocks: list[Block] = [Facts(facts)]
    if case.version != asked.version:
        blocks.append(Note(_CHANGED, "doubt"))
    elif asked.by == visit.staff.id:
        said = "Nothing is done yet. Send the address of this page to a manager, who approves it."
        blocks.append(Note(english(said), "doubt"))
    elif not visit.staff.role.includes(Role.MANAGER):
        blocks.append(Note(english("A manager approves it."), "doubt"))
    else:
        button = english("Approve: {act}", act=english(asked.act.button))
        form = ActForm(
            button=button, token=visit.begin(case.version), problems=visit.problems,
            action=visit.at(f"/approve?request={visit.query['request']}"),
        )  # fmt: skip
        blocks.append(form)
    blocks += [_summary(case), _back(visit, case.payment)]
    return DeskView(english("Approve: {title}", title=_title(asked.act, case.payment)), blocks)


async def _approve(visit: DeskVisit) -> Done:
    asked = _Asked(visit)
    if asked.by == visit.staff.id:
        raise ProblemsError(Problem("form", english("You cannot approve what you asked for.")))
    case = await _case(visit, asked.payment)
    await _check_version(visit, asked.act, case, asked.version)
    order = asked.act.read(visit.with_(typed=asked.typed), case)
    both = visit.cashier.acting_as(f"{asked.by}, approved by {visit.staff.id}")
    said = await _done(visit.with_(cashier=both), asked.act, case, asked.version, order)
    return Done(visit.at(f"/payments/{case.payment.id}"), said)


ACT_PAGES: Final = (
    DeskPage(path="/payments/{payment}/{act}", show=_show, act=_act, needs=Role.CLERK),
    DeskPage(path="/approve", show=_show_request, act=_approve, act_needs=Role.MANAGER),
)
"""The pages of the acts on a payment, and of what a second person approves."""
