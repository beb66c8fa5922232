"""The simulated processor: one account, and what it does with each call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.support.simulated_authorize_net.forms import Forms
from tests.support.simulated_authorize_net.people import People
from tests.support.simulated_authorize_net.reading import Reading
from tests.support.simulated_authorize_net.speech import Unreadable, failed, part, read, write

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.simulated_authorize_net.records import Told


class SimulatedAuthorizeNet(Forms, Reading, People):
    """
    One merchant's account at a simulated Authorize.Net.

    *schema* is their XSD, with which every request is checked where it is given
    (it needs lxml); *journal* a file to which every call is written, without the
    numbers of cards. *now* is its clock.
    """

    def call(self, body: bytes) -> bytes:
        """Answer one call."""
        with self._lock:
            answer = self._call(body)
            self.answered.append(answer)
            return answer

    def _call(self, body: bytes) -> bytes:
        try:
            name, told = read(body)
        except Unreadable as error:
            return self._refuse("unreadable", "E00003", str(error))
        problem = self._problem(body)
        self.asked.append((name, body))
        if problem:
            return self._refuse(name, "E00003", problem)
        given = part(told, "merchantAuthentication")
        if (given.get("name"), given.get("transactionKey")) != (self.login, self.transaction_key):
            return self._refuse(name, "E00007")
        handler = _CALLS.get(name)
        if handler is None:
            return self._refuse(name, "E00004", "The name of the requested API method is invalid.")
        root, answer = handler(self, told)
        self._write(name, answer)
        reference = {"refId": told["refId"]} if "refId" in told else {}
        return write(root, {**reference, **answer})

    def _refuse(self, name: str, code: str, text: str = "") -> bytes:
        answer = {"messages": failed(code, text)}
        self._write(name, answer)
        return write("ErrorResponse", answer)

    def _problem(self, body: bytes) -> str:
        if self._schema is None:
            return ""
        return "; ".join(self._schema(body))


_CALLS: Final[dict[str, Callable[[SimulatedAuthorizeNet, Told], tuple[str, Told]]]] = {
    "createTransactionRequest": SimulatedAuthorizeNet.create_transaction,
    "updateSplitTenderGroupRequest": SimulatedAuthorizeNet.end_split,
    "getTransactionDetailsRequest": SimulatedAuthorizeNet.details,
    "getUnsettledTransactionListRequest": SimulatedAuthorizeNet.unsettled,
    "getTransactionListRequest": SimulatedAuthorizeNet.in_batch,
    "getSettledBatchListRequest": SimulatedAuthorizeNet.batch_list,
    "getMerchantDetailsRequest": SimulatedAuthorizeNet.merchant,
    "createCustomerProfileRequest": SimulatedAuthorizeNet.create_profile,
    "createCustomerPaymentProfileRequest": SimulatedAuthorizeNet.create_method,
    "createCustomerProfileFromTransactionRequest": SimulatedAuthorizeNet.profile_from_transaction,
    "getCustomerProfileRequest": SimulatedAuthorizeNet.get_profile,
    "getCustomerPaymentProfileRequest": SimulatedAuthorizeNet.get_method,
    "deleteCustomerPaymentProfileRequest": SimulatedAuthorizeNet.delete_method,
    "getHostedPaymentPageRequest": SimulatedAuthorizeNet.payment_form,
    "getHostedProfilePageRequest": SimulatedAuthorizeNet.profile_form,
}
