"""The payment pages: the inventory of their scripts and headers, and whether a site matches it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from paygate.cli import options, show
from paygate.cli.exits import FINDINGS
from paygate.errors import InvalidValue

if TYPE_CHECKING:
    from paygate.web.pages.inventory import Difference, Fetched

_TIMEOUT_S = 10.0
_BYTES_MAX = 1_000_000


def inventory(
    authorized_by: Annotated[
        str, typer.Option("--authorized-by", help="Who approved the scripts.")
    ] = "",
    check: Annotated[
        str | None,
        typer.Option("--check", metavar="URL", help="Compare a live site: its base_url or a page."),
    ] = None,
    embed_origins: Annotated[
        list[str] | None,
        typer.Option("--embed-origin", help="An origin that can show the pages in a frame."),
    ] = None,
    processor_origins: Annotated[
        list[str] | None,
        typer.Option("--processor-origin", help="An origin of a processor that pages can name."),
    ] = None,
    as_json: options.JsonOption = False,
) -> None:
    """List the scripts and headers of the payment pages; exits with 1 if a live site differs."""
    from paygate.web.pages.inventory import headers, scripts

    found: list[Difference] | None = None
    if check is not None:
        found = _compared(check, embed_origins or [], processor_origins or [])
    if as_json:
        facts = {"scripts": scripts(authorized_by), "headers": headers()}
        compared = {} if found is None else {"ok": not found, "differences": found}
        show.write_json({**facts, **compared})
    else:
        _show(authorized_by, found)
    if found:
        raise typer.Exit(FINDINGS)


def _show(authorized_by: str, found: list[Difference] | None) -> None:
    from paygate.web.pages.inventory import headers, scripts

    table = show.table("Script", "Digest", "Why", "Authorized by")
    for each in scripts(authorized_by):
        show.add(table, each.path, each.integrity, each.reason, each.authorized_by)
    show.console().print(table)
    sent = show.table("Header", "Value")
    for name, value in headers().items():
        show.add(sent, name, value)
    show.console().print(sent)
    if found is None:
        return
    if not found:
        show.say("The site matches the inventory.")
        return
    differing = show.table("Where", "Difference")
    for one in found:
        show.add(differing, one.where, one.problem, style="red")
    show.console().print(differing)


def _compared(url: str, embed_origins: list[str], processor_origins: list[str]) -> list[Difference]:
    from paygate.web.pages.inventory import LiveSite, differences
    from paygate.web.settings import is_safe, require_origin

    if not is_safe(url):
        raise InvalidValue(
            "check must be the https address of the pages, or one on loopback", argument="check"
        )
    for argument, given in (
        ("embed_origins", embed_origins),
        ("processor_origins", processor_origins),
    ):
        for each in given:
            require_origin(argument, each)
    site = LiveSite.of(url, embed_origins=embed_origins, processor_origins=processor_origins)
    return list(differences(site, _fetch))


def _fetch(url: str) -> Fetched:
    """Return what *url* sends; redirects are not followed."""
    import httpx

    from paygate.web.pages.inventory import Fetched

    try:
        with httpx.stream("GET", url, timeout=_TIMEOUT_S) as response:
            body = b""
            for part in response.iter_bytes():
                body += part
                if len(body) > _BYTES_MAX:
                    raise InvalidValue(
                        f"the site sent more than {_BYTES_MAX} bytes", argument="check"
                    )
            return Fetched(response.status_code, dict(response.headers), body)
    except httpx.HTTPError as error:
        # Its text may contain the address, and an address of a payment page is a secret.
        raise InvalidValue(
            f"the site cannot be reached ({type(error).__name__})", argument="check"
        ) from None
