"""Responses that no processor should give, and that some processor gives some day."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from paygate.driver import Response

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

GARBAGE: Final = (
    b"",
    b"\x00",
    b"<html><body>Bad Gateway</body></html>",
    b"\xff\xfe not text",
    b"null",
    b"[]",
    b"{}",
    b"[" * 10_000,
    b'{"a":' * 3_000,
    b"1e999",
    b"NaN",
    b'"text"',
    b"<?xml version='1.0'?><a><b/>",
    b"status=",
)
"""Bodies from something that is not the processor, or from a processor with a fault."""

STATUSES: Final = (200, 201, 202, 204, 302, 400, 401, 403, 404, 409, 422, 429, 500, 502, 503)

_TOKEN: Final = re.compile(rb"[A-Za-z0-9_.:+/-]+")
_ODD: Final = (
    b"",
    b"0",
    b"-1",
    b"1e999",
    b"NaN",
    b"null",
    b"true",
    b"[]",
    b"{}",
    b"99999999999999999999999",
    b"1.005",
    b"\\u0000",
    b"\\ud800",
    b"\xc3\x28",
    b"x" * 5_000,
    "٣".encode(),
)


def made_up(examples: int) -> settings:
    """Return settings for this many examples, however long each takes to generate."""
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    return settings(max_examples=examples, deadline=None, database=None, suppress_health_check=slow)


def tokens_of(body: bytes) -> list[tuple[int, int]]:
    """Return the positions of the words and numbers in *body*."""
    return [found.span() for found in _TOKEN.finditer(body)]


def mutations(response: Response) -> SearchStrategy[Response]:
    """Return responses that differ from *response* in a word, a byte, their end or status."""
    body = response.body
    spans = tokens_of(body)
    ways: list[SearchStrategy[bytes]] = [
        st.binary(max_size=200),
        st.integers(0, max(0, len(body) - 1)).map(lambda end: body[:end]),
        st.sampled_from(GARBAGE),
    ]
    if spans:
        ways.append(
            st.tuples(st.sampled_from(spans), st.sampled_from(_ODD)).map(
                lambda way: body[: way[0][0]] + way[1] + body[way[0][1] :]
            )
        )
        ways.append(
            st.tuples(st.sampled_from(spans), st.sampled_from(spans)).map(
                lambda way: body[: way[0][0]] + body[way[1][0] : way[1][1]] + body[way[0][1] :]
            )
        )
    bodies = st.one_of(ways)
    statuses = st.one_of(st.just(response.status), st.sampled_from(STATUSES))

    def spoil(status: int, spoiled: bytes) -> Response:
        return Response(status=status, headers=response.headers, body=spoiled)

    return st.builds(spoil, statuses, bodies)
