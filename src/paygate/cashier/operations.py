"""Operations on a payment that a gateway carries out after it began."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from paygate.cashier import arguments
from paygate.cashier.base import OnAccounts
from paygate.cashier.verbs import verb
from paygate.domain.kind import Operation
from paygate.domain.secret import Sealed
from paygate.domain.text import note

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from paygate.domain.action import Action
    from paygate.domain.invoice import Invoice, Share
    from paygate.domain.method import MethodRequest
    from paygate.domain.money import Money
    from paygate.domain.payment import Payment
    from paygate.domain.result import OperationResult
    from paygate.domain.words import RefundToWord
    from paygate.service.flow import Flow
    from paygate.service.taking import RefundTo


class Operations(OnAccounts):
    """Verbs about a payment that was begun."""

    @verb
    def capture(
        self,
        payment: Payment | str,
        *,
        key: str,
        amount: Money | None = None,
        final: bool = True,
    ) -> Flow[OperationResult]:
        """
        Take all that is left of an authorised payment, or *amount* of it.

        Returns what became of it: look at its `state` before you say that it was taken.
        With ``final=False`` the rest stays authorised for another capture, if the account
        can do that. Raises `NotCapturable` for more than is left, or while the payment is
        being voided.
        """
        from paygate.service import operate
        from paygate.service.tasks import OperateOrder

        task = OperateOrder(
            operation=Operation.CAPTURE,
            payment=arguments.payment(payment, "payment"),
            key=arguments.key(key),
            amount=arguments.maybe(arguments.money, amount, "amount"),
            final=arguments.flag(final, "final"),
        )
        return (yield from operate.operate(task, self._accounts, self._timing))

    @verb
    def refund(
        self,
        payment: Payment | str,
        *,
        key: str,
        amount: Money | None = None,
        to: RefundTo | RefundToWord | None = None,
        items: Sequence[Invoice | Share | str] | Invoice | Share | str = (),
        reason: str = "",
        force_reason: str = "",
    ) -> Flow[OperationResult]:
        """
        Send money of *payment* back to the payer through the gateway.

        Returns what became of it: look at its `state` before you say that the money went
        back. It may be on its way, unknown, or declined. The same key returns the same
        result, and never sends the money twice.

        *items* are the invoices it goes back for, in order, as far as this payment paid
        them; without them the last one that it paid comes first.

        *to* says what becomes of the invoices: ``"reopen"`` makes them open again,
        ``"credit_note"`` also gives up what it reopens (the goods went back),
        ``"from_credit"`` pays out credit that the payment made. By default credit
        is paid out where there is enough of it, and invoices are reopened else.

        Never more goes back than came, however many ask at once: raises
        `NotRefundable`. Raises `CreditConsumed` if some of it was spent as credit, unless
        *to* says from where it is taken; `DisputeOpen` while the bank may take it itself;
        `NotYetRefundable` while the bank can still return it, unless *force_reason* says
        why it is sent all the same. A bounced check is no refund: see `reverse`.
        """
        from paygate.service import operate, taking
        from paygate.service.tasks import OperateOrder

        task = OperateOrder(
            operation=Operation.REFUND,
            payment=arguments.payment(payment, "payment"),
            key=arguments.key(key),
            amount=arguments.maybe(arguments.money, amount, "amount"),
            to=arguments.member(taking.RefundTo, to, "to"),
            items=arguments.items(items, "items"),
            reason=note(reason, "reason"),
            force_reason=note(force_reason, "force_reason"),
        )
        return (yield from operate.operate(task, self._accounts, self._timing))

    @verb
    def cancel(
        self, payment: Payment | str, *, key: str, force_reason: str = ""
    ) -> Flow[OperationResult]:
        """
        Undo *payment* in the cheapest way that still works.

        A page is withdrawn, an authorisation is voided, a charge is voided while the
        gateway can, and refunded after. Returns what became of the last of them; its
        `operation` says which that was. Raises `NotCancelable`, and `NotYetRefundable`
        if only a refund is left and the bank can still return the money, unless
        *force_reason* says why it is sent all the same.
        """
        from paygate.service import cancel

        wish = cancel.Cancel(
            arguments.payment(payment, "payment"),
            arguments.key(key),
            note(force_reason, "force_reason"),
        )
        return (yield from cancel.cancel(wish, self._accounts, self._timing))

    @verb
    def complete(
        self,
        payment: Payment | str,
        *,
        key: str | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> Flow[OperationResult]:
        """
        Finish a payment whose payer came back from the gateway's page.

        What the return page says is not believed: the gateway is asked. Returns what
        became of it: if its `state` is ``requires_action`` the payer has not finished, or
        has another step to do, which `Payment.action` says.
        *parameters* are those of the return address, where the gateway wants them.
        Without *key* it is asked again each time, once the last answer is known.
        If another payment took over meanwhile, nothing is completed, but money that the payer
        has paid on the page is booked and becomes credit; without any this raises
        `ItemAlreadyBeingPaid`. Raises `NotPayable` if nothing waits.
        """
        from paygate.service import complete
        from paygate.service.tasks import OperateOrder

        # The faces seal it; a flow that is made without a face does not.
        given = cast("object", parameters)
        sealed = cast("Any", given if given is None or isinstance(given, Sealed) else Sealed(given))
        task = OperateOrder(
            operation=Operation.COMPLETE,
            payment=arguments.payment(payment, "payment"),
            key=None if key is None else arguments.key(key),
            parameters=arguments.parameters(sealed, "parameters"),
        )
        return (yield from complete.complete(task, self._accounts, self._timing))

    @verb
    def action_of(self, payment: Payment | MethodRequest | str) -> Flow[Action]:
        """
        Return what the payer is to do for *payment*, with what only their browser may see.

        `Payment.action` says what it is, but never holds the token of a `PostForm` or the
        client secret of a `ScriptStep`: put the result into the page, and nowhere else.
        If a part has come to the address of a `PayToAddress`, or was seen on its way there, the
        result asks for the rest, to the same address and at the same price, while the quote is
        good and the invoices have as much open.
        For a method that is being stored, give its `MethodRequest`. The secret is kept
        under the ``token_keys``; without them the gateway is asked for it again. Raises
        `SecretNotKept` if it gives it only once, `NotPayable` if nothing waits for the payer,
        `InvalidSettings` if the account has no publishable key for the script of the step.
        """
        from paygate.service import action

        return (
            yield from action.action_of(
                arguments.actionable(payment, "payment"), self._accounts, self._timing
            )
        )

    @verb
    def withdraw_page(
        self, payment: Payment | str, *, key: str | None = None
    ) -> Flow[OperationResult]:
        """
        Withdraw a page or slip that should not be paid any more.

        Returns what became of it: until its `state` is ``succeeded`` the payer can pay.
        """
        from paygate.service import operate
        from paygate.service.tasks import OperateOrder

        task = OperateOrder(
            operation=Operation.WITHDRAW,
            payment=arguments.payment(payment, "payment"),
            key=None if key is None else arguments.key(key),
        )
        return (yield from operate.operate(task, self._accounts, self._timing))
