"""The simulated processors end with their process, also where nobody stops them."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from tests.support import simulated_authorize_net, simulated_paypal, simulated_stripe

SERVED: list[Callable[[], AbstractContextManager[str]]] = [
    lambda: simulated_stripe.serving(simulated_stripe.SimulatedStripe()),
    lambda: simulated_authorize_net.serving(simulated_authorize_net.SimulatedAuthorizeNet()),
    lambda: simulated_paypal.serving(simulated_paypal.SimulatedPayPal()),
]


@pytest.mark.parametrize("served", SERVED, ids=["stripe", "authorize_net", "paypal"])
def test_an_interpreter_that_is_left_does_not_wait_for_a_server(
    served: Callable[[], AbstractContextManager[str]],
) -> None:
    before = set(threading.enumerate())

    with served():
        [thread] = set(threading.enumerate()) - before
        assert thread.daemon
