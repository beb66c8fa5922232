"""Who may ask: what proves that a request comes from the network, apart from a signature."""

from __future__ import annotations

import base64
import ipaddress
from typing import TYPE_CHECKING

from paygate.driver import Callback, NotAuthentic, alike
from paygate.drivers.terminal.networks import networks_of

if TYPE_CHECKING:
    from paygate.drivers.terminal.settings import TerminalSettings


class Access:
    """The proofs that an account requires: all that its settings name."""

    def __init__(self, settings: TerminalSettings) -> None:
        self._settings = settings
        self._networks = networks_of(settings.allow)

    def check(self, callback: Callback) -> None:
        """Raise `NotAuthentic` unless *callback* has each proof."""
        settings = self._settings
        if self._networks and not self._is_allowed(callback.sender):
            raise NotAuthentic(
                "the request comes from an address that is not in allow; behind a proxy, the web "
                "server must know which proxies to trust"
            )
        password = settings.password
        if password is not None and not self._is_login(password.reveal(), callback):
            raise NotAuthentic("the request has another login or password", why="signature")
        if settings.path_secret is not None:
            given = callback.path.rstrip("/").rpartition("/")[2]
            if not alike(settings.path_secret.reveal(), given):
                raise NotAuthentic("the address has another secret", why="signature")
        if settings.certificate:
            given = callback.headers.get(settings.certificate_header, "")
            if not alike(settings.certificate, given):
                raise NotAuthentic("the client certificate is another one", why="signature")

    def _is_allowed(self, sender: str) -> bool:
        try:
            address = ipaddress.ip_address(sender)
        except ValueError:
            return False
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        return any((mapped or address) in network for network in self._networks)

    def _is_login(self, password: str, callback: Callback) -> bool:
        wanted = f"{self._settings.login}:{password}".encode()
        scheme, _, given = callback.headers.get("authorization", "").partition(" ")
        made = base64.b64encode(wanted).decode()
        return scheme.lower() == "basic" and alike(made, given.strip())
