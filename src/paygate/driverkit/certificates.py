"""Signatures made with a certificate's key (RSA), and fetching the certificate to check them.

A message that names its own certificate proves nothing by itself: its author can name one of their
own, and make us fetch it. So the URL is compared with what the driver allows before anything is
fetched, and the certificate must lead to a trusted root, have the processor's name, and be valid at
the time.
"""

from __future__ import annotations

import base64
import re
import warnings
from collections import OrderedDict
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import certifi
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509 import DNSName, load_pem_x509_certificates
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from paygate.dialogue import Request
from paygate.errors import BadResponse, NotAuthentic
from paygate.printing import shown

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from cryptography.x509 import Certificate

    from paygate.dialogue import Dialogue

BYTES_MAX: Final = 65_536
"""The maximum size of a chain."""

KEPT_MAX: Final = 20
"""How many chains are kept; a processor uses one at a time, and then the next one."""


class Certificates:
    """The certificates with which the processor *by* signs.

    They are fetched from one of *hosts*, below *path*, and must have the DNS name *name* and lead
    to one of the *roots* (PEM), by default the public authorities that TLS trusts. A chain is kept
    by its URL, and its dates are checked at each use.
    """

    def __init__(
        self, by: str, *, hosts: Collection[str], path: str, name: str, roots: bytes = b""
    ) -> None:
        self._by, self._hosts, self._name = by, frozenset(hosts), name
        self._path = re.compile(re.escape(path) + r"[A-Za-z0-9_.-]{1,200}")
        self._store = Store(
            load_pem_x509_certificates(roots) if roots else authorities(certifi.where())
        )
        self._kept: OrderedDict[str, list[Certificate]] = OrderedDict()

    def check(self, url: str, message: bytes, signature: str, at: datetime) -> Dialogue[None]:
        """
        Raise `NotAuthentic` unless *signature* (base64, RSA with SHA-256) is that of *message*.

        The certificate at *url* is fetched if it is not known. If it cannot be fetched or read,
        `BadResponse` is raised, so that the callback is sent again.
        """
        self._check_place(url)
        chain = self._kept.get(url) or (yield from self._fetched(url))
        key = self._trusted(chain, at)
        try:
            # The key could be used with other schemes, but the processor signs with this one.
            key.verify(base64.b64decode(signature, validate=True), message, PKCS1v15(), SHA256())
        except (InvalidSignature, ValueError):
            raise NotAuthentic(
                f"the webhook's signature was not made by {self._by}", why="signature"
            ) from None
        self._keep(url, chain)

    def _check_place(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            # Compared as a whole, so that it has neither user info nor a port.
            allowed = parts.scheme == "https" and parts.netloc in self._hosts
        except ValueError:
            allowed, parts = False, urlsplit("")
        inside = self._path.fullmatch(parts.path) and not parts.query and not parts.fragment
        if not allowed or not inside or not url.isprintable():
            raise NotAuthentic(
                f"the webhook names a certificate that is not {self._by}'s: {shown(url)}",
                why="signature",
            )

    def _fetched(self, url: str) -> Dialogue[list[Certificate]]:
        response = yield Request(
            method="GET",
            url=url,
            step="certificate",
            repeatable=True,
            answer_bytes_max=BYTES_MAX,
        )
        try:
            if response.status == 200 and len(response.body) <= BYTES_MAX:
                return load_pem_x509_certificates(response.body)
        except ValueError:
            pass
        raise BadResponse(
            f"{self._by} sent no certificate: status {response.status}, {len(response.body)} bytes",
            status=response.status,
        )

    def _trusted(self, chain: list[Certificate], at: datetime) -> RSAPublicKey:
        """Return the key of a chain that is trusted at *at*, or raise `NotAuthentic`."""
        verifier = (
            PolicyBuilder().store(self._store).time(at).build_server_verifier(DNSName(self._name))
        )
        try:
            verifier.verify(chain[0], chain[1:])
        except VerificationError:
            raise NotAuthentic(
                f"the webhook was signed with a certificate that is not {self._by}'s, or has "
                "expired",
                why="signature",
            ) from None
        key = chain[0].public_key()
        if not isinstance(key, RSAPublicKey):
            raise NotAuthentic("the webhook's certificate has no RSA key", why="signature")
        return key

    def _keep(self, url: str, chain: list[Certificate]) -> None:
        """Keep a chain that has verified a signature, and drop the least recently used one."""
        self._kept[url] = chain
        self._kept.move_to_end(url)
        if len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)


@lru_cache(maxsize=1)
def authorities(file: str) -> list[Certificate]:
    """Return the public authorities in *file*, which httpx uses for TLS as well."""
    roots: list[Certificate] = []
    with warnings.catch_warnings():
        # Some that are in use, such as GoDaddy's, have the serial number 0. A later release of
        # cryptography refuses to load those, which must not take the others away.
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        for pem in Path(file).read_bytes().split(b"\n\n"):
            with suppress(ValueError):
                roots += load_pem_x509_certificates(pem)
    return roots
