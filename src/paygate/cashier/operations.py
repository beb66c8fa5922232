"""Operations on an existing payment that a gateway carries out."""

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
    from paygate.domain.method import MethodRequest
    from paygate.domain.money import Money
    from paygate.domain.payable import Payable
    from paygate.domain.payment import Payment
    from paygate.domain.result import OperationResult
    from paygate.domain.words import RefundToWord
    from paygate.service.flow import Flow
    from paygate.service.taking import RefundTo


class Operations(OnAccounts):
    """Verbs about a payment that already exists."""

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
        Capture all that is left of an authorized payment, or *amount* of it.

        Returns the result: check its `state` before you say that the money was captured.
        With ``final=False`` the rest stays authorized for another capture, if the account
        supports that. Raises `NotCapturable` if *amount* is more than is left, or while the
        payment is being voided.
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
        items: Sequence[Payable] | Payable = (),
        reason: str = "",
        force_reason: str = "",
    ) -> Flow[OperationResult]:
        """
        Send money of *payment* back to the payer through the gateway.

        Returns the result: check its `state` before you say that the money was sent
        back. The refund may be pending, unknown, or declined. The same key returns the same
        result, and never sends the money twice.

        *items* are the invoices for which money is sent back, in order, up to what this payment
        paid on them; without *items*, the last invoice that it paid comes first.

        *to* says what happens to the invoices: ``"reopen"`` makes them open again,
        ``"credit_note"`` makes them open and writes off the same amount (the goods came back),
        ``"from_credit"`` pays out credit that the payment created. By default, credit
        is paid out if there is enough of it; otherwise the invoices are reopened.

        Never more is sent back than was received, however many callers ask at once: raises
        `NotRefundable`. Raises `CreditConsumed` if some of the money was spent as credit, unless
        *to* says from where it is taken; `DisputeOpen` while the bank may take it itself;
        `NotYetRefundable` while the bank can still return it, unless *force_reason* says
        why it is sent anyway. A bounced check is not a refund: see `reverse`.
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
        Cancel *payment* in the cheapest way that still works.

        A page is withdrawn; an authorization is voided; a charge is voided as long as the
        gateway can, and refunded after that. Returns the result of the last of these operations;
        its `operation` says which one it was. Raises `NotCancelable`, and `NotYetRefundable`
        if only a refund is possible and the bank can still return the money, unless
        *force_reason* says why it is sent anyway.
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
        Complete a payment whose payer came back from the gateway's page.

        The return URL is not trusted: the gateway is asked. Returns the
        result: if its `state` is ``requires_action``, the payer has not finished, or
        has another step to do, which is in `Payment.action`.
        *parameters* are those of the return URL, if the gateway needs them.
        Without *key*, each call asks the gateway again as soon as its last response is known.
        If another payment has replaced this one, nothing is completed, but money that the payer
        has already paid on the page is booked and becomes credit; without such money this raises
        `ItemAlreadyBeingPaid`. Raises `NotPayable` if the payment does not wait for completion.
        """
        from paygate.service import complete
        from paygate.service.tasks import OperateOrder

        # The faces seal it; a flow that is created without a face does not.
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
        Return the action that the payer must do for *payment*, with data only for their browser.

        `Payment.action` says what the action is, but never contains the token of a `PostForm` or
        the client secret of a `ScriptStep`: put the result into the page, and nowhere else.
        If part of the amount has arrived at the address of a `PayToAddress`, or was seen on its
        way there, the result asks for the rest, at the same address and the same price, as long as
        the quote is valid and the invoices have as much open.
        For a method that is being stored, give its `MethodRequest`. The secret is stored
        under the ``token_keys``; without them the gateway is asked for it again. Raises
        `SecretNotKept` if the gateway gives it only once, `NotPayable` if no action is required,
        and `InvalidSettings` if the account has no publishable key for the script of the step.
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
        Withdraw a page or slip that should no longer be paid.

        Returns the result: until its `state` is ``succeeded``, the payer can still pay.
        """
        from paygate.service import operate
        from paygate.service.tasks import OperateOrder

        task = OperateOrder(
            operation=Operation.WITHDRAW,
            payment=arguments.payment(payment, "payment"),
            key=None if key is None else arguments.key(key),
        )
        return (yield from operate.operate(task, self._accounts, self._timing))
