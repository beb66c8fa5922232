"""How a command finds its ledger and its gateways: the options that many commands share.

`with_ledger` and `with_gateways` add them to a command, which gets their values
as its first argument.

Settings of gateways are in a TOML file, with a table for each account. Secrets
stay out of it: ``api_key = { env = "STRIPE_SECRET_KEY" }`` is read from
the environment. It also says how processors are reached: the file belongs to the operator.
"""

from __future__ import annotations

import getpass
import os
import sys
import tomllib
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib import import_module
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, cast, get_type_hints

import typer

from paygate.cli import options
from paygate.cli.exits import hide
from paygate.cli.foreign import failure, secrets_of
from paygate.cli.precedence import is_typed, settled
from paygate.domain.money import Money
from paygate.domain.secret import Secret
from paygate.errors import InvalidSettings, InvalidValue, InvoiceNotFound, PaygateError
from paygate.printing import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from paygate.cashier.aio import AsyncCashier
    from paygate.cashier.sync import Cashier

P = ParamSpec("P")

KEYS_VARIABLE = "PAYGATE_TOKEN_KEYS"
"""The environment variable with the keys of stored methods' tokens; the first one encrypts."""

PAGE_KEYS_VARIABLE = "PAYGATE_PAGE_KEYS"
"""The environment variable with the keys of payment links; new links come from the first one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """The values of a command's options about ledger and gateways."""

    ctx: typer.Context
    ledger: str = "sqlite://"
    gateways: Path | None = None
    app: str | None = None
    tenant: str = "main"
    tenant_given: bool = False
    zone: str = "UTC"
    as_json: bool = False
    sends: bool = False

    @contextmanager
    def open(
        self,
        *,
        make: bool = False,
        new_tenant: bool = False,
        gateways: Mapping[str, dict[str, Any]] | None = None,
        sinks: Mapping[str, dict[str, Any]] | None = None,
    ) -> Generator[Cashier]:
        """
        Open the cashier; with *make*, create a ledger or a tenant that does not exist yet.

        It has the accounts and sinks of the file, or else *gateways* and *sinks*, their settings
        by name; without either, a command that *sends* has the accounts that are stored in the
        ledger. With *new_tenant*, the tenant need not exist, but the ledger must.
        """
        given = None if gateways is None else Tables(gateways=gateways, sinks=sinks or {})
        with self._cashier(given, make=make) as opened:
            # The function of --app itself decides whose books it opens, unless it serves all.
            named = self.app is None or opened.serves_all
            self._check_tenant(opened)
            cashier = opened.for_tenant(self.tenant) if opened.serves_all else opened
            if named and not make and not new_tenant and cashier.tenant_is_new():
                raise InvalidValue(
                    f"the ledger has no records of a tenant {shown(self.tenant)}, only of others; "
                    "name one with --tenant, or start a new one with 'paygate invoice import' or "
                    "'paygate invoice issue --create'",
                    argument="tenant",
                )
            yield cashier.acting_as(actor())

    @contextmanager
    def open_for_work(self) -> Generator[Cashier | AsyncCashier]:
        """Open the cashier of a worker, which may be of either face, and for many merchants."""
        from paygate.cashier.aio import AsyncCashier

        made = None if self.app is None else made_by_app(self.ctx, self.app)
        if isinstance(made, AsyncCashier):
            self._check_tenant(made)
            # It is closed in its event loop.
            yield made.for_tenant(self.tenant) if self._chooses_tenant(made) else made
            return
        if made is None:
            with self._open_to_work() as cashier:
                yield cashier
            return
        with _checked(made, self.app or "") as cashier:
            self._check_tenant(cashier)
            yield cashier.for_tenant(self.tenant) if self._chooses_tenant(cashier) else cashier

    @contextmanager
    def _open_to_work(self) -> Generator[Cashier]:
        """Open the accounts of the file, which are of one tenant, or the stored ones of all."""
        of_one = self.tenant_given or bool(self._file().gateways)
        with self.open() if of_one else self._open_stored() as cashier:
            several = not cashier.serves_all and cashier.has_other_tenants()
            if several and not self.tenant_given:
                raise InvalidValue(
                    "the ledger has several tenants, and these accounts and sinks are for one of "
                    "them: name it with --tenant; to work for all, store their accounts with "
                    "'paygate account add', or name your application with --app",
                    argument="tenant",
                )
            yield cashier

    @contextmanager
    def _open_stored(self) -> Generator[Cashier]:
        """Open the stored accounts of all tenants; without any, the tenant by default."""
        _must_exist(self.ledger)
        with self._opened(Tables()) as plain:
            are_stored = plain.stored_accounts_readable() is not None
        if not are_stored:
            with self.open() as cashier:
                yield cashier
            return
        with self._opened(Tables(sinks=self._file().sinks), stored=True, tenant=None) as cashier:
            yield cashier.acting_as(actor())

    def _chooses_tenant(self, opened: Cashier | AsyncCashier) -> bool:
        """Return whether a worker serves one of the many merchants of *opened*."""
        return opened.serves_all and self.tenant_given

    def _check_tenant(self, opened: Cashier | AsyncCashier) -> None:
        """Raise if the function of --app opened the books of another tenant than --tenant says."""
        if not self.tenant_given or opened.serves_all or opened.tenant == self.tenant:
            return
        raise InvalidValue(
            f"the function of --app opened the books of tenant {opened.tenant!r}, not of "
            f"{shown(self.tenant)}: leave --tenant out; or let the function open a cashier for "
            "many merchants (merchants=), or name the ledger with --ledger instead of --app",
            argument="tenant",
        )

    def settings(self) -> Mapping[str, dict[str, Any]]:
        """Return the gateway accounts of the file, if there is one."""
        return self._file().gateways

    def sinks(self) -> Mapping[str, dict[str, Any]]:
        """Return the sinks of the file, if there is one."""
        return self._file().sinks

    def _file(self) -> Tables:
        if self.gateways is None:
            return Tables()
        secrets: list[Secret[str]] = []
        tables = read_settings(self.gateways, os.environ, secrets)
        hide(self.ctx, *(secret.reveal() for secret in secrets))
        return tables

    def _cashier(self, given: Tables | None, *, make: bool) -> Cashier:
        if self.app is not None:
            return from_app(self.ctx, self.app)
        if not make:
            _must_exist(self.ledger)
        file = given or self._file()
        cashier = self._opened(file, tenant=self.tenant)
        if not self.sends or file.gateways or given is not None or not cashier.stored_accounts():
            return cashier
        cashier.close()
        return self._opened(file, stored=True, tenant=self.tenant)

    def _opened(
        self, tables: Tables, *, stored: bool = False, tenant: str | None = "main"
    ) -> Cashier:
        """Open the ledger with the accounts of *tables*, or with those that are *stored* in it."""
        from paygate.cashier.merchants import Merchants
        from paygate.cashier.sync import Cashier

        return Cashier.open(
            self.ledger,
            gateways=None if stored else tables.gateways,
            merchants=Merchants.stored() if stored else None,
            sinks=tables.sinks,
            tenant=tenant,
            zone=self.zone,
            token_keys=self._keys(KEYS_VARIABLE),
            page_keys=self._keys(PAGE_KEYS_VARIABLE),
            preload=False,
        )

    def _keys(self, variable: str) -> list[str] | None:
        """Return the keys in a variable, which are never part of a command line."""
        keys = [key.strip() for key in os.environ.get(variable, "").split(",") if key.strip()]
        hide(self.ctx, *keys)
        return keys or None


def with_ledger(command: Callable[Concatenate[Where, P], None]) -> Callable[..., None]:
    """Add to *command* the options that select the ledger and the output format."""
    return _sharing(command, "ledger", "app", "tenant", "zone", "as_json")


def with_gateways(command: Callable[Concatenate[Where, P], None]) -> Callable[..., None]:
    """Add to *command* the options of `with_ledger`, and the one for settings of gateways."""
    return _sharing(command, "ledger", "gateways", "app", "tenant", "zone", "as_json")


def with_accounts(command: Callable[Concatenate[Where, P], None]) -> Callable[..., None]:
    """Add to *command* the options for settings of gateways and the output format."""
    return _sharing(command, "gateways", "as_json")


def _sharing(command: Callable[..., None], *shared: str) -> Callable[..., None]:
    """Return the function that typer sees, with the options of *command* and then the *shared*."""

    def call(ctx: typer.Context, **given: Any) -> None:
        said: dict[str, Any] = {name: given.pop(name) for name in shared}
        said = settled(ctx, said) | {"tenant_given": is_typed(ctx, "tenant")}
        command(Where(ctx=ctx, sends="gateways" in shared, **said), **given)

    hints = get_type_hints(command, include_extras=True)
    own = list(signature(command).parameters.values())[1:]
    context = Parameter("ctx", Parameter.KEYWORD_ONLY, annotation=typer.Context)
    parameters = [
        each.replace(kind=Parameter.KEYWORD_ONLY, annotation=hints[each.name]) for each in own
    ]
    parameters += [options.SHARED[name] for name in shared]
    call.__name__, call.__doc__ = command.__name__, command.__doc__
    call.__module__ = command.__module__
    call.__signature__ = Signature([context, *parameters])  # type: ignore[attr-defined]
    call.__annotations__ = {each.name: each.annotation for each in (context, *parameters)}
    return call


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """The settings of a file: gateway accounts, and sinks, by name."""

    gateways: Mapping[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    sinks: Mapping[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])


def read_settings(file: Path, environment: Mapping[str, str], secrets: list[Secret[str]]) -> Tables:
    """
    Return the accounts and sinks of a TOML file; values of the environment are added to *secrets*.

    ``[card]`` is an account, and ``[sinks.crm]`` a sink. The table ``[transport]`` says how all of
    them are reached, and ``[card.transport]`` overrides it for one: each gets its `Network`.
    """
    tables = _toml(file)
    sinks: object = tables.pop("sinks", {})
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise InvalidSettings(
                f"{file}: {name} is not a table; an account is [{name}] with its settings below"
            )
    if not isinstance(sinks, dict) or not all(
        isinstance(each, dict) for each in cast("dict[str, object]", sinks).values()
    ):
        raise InvalidSettings(
            f"{file}: a sink is a table such as [sinks.crm], with its settings below"
        )
    from paygate.variables import filled

    try:
        gateways = filled({**tables, "sinks": sinks}, environment, secrets)
        sinks_filled, general = gateways.pop("sinks"), gateways.pop("transport", None)
        return Tables(
            gateways=_reached("", gateways, general),
            sinks=_reached("sinks.", sinks_filled, general),
        )
    except InvalidSettings as error:
        raise InvalidSettings(f"{file}: {error.message}", **error.facts) from None


def _reached(
    prefix: str, tables: dict[str, dict[str, Any]], general: dict[str, Any] | None
) -> dict[str, dict[str, Any]]:
    """Return the entries of *tables*, each with its own `Network` if one is configured."""
    if general is None and not any("transport" in table for table in tables.values()):
        return tables
    from paygate.transport.network import network_of

    whole = network_of("[transport]", general or {})
    return {
        name: table
        | {
            "transport": network_of(f"[{prefix}{name}.transport]", table.get("transport", {})).over(
                whole
            )
        }
        for name, table in tables.items()
    }


def from_app(ctx: typer.Context, target: str) -> Cashier:
    """Call the host's function that returns a cashier."""
    return _checked(made_by_app(ctx, target), target)


def made_by_app(ctx: typer.Context, target: str, *, option: str = "--app") -> object:
    """Call the host's function that *option* names, and return what it returns."""
    module_name, _, name = target.partition(":")
    if not module_name or not name:
        raise InvalidSettings(
            f"{option} is module:function, such as shop.payments:cashier; not {target}"
        )
    if os.getcwd() not in sys.path:  # noqa: PTH109  (sys.path holds text)
        sys.path.insert(0, os.getcwd())  # noqa: PTH109
    hide(ctx, *secrets_of(os.environ))
    try:
        factory: Callable[[], object] = getattr(import_module(module_name), name)
        return factory()
    except PaygateError:
        raise
    except Exception as error:
        raise InvalidSettings(
            f"{option} {target} failed with {failure(error)}; 'paygate --debug' shows the trace"
        ) from error


def _checked(made: object, target: str) -> Cashier:
    from paygate.cashier.sync import Cashier

    if not isinstance(made, Cashier):
        raise InvalidSettings(
            f"--app {target} returned {type(made).__name__}; a command needs a Cashier"
        )
    return made


def read_amount(cashier: Cashier, text: str, items: Sequence[str] = ()) -> Money:
    """Return ``30.00 USD``, or ``30.00`` in the currency of the first of *items*, as Money."""
    number, _, currency = text.strip().partition(" ")
    if not currency and items:
        currency = _currency_of(cashier, items[0])
    if not currency:
        raise InvalidValue(f"an amount needs its currency, such as '30.00 USD'; not {shown(text)}")
    return Money.of(currency.strip(), number)


def _currency_of(cashier: Cashier, item: str) -> str:
    try:
        return cashier.invoice(item).total.currency
    except InvoiceNotFound:
        return cashier.prepayment(item).amount.currency


def _toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidSettings(f"the settings {file} cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidSettings(f"the settings {file} are not TOML in UTF-8: {error}") from None


def without_missing_ledger(where: Where) -> Where:
    """Return *where* with an empty ledger in memory if its own does not exist, to create none."""
    scheme, _, path = where.ledger.partition(":///")
    missing = scheme == "sqlite" and path and not Path(path).exists()
    return replace(where, ledger="sqlite://") if missing else where


def _must_exist(ledger: str) -> None:
    """Refuse a ledger that does not exist: a typing error would create an empty one."""
    scheme, _, path = ledger.partition(":///")
    if scheme == "sqlite" and path and not Path(path).exists():
        raise InvalidValue(
            f"there is no ledger {path}; name one with --ledger, or create one with "
            "'paygate invoice import' or 'paygate invoice issue --create'"
        )


def actor() -> str:
    """Return who is at the terminal, for the books."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # a user without a name, as in a container
        return "cli"
