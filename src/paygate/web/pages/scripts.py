"""The scripts of ours: two small files, which browsers compare with a digest.

`page.js` makes the pages more convenient, and each page works without it. `popup.js` is for the
host's own pages: it opens a payment page in a dialog.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True, slots=True)
class OwnScript:
    """A script of ours as it is served; *reason* says what it is for."""

    name: str
    reason: str
    body: bytes

    @property
    def integrity(self) -> str:
        """The SHA-384 digest of the script, as the attribute ``integrity`` has it."""
        digest = hashlib.sha384(self.body).digest()
        return f"sha384-{base64.b64encode(digest).decode('ascii')}"


@cache
def page_script() -> OwnScript:
    """Return the script of the payment pages."""
    return _own(
        "page.js", "announces changes of a payment; prints, copies, goes on to the processor"
    )


@cache
def popup_script() -> OwnScript:
    """Return the script that opens a payment page in a dialog on a page of the host."""
    return _own("popup.js", "opens a payment page in a dialog on a page of the merchant")


def _own(name: str, reason: str) -> OwnScript:
    source = resources.files("paygate.web.pages") / "static" / name
    # Indentation would be sent with every page.
    text = re.sub(r"(?m)^[ \t]+", "", source.read_text("utf-8"))
    return OwnScript(name, reason, text.encode())
