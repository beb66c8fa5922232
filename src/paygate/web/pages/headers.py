"""The security headers of the pages.

The content security policy names everything that a page may load, run or connect to, and nothing
else is allowed: the style by its digest, scripts and addresses of ours by their exact path. Only
the page that needs a processor's script or form allows the origins of that processor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

COMMON: Final[Mapping[str, str]] = {
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    # With "no-referrer" a browser would send "Origin: null" with our own forms.
    "referrer-policy": "strict-origin",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex",
}
"""The headers that every response has."""

OF_SCRIPTS: Final[Mapping[str, str]] = {
    # A script is asked for again each time, and sent only if it has changed: its address stays
    # when a new version changes its digest.
    "cache-control": "public, no-cache",
    "content-type": "text/javascript; charset=utf-8",
    # Pages of the merchant compare the popup's script with its digest, which needs both.
    "access-control-allow-origin": "*",
    "cross-origin-resource-policy": "cross-origin",
    "x-content-type-options": "nosniff",
}
"""The headers of the scripts of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PagePolicy:
    """What one page may load and where it may lead.

    *scripts* and *connects* are addresses of ours. *processor_script* is the address of a
    processor's script, and *processor_origins* are those to which the page may post a form, or
    whose frames and connections its script needs. *embed_origins* may show the page in a frame.
    """

    style_digest: str
    scripts: Sequence[str] = ()
    connects: Sequence[str] = ()
    processor_script: str = ""
    processor_origins: Sequence[str] = ()
    posts_to_processor: bool = False
    embed_origins: Sequence[str] = ()

    @property
    def content_security_policy(self) -> str:
        """The value of the header."""
        by_script = self.processor_origins if self.processor_script else ()
        forms = self.processor_origins if self.posts_to_processor else ()
        scripts = [*self.scripts, *([self.processor_script] if self.processor_script else [])]
        directives: dict[str, Sequence[str]] = {
            "default-src": ("'none'",),
            "style-src": (f"'{self.style_digest}'",),
            "img-src": ("data:",),
            "script-src": scripts,
            "connect-src": (*self.connects, *by_script),
            "frame-src": by_script,
            "base-uri": ("'none'",),
            "form-action": ("'self'", *forms),
            "frame-ancestors": self.embed_origins or ("'none'",),
        }
        return "; ".join(f"{name} {' '.join(each)}" for name, each in directives.items() if each)


def page_headers(policy: PagePolicy) -> dict[str, str]:
    """Return the headers of a page with *policy*."""
    headers = {**COMMON, "content-security-policy": policy.content_security_policy}
    if not policy.embed_origins:
        headers["x-frame-options"] = "DENY"
    return headers
