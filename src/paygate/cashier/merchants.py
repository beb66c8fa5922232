"""Merchants: where the gateway accounts of each tenant come from, while the process runs.

A cashier for many merchants is opened with a function that returns the accounts of a tenant, or
with the table of accounts in the ledger. It is asked before each verb that needs accounts, so that
new credentials are used for the next request. It is code of the host's, or of its database: it may
raise, hang, or return anything, and that concerns one tenant only.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextvars import copy_context
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Protocol, Self, cast

from paygate.cashier import arguments
from paygate.domain.secret import Sealed
from paygate.errors import AccountsUnavailable, InvalidValue, PaygateError, TenantNotFound
from paygate.printing import place_of

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from paygate.gateway import Gateway

CACHED: Final = 200
TIMEOUT_S: Final = 10.0


class AccountsOf(Protocol):
    """A function of the host that returns the gateway accounts of a tenant."""

    def __call__(
        self, tenant: str, /
    ) -> (
        Mapping[str, Gateway | Mapping[str, Any]]
        | Awaitable[Mapping[str, Gateway | Mapping[str, Any]] | None]
        | None
    ):
        """
        Return the accounts of *tenant* by name, as ``gateways=`` takes them.

        Return None if the tenant does not exist. For an `AsyncCashier` it may be a coroutine
        function.
        """
        ...


@dataclass(frozen=True, slots=True)
class Merchants:
    """Where the gateway accounts of each tenant come from: pass it to `Cashier.open`.

    - `accounts_of` returns the accounts of a tenant. `Merchants.stored` has none: there the
      accounts are those stored in the ledger (see `Cashier.add_account`).
    - `cached` is for how many tenants accounts and connections are kept; those of the least
      recently used tenants are closed, but never during a request.
    - `timeout_s` is how long a function may take. It runs in a thread of its own, which is left
      behind if it takes longer; with None, it runs in the calling thread without a limit.
    - `fresh_for` is how long its answer is used before it is asked again.
    - `live` says whether the accounts must be live. Without it, the first account that is used
      with a new ledger decides.
    """

    accounts_of: AccountsOf | None
    cached: int = CACHED
    timeout_s: float | None = TIMEOUT_S
    fresh_for: timedelta = timedelta()
    live: bool | None = None

    def __post_init__(self) -> None:
        if self.accounts_of is not None:
            check_function(self.accounts_of)
        arguments.whole(self.cached, "cached")
        if self.timeout_s is not None:
            arguments.seconds(self.timeout_s, "timeout_s")
        arguments.span(self.fresh_for, "fresh_for")
        if self.live is not None:
            arguments.flag(self.live, "live")

    @classmethod
    def stored(
        cls,
        *,
        cached: int = CACHED,
        fresh_for: timedelta = timedelta(),
        live: bool | None = None,
    ) -> Self:
        """Return where the accounts are that are stored in the ledger itself, encrypted."""
        return cls(None, cached=cached, fresh_for=fresh_for, live=live)

    @classmethod
    def of(cls, given: Merchants | AccountsOf) -> Self:
        """Return *given*, or a `Merchants` with that function."""
        return cast("Self", given) if isinstance(given, Merchants) else cls(given)


def check_function(given: object) -> None:
    """Raise `InvalidValue` unless *given* is a function that can return accounts of a tenant."""
    arguments.called(given, "merchants", "the name of a tenant")
    # A method of the class that was not called is a function too, but raises for every tenant.
    of = given if isinstance(given, type) else getattr(given, "__self__", None)
    if isinstance(of, type) and issubclass(of, Merchants):
        raise InvalidValue(
            "merchants= is a function that takes the name of a tenant, or a Merchants: with "
            "parentheses, as in Merchants.stored() or Merchants(accounts_of)",
            argument="merchants",
        )


def in_thread(call: Callable[[str], object], tenant: str) -> Future[Sealed[object]]:
    """Call a host's function in a new thread, which does not keep the process alive."""
    future: Future[Sealed[object]] = Future()

    def work() -> None:
        try:
            future.set_result(Sealed(call(tenant)))
        except BaseException as error:  # noqa: BLE001  (passed on to the caller)
            future.set_exception(error)

    context = copy_context()
    threading.Thread(target=context.run, args=(work,), name="paygate-accounts", daemon=True).start()
    return future


def at_once(call: Callable[[str], object], tenant: str) -> Future[Sealed[object]]:
    """Call a host's function in this thread."""
    future: Future[Sealed[object]] = Future()
    try:
        future.set_result(Sealed(call(tenant)))
    except Exception as error:  # noqa: BLE001  (passed on to the caller)
        future.set_exception(error)
    return future


def failed(tenant: str, error: BaseException) -> PaygateError:
    """Return what it means that the host's function raised *error*."""
    if isinstance(error, TenantNotFound):
        return TenantNotFound(error.message, **error.facts)
    return _unavailable(tenant, place_of(error), "return None for a tenant that does not exist")


def too_slow(tenant: str, timeout_s: float) -> AccountsUnavailable:
    """Return the error of a function that takes longer than *timeout_s*."""
    return _unavailable(tenant, f"it takes longer than {timeout_s:g} s", "try again later")


def accounts_in(tenant: str, answer: Sealed[object]) -> Sealed[dict[str, object]]:
    """Return the accounts in the *answer* of the host's function, or raise an error."""
    if answer.open() is None:
        raise not_found(tenant)
    try:
        arguments.gateways(answer, "merchants")
    except PaygateError as error:
        problem = error.message
    else:
        # The host may keep what it returned, and change it in place.
        return Sealed(_copy(answer.open()))
    raise _unavailable(tenant, f"it returned something else: {problem}", "correct the function")


def not_found(tenant: str) -> TenantNotFound:
    """Return the error for a tenant without accounts."""
    return TenantNotFound(
        f"merchants= has no accounts of tenant {tenant!r}", name=tenant, known=[], tenant=tenant
    )


def alike(one: Sealed[Any], other: Sealed[Any]) -> bool:
    """Return whether two answers are equal; driver objects are equal only to themselves."""
    try:
        return bool(one.open() == other.open())
    except Exception:  # noqa: BLE001  (the comparison of a host's type)
        return False


def _unavailable(tenant: str, why: str, then: str) -> AccountsUnavailable:
    return AccountsUnavailable(
        f"the accounts of tenant {tenant!r} could not be looked up by the function of merchants=: "
        f"{why}; {then}",
        tenant=tenant,
    )


def _copy(value: object) -> Any:
    match value:
        case Mapping():
            pairs = cast("Mapping[str, object]", value)
            return {key: _copy(each) for key, each in pairs.items()}
        case list():
            return [_copy(each) for each in cast("list[object]", value)]
        case _:
            return value
