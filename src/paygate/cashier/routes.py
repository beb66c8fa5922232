"""Routes: how each account, and each sink, reaches the other side.

A route uses our transport, as a `Network` describes it, or a transport of the host. What the
entry of an account says takes precedence over what the cashier was opened with. Both are
objects: an entry may come from a form that a merchant filled in, and no form creates an object.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from paygate.errors import InvalidSettings, InvalidValue

if TYPE_CHECKING:
    from collections.abc import Iterable

    from paygate.domain.secret import Sealed
    from paygate.service.account import Timing
    from paygate.transport.network import Network

H = TypeVar("H")


@dataclass(frozen=True, slots=True)
class Routes(Generic[H]):
    """The route of each account to its processor; a sink uses the one for all accounts."""

    network: Network | None
    transport: H | None
    networks: Mapping[str, Network]
    transports: Mapping[str, H]

    def transport_of(self, account: str) -> H | None:
        """Return the host's transport for *account*, if it uses one."""
        own = self.transports.get(account)
        if own is not None or account in self.networks:
            return own
        return self.transport

    def network_of(self, account: str) -> Network | None:
        """Return the network of our transport for *account*, if one is given."""
        own = self.networks.get(account)
        if own is None or self.network is None:
            return own or self.network
        return own.over(self.network)

    def timeout_s(self, account: str, timing: Timing) -> float:
        """Return how long an exchange of *account* may take."""
        network = None if self.transport_of(account) else self.network_of(account)
        own = None if network is None else network.timeout_s
        return timing.deadline_s if own is None else own

    def all_transports(self) -> list[H]:
        """Return the host's transports, each once."""
        given = [*self.transports.values(), *([self.transport] if self.transport else [])]
        return list({id(each): each for each in given}.values())


def routes(accounts: Sealed[Mapping[str, Any]], transport: object, *, awaited: bool) -> Routes[Any]:
    """
    Return the routes for a cashier, or raise an error if an argument is not valid.

    With *awaited*, transports of the host are for asyncio.
    """
    given = {account: _own(account, entry) for account, entry in accounts.open().items()}
    if transport is None and not any(given.values()):
        return Routes(None, None, {}, {})
    from paygate.transport.host import AsyncHostTransport, HostTransport, check_transport
    from paygate.transport.network import Network

    made: dict[int, Any] = {}

    def contained(value: Any, name: str) -> Any:
        # One per object, so that it is closed once, however many accounts use it.
        if id(value) not in made:
            check_transport(value, name, awaited=awaited)
            made[id(value)] = AsyncHostTransport(value) if awaited else HostTransport(value)
        return made[id(value)]

    networks, transports = dict[str, Network](), dict[str, Any]()
    for account, own in given.items():
        if isinstance(own, Network):
            networks[account] = own
        elif own is not None:
            transports[account] = contained(own, f"transport of {account!r}")
    if transport is None or isinstance(transport, Network):
        return Routes(transport, None, networks, transports)
    return Routes(None, contained(transport, "transport"), networks, transports)


def check_timeouts(found: Routes[Any], accounts: Iterable[str], timing: Timing) -> None:
    """Raise `InvalidValue` if an exchange could outlast the lease to send its request."""
    for account in accounts:
        if found.timeout_s(account, timing) >= timing.lease.total_seconds():
            raise InvalidValue(
                f"timeout_s of {account!r} must be shorter than the lease to send, which is "
                f"{timing.lease.total_seconds():g} s (Timing.lease)",
                argument="transport",
            )


def own_network(account: str, entry: object) -> Network | None:
    """
    Return the network in the *entry* of a tenant's account, if it has one.

    Raise `InvalidSettings` for a transport of the host's own: it would be closed with the
    connections of the tenant, and with the same object other tenants might go on.
    """
    from paygate.transport.network import Network

    own = _own(account, entry)
    if own is None or isinstance(own, Network):
        return own
    raise InvalidSettings(
        f"transport of the account {account!r} must be a Network: a transport of your own is for "
        "all tenants, and given to open(transport=…)",
        argument="transport",
    )


def _own(account: str, entry: object) -> object:
    """Return the transport that the *entry* of an account gives, if it gives one."""
    if not isinstance(entry, Mapping):
        return None
    given = cast("Mapping[str, object]", entry).get("transport")
    if isinstance(given, Mapping | str):
        raise InvalidSettings(
            f"transport of the account {account!r} must be a Network, or another object that the "
            "operator creates: data that may come from a form cannot configure connections",
            argument="transport",
        )
    return given
