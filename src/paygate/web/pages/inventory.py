"""The inventory of scripts and headers of the payment pages, and how a live site differs from it.

PCI DSS 4.0.1 wants each script of a payment page to be authorized, justified and of known content
(6.4.3), and changes of scripts and security headers to be noticed as a payer's browser gets them
(11.6.1). The pages have two scripts. The expected policy is that of `paygate.web.pages.headers`.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin

from typing_extensions import override

from paygate import __version__
from paygate.web.pages.headers import COMMON, OF_SCRIPTS, PagePolicy, page_headers
from paygate.web.pages.scripts import OwnScript, page_script, popup_script

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

_POLICY: Final = "content-security-policy"
_FRAMING: Final = "x-frame-options"
_CODE: Final = ("javascript:", "data:text/html")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptEntry:
    """A script: its path below the address of the pages, its digest, and why it is there."""

    path: str
    integrity: str
    reason: str
    authorized_by: str


@dataclass(frozen=True, slots=True)
class Difference:
    """How a live site differs from the inventory, and where."""

    where: str
    problem: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a site sent; the names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSite:
    """A site to compare: the address of the pages, of one page, and what it may name.

    *embed_origins* are those of the settings, *processor_origins* those of the gateway accounts.
    """

    root: str
    page: str
    embed_origins: Sequence[str] = ()
    processor_origins: Sequence[str] = ()

    @classmethod
    def of(
        cls, url: str, *, embed_origins: Sequence[str] = (), processor_origins: Sequence[str] = ()
    ) -> LiveSite:
        """Return the site of *url*, the address of the pages or of one page.

        Without a page, the one for a link that does not exist is compared: it has the same headers
        and scripts.
        """
        path = url.partition("?")[0].rstrip("/")
        found = max(path.rfind("/l/"), path.rfind("/p/"))
        root = path[:found] if found >= 0 else path
        return cls(
            root=root,
            page=path if found >= 0 else f"{root}/l/inventory",
            embed_origins=tuple(embed_origins),
            processor_origins=tuple(processor_origins),
        )


def scripts(authorized_by: str = "") -> tuple[ScriptEntry, ...]:
    """Return the scripts; *authorized_by* is who approved them, or the release that has them."""
    return tuple(
        ScriptEntry(
            path=each.name,
            integrity=each.integrity,
            reason=each.reason,
            authorized_by=authorized_by or f"paygate {__version__}",
        )
        for each in _OWN
    )


def headers() -> dict[str, str]:
    """Return the headers of a page, with names in braces for what differs from page to page."""
    policy = PagePolicy(
        style_digest="{digest of the style}",
        scripts=["{base_url}/page.js"],
        connects=["{page}", "{page}/state"],
    )
    return page_headers(policy)


def differences(site: LiveSite, fetch: Callable[[str], Fetched]) -> Iterator[Difference]:
    """Yield how *site* differs from the inventory; *fetch* gets an address as a browser would."""
    page = fetch(site.page)
    if 300 <= page.status < 400 or not page.headers.get("content-type", "").startswith("text/html"):
        yield Difference("page", f"is no page: the response has the status {page.status}")
    else:
        read = _Read.of(page.body)
        yield from _of_headers("page", page.headers, COMMON)
        yield from _of_policy(site, page.headers, read)
        yield from _of_scripts(site, read)
    for script in _OWN:
        yield from _of_script(script, fetch(f"{site.root}/{script.name}"))


def _of_headers(
    where: str, found: Mapping[str, str], expected: Mapping[str, str]
) -> Iterator[Difference]:
    for name, value in expected.items():
        if name not in found:
            yield Difference(where, f"has no header {name}; it should be: {value}")
        elif found[name] != value:
            yield Difference(where, f"has {name}: {found[name]}; it should be: {value}")


def _of_policy(site: LiveSite, found: Mapping[str, str], read: _Read) -> Iterator[Difference]:
    if _POLICY not in found:
        yield Difference("page", f"has no header {_POLICY}")
        return
    policy = dict(_directives(found[_POLICY]))
    needed = {
        "default-src": {"'none'"},
        "style-src": {_sha256(each) for each in read.styles},
        "img-src": {"data:"},
        "base-uri": {"'none'"},
    }
    ours = {f"{site.root}/{page_script().name}"}
    processors = set(site.processor_origins)
    allowed: dict[str, Callable[[str], bool]] = {
        "script-src": lambda each: each in ours or _within(each, processors),
        "connect-src": lambda each: _within(each, {site.root, *processors}),
        "frame-src": lambda each: _within(each, processors),
        "form-action": lambda each: each == "'self'" or each in processors,
        "frame-ancestors": lambda each: each == "'none'" or each in site.embed_origins,
    }
    for name in ("form-action", "frame-ancestors", *needed):
        if name not in policy:
            yield Difference("page", f"has no {name} in its {_POLICY}")
    for name, sources in policy.items():
        if name in needed and sources != needed[name]:
            told = f"{' '.join(sorted(sources))}; it should be {' '.join(sorted(needed[name]))}"
            yield Difference("page", f"allows {name} {told}")
        elif name in allowed:
            for each in sorted(sources):
                if not allowed[name](each):
                    yield Difference("page", f"allows {name} {each}")
        elif name not in needed:
            yield Difference("page", f"has {name} in its {_POLICY}")
    if "'none'" in policy.get("frame-ancestors", ()) and found.get(_FRAMING) != "DENY":
        yield Difference("page", f"has no header {_FRAMING}; it should be: DENY")


def _of_scripts(site: LiveSite, read: _Read) -> Iterator[Difference]:
    known = {f"{site.root}/{page_script().name}": page_script().integrity}
    for source, integrity in read.scripts:
        url = urljoin(site.page, source)
        if _within(url, site.processor_origins):
            continue
        if not source:
            yield Difference("page", "has a script without an address")
        elif url not in known:
            yield Difference("page", f"loads {url}, which is not in the inventory")
        elif integrity != known[url]:
            yield Difference("page", f"loads {url} with the digest {integrity or '(none)'}")
    for each in read.handlers:
        yield Difference("page", f"has code in its HTML: {each}")


def _of_script(script: OwnScript, fetched: Fetched) -> Iterator[Difference]:
    if fetched.status != 200:
        yield Difference(script.name, f"cannot be loaded: the status is {fetched.status}")
        return
    digest = base64.b64encode(hashlib.sha384(fetched.body).digest()).decode("ascii")
    if f"sha384-{digest}" != script.integrity:
        yield Difference(script.name, f"has the digest sha384-{digest}, not {script.integrity}")
    yield from _of_headers(script.name, fetched.headers, OF_SCRIPTS)


def _directives(policy: str) -> Iterator[tuple[str, set[str]]]:
    for each in policy.split(";"):
        name, *sources = each.split()
        yield name.lower(), set(sources)


def _within(url: str, places: Iterable[str]) -> bool:
    """Return whether *url* is one of the addresses *places* or below one of them."""
    return any(url == each or url.startswith(f"{each}/") for each in places)


def _sha256(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
    return f"'sha256-{digest}'"


class _Read(HTMLParser):
    """What a page runs: its scripts with their digests, its styles, and code in attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts: list[tuple[str, str]] = []
        self.styles: list[str] = []
        self.handlers: list[str] = []
        self._in_style = False

    @classmethod
    def of(cls, body: bytes) -> _Read:
        """Return what is in *body*."""
        read = cls()
        read.feed(body.decode("utf-8", "replace"))
        read.close()
        return read

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "script":
            self.scripts.append((given.get("src", ""), given.get("integrity", "")))
        if tag == "style":
            self._in_style = True
            self.styles.append("")
        for name, value in given.items():
            code = "".join(value.lower().split()).startswith(_CODE)
            if name.startswith("on") or (code and name in ("href", "action", "formaction", "src")):
                self.handlers.append(f"<{tag} {name}>")

    @override
    def handle_endtag(self, tag: str) -> None:
        if tag == "style":
            self._in_style = False

    @override
    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.styles[-1] += data


_OWN: Final = (page_script(), popup_script())
