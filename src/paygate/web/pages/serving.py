"""Responses that the applications of the pages share: our scripts, sent only if they changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.web.pages.headers import OF_SCRIPTS

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from paygate.web.pages.scripts import OwnScript


def script_response(request: Request, script: OwnScript) -> Response:
    """Return *script*, or 304 if the browser has it already."""
    from starlette.responses import Response

    tag = f'"{script.integrity}"'
    headers = {**OF_SCRIPTS, "etag": tag}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(script.body, headers=headers)
