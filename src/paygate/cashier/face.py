"""What both faces share: how a cashier is opened, and what it holds."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from copy import copy
from dataclasses import replace
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self, cast

from paygate import telemetry
from paygate.cashier import arguments
from paygate.cashier.merchants import Merchants, check_function
from paygate.cashier.opening import account_of, preload_verbs, sink_of
from paygate.cashier.roster import Roster
from paygate.cashier.routes import check_timeouts, routes
from paygate.cashier.serving import serve, stored_settings
from paygate.cashier.verbs import named_for
from paygate.domain.secret import Sealed
from paygate.domain.text import identifier
from paygate.errors import (
    InvalidValue,
    LiveModeMismatch,
    NotAllowedHere,
    NotSent,
    UsageError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from paygate.cashier.merchants import AccountsOf
    from paygate.cashier.roster import Served
    from paygate.cashier.routes import Routes
    from paygate.cashier.verbs import verb
    from paygate.domain.autopay import AutopayPolicy
    from paygate.domain.campaign import Campaign
    from paygate.domain.secret import Secret
    from paygate.errors import PaygateError
    from paygate.gateway import Gateway, SignsIn
    from paygate.ledger.store import Store
    from paygate.ledger.tx import Clock, Context, Ids
    from paygate.service.account import GatewayAccount, Timing
    from paygate.service.flow import Exchange
    from paygate.service.readers import ConfiguredSink, Reader
    from paygate.sink import AnySink
    from paygate.telemetry import Recorder
    from paygate.transport.host import AsyncTransport, Transport
    from paygate.transport.network import Network


class Face:
    """What both faces share: how they are opened, and what they hold."""

    _context: Context
    _accounts: dict[str, GatewayAccount]
    _problems: Mapping[str, PaygateError] = MappingProxyType({})
    _roster: Roster | None = None
    _served: Served | None = None
    _recorder: Recorder | None = None
    _sinks: dict[str, ConfiguredSink]
    _readers: dict[str, Reader]
    _timing: Timing
    _store: Store
    _routes: Routes[Any]
    _awaits: bool
    _period_closed: Callable[[date], bool] | None

    def __init__(self, *_: object, **__: object) -> None:
        name = type(self).__name__
        raise UsageError(
            f"a cashier needs a ledger: use {name}.open('sqlite:///payments.db', gateways=…), or "
            f"{name}.in_memory(gateways=…) in a test"
        )

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        _name(cls)

    @classmethod
    def open(
        cls,
        url: str,
        *,
        gateways: Mapping[str, Gateway | Mapping[str, Any]] | None = None,
        merchants: Merchants | AccountsOf | None = None,
        sinks: Mapping[str, AnySink | Mapping[str, Any]] | None = None,
        tenant: str | None = None,
        actor: str = "host",
        zone: str = "UTC",
        clock: Clock | None = None,
        ids: Ids | None = None,
        timing: Timing | None = None,
        period_closed: Callable[[date], bool] | None = None,
        autopay: AutopayPolicy | None = None,
        campaign: Campaign | None = None,
        token_keys: Sequence[Secret[str] | str | bytes] | None = None,
        page_keys: Sequence[Secret[str] | str | bytes] | None = None,
        environment: Mapping[str, str] | None = None,
        transport: Network | Transport | AsyncTransport | None = None,
        busy_s: float = 30.0,
        connections_max: int = 10,
        preload: bool = True,
    ) -> Self:
        """
        Open the ledger at *url*, creating it if necessary, with gateway accounts by name.

        *url* is ``sqlite:///payments.db`` (three slashes: relative to the working
        directory; four: absolute) or ``postgresql://role@host/database``, and the rest of what
        libpq accepts. A gateway is a driver object; or its settings,
        with the entry ``driver``; or a driver object with settings of the account:
        ``{"gateway": object, "credit_on": "settled"}``. *sinks* receive events at `publish`.

        *merchants* is for many merchants in one process, instead of *gateways*: a function that
        takes the name of a tenant and returns its accounts, or a `Merchants`. See `for_tenant`.

        *tenant* keeps merchants apart in one ledger; without it, it is ``"main"``, or with
        *merchants* none. *actor* is recorded as the one who acts (see `acting_as`). Calendar dates
        are in the customer's time zone, or in *zone*, the merchant's (an IANA name), if the
        customer's zone is not known. *period_closed* returns whether
        reversals can no longer be dated on a given day. *autopay* says when and how invoices of
        subscribed customers are charged: see `run_autopay`. *campaign* says when customers
        who do not pay are reminded, limited and suspended: see `run_overdue`. *token_keys* are
        Fernet keys for the tokens of stored methods: the first one encrypts, all of them decrypt.
        From *page_keys*, in the same form, come the addresses of payment links and payment pages:
        those of new links from the first one.

        *environment* (``os.environ``) is where the values of settings such as ``{"env": "NAME"}``
        are read; give it only if you wrote the settings yourself, never with what somebody entered
        in a form.

        *transport* is the way to the processors. A `Network` configures ours: a proxy, CAs, a
        client certificate, timeouts; none of these is read from the environment. A `Transport` (or
        an `AsyncTransport`) is the host's own, and is closed with the cashier. An account can
        override it: ``{"gateway": object, "transport": Network(…)}``.

        *busy_s* is how many seconds a verb waits for another transaction, or for a connection,
        before it raises `StoreBusy`. *connections_max* is how many connections to PostgreSQL the
        cashier opens at most, and how many units of work an `AsyncCashier` runs on them at once;
        a file needs none. With *preload*, everything that a verb needs is imported now,
        so that no payer waits for an import and a child that is forked later need not
        import; without it, modules are imported on first use.

        A new file is readable by its owner only; an existing file keeps its mode.

        Raises `InvalidSettings`, `InvalidValue` for an unknown zone, `MissingExtra`,
        `LiveModeMismatch` or a `StoreError`.
        """
        from paygate.domain.autopay import AutopayPolicy
        from paygate.domain.campaign import Campaign
        from paygate.domain.customer import zone_of
        from paygate.ledger.dialects import open_store
        from paygate.ledger.elapsed import MachineStopwatch
        from paygate.ledger.page_keys import PageKeys
        from paygate.ledger.tx import Context, SystemClock, TimedIds
        from paygate.ledger.vault import Vault
        from paygate.service.account import Timing

        if arguments.flag(preload, "preload"):
            preload_verbs()
        # A traceback shows the locals of each frame: none of them holds a key from here on.
        given, variables, at = Sealed(gateways or {}), Sealed(environment), Sealed(url)
        readers = Sealed(sinks or {})
        keys = arguments.token_keys(token_keys, "token_keys")
        masters = arguments.token_keys(page_keys, "page_keys")
        del gateways, sinks, environment, token_keys, page_keys, url
        alone = not given.open() and variables.open() is None
        cls._check_merchants(merchants, alone=alone)
        arguments.gateways(given, "gateways")
        arguments.sinks(readers, "sinks")
        arguments.environment(variables, "environment")
        arguments.address_of_ledger(at, "url")
        accounts = {
            name: account_of(name, Sealed(given.open()[name]), variables) for name in given.open()
        }
        configured = {
            name: sink_of(name, Sealed(readers.open()[name]), variables) for name in readers.open()
        }
        arguments.callables(clock=(clock, "now"), ids=(ids, "new"))
        if period_closed is not None:
            arguments.called(period_closed, "period_closed", "a date")
        if not isinstance(cast("object", timing), Timing | None):
            arguments.refuse("timing", "a Timing", timing)
        if not isinstance(cast("object", autopay), AutopayPolicy | None):
            arguments.refuse("autopay", "an AutopayPolicy", autopay)
        if not isinstance(cast("object", campaign), Campaign | None):
            arguments.refuse("campaign", "a Campaign", campaign)
        seconds = arguments.seconds(busy_s, "busy_s")
        most = arguments.whole(connections_max, "connections_max", high=1_000)
        ways = {sink.route: readers.open()[name] for name, sink in configured.items()}
        found = routes(Sealed({**given.open(), **ways}), transport, awaited=cls._awaits)
        check_timeouts(found, (*accounts, *ways), timing or Timing())
        face = cls.__new__(cls)
        face._context = Context(
            tenant=_named_tenant(tenant, merchants),
            actor=identifier(actor, "actor"),
            zone=zone_of(arguments.named(zone, "zone")),
            clock=clock or SystemClock(),
            ids=ids or TimedIds(),
            vault=None if keys is None else Vault(keys),
            page_keys=None if masters is None else PageKeys(masters),
            # If a test moves the clock, the machine's own time would contradict it.
            stopwatch=MachineStopwatch() if clock is None else None,
            autopay=autopay or AutopayPolicy(),
            campaign=campaign or Campaign(),
        )
        face._accounts = accounts
        if merchants is not None:
            face._roster = Roster(Merchants.of(merchants), face._abandon)
        face._sinks = configured
        face._readers = dict(configured)
        face._timing = timing or Timing()
        face._routes = found
        face._period_closed = period_closed
        face._recorder = telemetry.recorder()
        face._store = open_store(at.open(), busy_s=seconds, connections_max=most)
        try:
            face._mark_mode()
            face._mark_accounts()
            face._mark_sinks()
        except BaseException:
            face._store.close()
            raise
        face._start()
        return face

    @classmethod
    def in_memory(
        cls,
        *,
        gateways: Mapping[str, Gateway | Mapping[str, Any]] | None = None,
        merchants: Merchants | AccountsOf | None = None,
        sinks: Mapping[str, AnySink | Mapping[str, Any]] | None = None,
        tenant: str | None = None,
        actor: str = "host",
        zone: str = "UTC",
        clock: Clock | None = None,
        ids: Ids | None = None,
        timing: Timing | None = None,
        period_closed: Callable[[date], bool] | None = None,
        autopay: AutopayPolicy | None = None,
        campaign: Campaign | None = None,
        token_keys: Sequence[Secret[str] | str | bytes] | None = None,
        page_keys: Sequence[Secret[str] | str | bytes] | None = None,
        environment: Mapping[str, str] | None = None,
        transport: Network | Transport | AsyncTransport | None = None,
        busy_s: float = 30.0,
        connections_max: int = 10,
        preload: bool = True,
    ) -> Self:
        """Open a ledger in memory that ends with this object, for tests; see `open`."""
        # A traceback shows the locals of each frame: none of them holds a key from here on.
        secrets = Sealed((gateways, token_keys, environment, sinks, page_keys))
        del gateways, token_keys, environment, sinks, page_keys
        return cls.open(
            "sqlite://",
            gateways=secrets.open()[0],
            merchants=merchants,
            sinks=secrets.open()[3],
            tenant=tenant,
            actor=actor,
            zone=zone,
            clock=clock,
            ids=ids,
            timing=timing,
            period_closed=period_closed,
            autopay=autopay,
            campaign=campaign,
            token_keys=secrets.open()[1],
            page_keys=secrets.open()[4],
            environment=secrets.open()[2],
            transport=transport,
            busy_s=busy_s,
            connections_max=connections_max,
            preload=preload,
        )

    def acting_as(self, actor: str) -> Self:
        """Return a cashier with the same ledger and gateways that records *actor* as who acts."""
        other = copy(self)
        other._context = replace(self._context, actor=identifier(actor, "actor"))
        return other

    def for_tenant(self, tenant: str) -> Self:
        """
        Return a cashier for the books and accounts of *tenant*, with the same ledger.

        It costs nothing: make one for each request. Its accounts are those that ``merchants=`` has
        for the tenant at the time of each verb, and it shares the connections that are kept for
        them. Verbs that use an account raise `TenantNotFound` if the tenant does not exist, and
        `AccountsUnavailable` if its accounts cannot be looked up; the others only need the books.
        Closing it closes the cashier from which it was made.
        """
        other = self._of(arguments.tenant(tenant))
        if self._roster is None and tenant != self._context.tenant:
            other._accounts = {}
        return other

    @property
    def gateways(self) -> Mapping[str, GatewayAccount]:
        """The gateway accounts that it was opened with, by name; see `accounts`."""
        if self._roster is not None:
            raise NotAllowedHere(
                "with merchants=, accounts are looked up when they are used: call "
                "for_tenant(…).accounts()"
            )
        return dict(self._accounts)

    @property
    def sinks(self) -> Mapping[str, ConfiguredSink]:
        """The configured sinks by name, with the event types that each receives."""
        return dict(self._sinks)

    @property
    def tenant(self) -> str:
        """The tenant whose books this cashier is for; empty if it serves all."""
        return self._context.tenant

    @property
    def serves_all(self) -> bool:
        """Whether this cashier was opened with ``merchants=`` and is not for one tenant."""
        return not self._context.tenant

    @property
    def has_readers(self) -> bool:
        """Whether it has sinks or subscribers, which receive events."""
        return bool(self._readers)

    @property
    def accounts_are_stored(self) -> bool:
        """Whether its accounts are those that are stored in the ledger (`Merchants.stored`)."""
        return self._roster is not None and self._roster.merchants.accounts_of is None

    def now(self) -> datetime:
        """Return the current time by the clock of this cashier."""
        return self._context.clock.now()

    def _start(self) -> None:
        """Prepare what the face needs to run flows."""

    @classmethod
    def _check_merchants(cls, merchants: object, *, alone: bool) -> None:
        """Raise `InvalidValue` for *merchants* that do not fit the face, or are not *alone*."""
        if merchants is None:
            return
        if not alone:
            raise InvalidValue(
                "merchants= returns the accounts of every tenant, and their settings as they are: "
                "leave gateways= and environment= out",
                argument="merchants",
            )
        if not isinstance(merchants, Merchants):
            check_function(merchants)
        function = merchants.accounts_of if isinstance(merchants, Merchants) else merchants
        if not cls._awaits and inspect.iscoroutinefunction(function):
            raise InvalidValue(
                "merchants= is a coroutine function, which needs an AsyncCashier",
                argument="merchants",
            )

    def _abandon(self, served: Served) -> None:
        """In a forked child, forget the clients that belong to its parent."""

    def _made(self, given: Sealed[Any], roster: Roster) -> Served:
        """Return the accounts of the tenant, made from what was *given*."""
        stored = roster.merchants.accounts_of is None
        return serve(
            self._context.tenant,
            given,
            stored_settings(self._context, given) if stored else given,
            routes=self._routes,
            timing=self._timing,
            now=self.now(),
            drivers=roster.drivers,
        )

    def _of(self, tenant: str) -> Self:
        other = copy(self)
        other._context = replace(self._context, tenant=tenant)
        return other

    def _with(self, served: Served) -> Self:
        """Return this cashier with the accounts of its tenant."""
        other = copy(self)
        other._accounts, other._problems = served.accounts, served.problems
        other._routes, other._served = served.routes, served
        return other

    def _check_tenant(self, source: verb[Any, Any]) -> None:
        """Raise unless it is clear whose books the verb *source* is about."""
        if not self._context.tenant and not source.of_no_tenant:
            raise UsageError(
                "this cashier is for many merchants: say whose books you mean, with "
                "for_tenant(…), or open it with tenant="
            )

    def _signs_in(self, account: str) -> SignsIn | None:
        """Return the gateway that signs in for *account*, if it needs an access token."""
        found = self._accounts.get(account)
        return None if found is None else found.signs_in

    def _mark_mode(self) -> None:
        """Keep live and test money apart: a ledger is permanently for one of them."""
        from paygate.ledger import book

        modes = {account.traits.live for account in self._accounts.values()}
        if not modes:
            return
        if len(modes) > 1:
            raise LiveModeMismatch(
                "live and test gateway accounts cannot share a ledger; open two cashiers"
            )
        mode = "live" if modes.pop() else "test"
        found = self._store.read(self._context, book.mode)
        if found is None:
            found = self._store.write(self._context, lambda tx: book.set_mode(tx, mode))
        if found != mode:
            raise LiveModeMismatch(
                f"this ledger holds {found} payments, but a gateway account is {mode}; "
                "use a separate ledger for each (the fake gateway is always test)"
            )

    def _mark_accounts(self) -> None:
        """Store which accounts are configured, so that one that nobody recovers is noticed."""
        from paygate.ledger import accounts

        given = {
            name: (account.gateway.name, account.has_feed)
            for name, account in self._accounts.items()
        }
        context = self._context
        if not given or not self._store.read(context, lambda tx: accounts.unseen(tx, given)):
            return
        self._store.write(context, lambda tx: accounts.see(tx, given))

    def _mark_sinks(self) -> None:
        """Register new sinks, so that one that starts with the next event misses none."""
        from paygate.ledger import outbox
        from paygate.service import publish

        if not self._sinks or self.serves_all:
            return
        known = set(self._store.read(self._context, outbox.sinks))
        for sink in self._sinks.values():
            if sink.name not in known:
                self._store.write(self._context, publish.registering(sink))


def _name(face: type) -> None:
    """Give *face* openers and functions of its own, so that Python's messages name it."""
    for name in ("open", "in_memory", "acting_as", "for_tenant", "now", "within"):
        found = inspect.getattr_static(face, name)
        if name in vars(face):
            continue
        if isinstance(found, classmethod):
            setattr(face, name, classmethod(named_for(cast("Any", found).__func__, face)))
        else:
            setattr(face, name, named_for(found, face))


def _named_tenant(tenant: str | None, merchants: object) -> str:
    """Return the tenant of a new cashier; empty if it is for many merchants."""
    if tenant is None:
        return "main" if merchants is None else ""
    return identifier(tenant, "tenant") if merchants is None else arguments.tenant(tenant)


def in_time(step: Exchange, context: Context) -> datetime | None:
    """
    Return the latest time, by the clock of this process, at which the request may be sent.

    Raises `NotSent` if the lease has ended: another process may have concluded that the request
    will never be sent.
    """
    if step.lease is None:
        return None
    now, stopwatch = context.clock.now(), context.stopwatch
    left = step.lease.left(now, None if stopwatch is None else stopwatch.read())
    if left <= timedelta():
        raise NotSent("this process was suspended for so long that its lease to send has expired")
    return now + left
