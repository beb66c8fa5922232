"""Stored accounts: gateway accounts in the ledger, for a process that serves many merchants."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from paygate.cashier import arguments
from paygate.cashier.base import OnLedger
from paygate.cashier.opening import account_of
from paygate.cashier.verbs import verb
from paygate.domain.secret import Sealed
from paygate.domain.text import note
from paygate.service.flow import look

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.domain.stored_account import StoredAccount
    from paygate.service.account import GatewayAccount
    from paygate.service.flow import Flow


class StoredAccounts(OnLedger):
    """Verbs about the gateway accounts of a tenant that are stored in the ledger, encrypted."""

    _of_no_tenant = frozenset({"stored_accounts_readable"})

    @verb
    def add_account(self, account: str, *, settings: Mapping[str, Any]) -> Flow[StoredAccount]:
        """
        Store a gateway account of this tenant, with its settings encrypted under the token keys.

        The settings are those that ``gateways=`` takes, as plain data with the entry ``driver``.
        They are checked, but the gateway is not asked: see `check`. Adding the same again returns
        the stored account. Raises `AccountExists` for other settings under the same name,
        `InvalidSettings`, `LiveModeMismatch`, or `TokenKeysMissing`.
        """
        from paygate.service import stored_accounts

        arguments.tenant(self._context.tenant)
        name, given = arguments.account_name(account), arguments.settings(settings)
        return (yield from stored_accounts.add(name, given, partial(_made, name)))

    @verb
    def rotate_account(
        self, account: str, *, settings: Mapping[str, Any], whole: bool = False
    ) -> Flow[StoredAccount]:
        """
        Replace these settings of a stored account, such as its credentials, and keep the others.

        With *whole*, they replace all settings. Every process uses the new ones for its next
        request. If two processes rotate at once, one follows the other, each as a whole. Raises
        `AccountNotStored`, `SettingsUnreadable` if the kept settings cannot be decrypted, and
        `InvalidSettings`, also for another driver or another account of the processor.
        """
        from paygate.service import stored_accounts

        name, given = arguments.account_name(account), arguments.settings(settings)
        make = partial(_made, name)
        all_ = arguments.flag(whole, "whole")
        return (yield from stored_accounts.rotate(name, given, make, whole=all_))

    @verb
    def disable_account(self, account: str, *, reason: str = "") -> Flow[StoredAccount]:
        """
        Let a stored account take no new payments, and store no methods.

        Payments that it has are still captured, refunded, inquired about and received. It needs no
        token keys. Raises `AccountNotStored`.
        """
        from paygate.service import stored_accounts

        name, why = arguments.account_name(account), note(reason, "reason")
        return (yield from stored_accounts.enable(name, enabled=False, reason=why))

    @verb
    def enable_account(self, account: str, *, reason: str = "") -> Flow[StoredAccount]:
        """Let a stored account take new payments again; see `disable_account`."""
        from paygate.service import stored_accounts

        name, why = arguments.account_name(account), note(reason, "reason")
        return (yield from stored_accounts.enable(name, enabled=True, reason=why))

    @verb
    def stored_accounts(self) -> Flow[list[StoredAccount]]:
        """Return the stored accounts of this tenant by name, without their settings."""
        from paygate.service import stored_accounts

        return (yield from look(stored_accounts.of_tenant))

    @verb
    def stored_accounts_readable(self) -> Flow[bool | None]:
        """
        Return whether the token keys decrypt a stored account of any tenant.

        Return None if no account is stored. If it is False, no account can be used by this process:
        its token keys are missing, or those of another ledger.
        """
        from paygate.ledger import account_settings

        return (yield from look(account_settings.readable))


def _made(name: str, settings: Sealed[dict[str, Any]]) -> GatewayAccount:
    """Return the account with these *settings*, or raise what is wrong with them."""
    return account_of(name, settings, Sealed(None))
