"""Bodies: forms that a browser sends, read up to a limit of bytes and time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from starlette.requests import Request

_FORM: Final = "application/x-www-form-urlencoded"
_FIELDS_MAX: Final = 1000


class TooMuch(Exception):
    """A body is too long, or takes too long; *status* is that of the response."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


async def read_fields(request: Request, *, bytes_max: int, seconds_max: float) -> dict[str, str]:
    """Return the fields of a form, the last one of each name; of another body none."""
    return dict(await read_pairs(request, bytes_max=bytes_max, seconds_max=seconds_max))


async def read_pairs(
    request: Request, *, bytes_max: int, seconds_max: float
) -> list[tuple[str, str]]:
    """Return the fields of a form in their order; a name may have several; of another body none."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await read_body(request, bytes_max=bytes_max, seconds_max=seconds_max)
    if kind != _FORM:
        return []
    text = body.decode("utf-8", "replace")
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=_FIELDS_MAX)
    except ValueError:
        raise TooMuch(400) from None


async def read_body(request: Request, *, bytes_max: int, seconds_max: float) -> bytes:
    """Return the body of *request*, or raise `TooMuch`."""
    from anyio import move_on_after
    from starlette.requests import ClientDisconnect

    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > bytes_max:
        raise TooMuch(413)
    body = bytearray()
    with move_on_after(seconds_max):
        try:
            async for chunk in request.stream():
                body += chunk
                if len(body) > bytes_max:
                    raise TooMuch(413)
        except ClientDisconnect:
            raise TooMuch(400) from None
        return bytes(body)
    raise TooMuch(408)
