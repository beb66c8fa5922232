"""Access logs: a filter that replaces the tokens in addresses by ids.

Whoever has the address of a payment page can open it, so a log that many people read must not
contain it. The id is the beginning of the digest under which the ledger finds the token.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from typing_extensions import override

from paygate.ledger.page_keys import digest_of

if TYPE_CHECKING:
    from collections.abc import Mapping

# Whatever has the form of a token in a path or a query is taken for one: a server logs an address
# before it is normalized, and it logs the address that a payer mistyped.
_CHARACTER: Final = "(?:[A-Za-z0-9_-]|%(?:2[Dd]|3[0-9]|[4-7][0-9A-Fa-f]))"
_TOKEN: Final = re.compile(rf"([/=]|%2[Ff]|%3[Dd])({_CHARACTER}{{22}})(?!{_CHARACTER})")
_ID_LENGTH: Final = 12


def without_tokens(text: str) -> str:
    """Return *text* with an id, such as ``#1f3a9c0de4b7``, in place of each token of a page."""
    return _TOKEN.sub(lambda found: f"{found[1]}#{digest_of(unquote(found[2]))[:_ID_LENGTH]}", text)


class TokenFilter(logging.Filter):
    """A filter for the handlers or loggers of a server, such as ``uvicorn.access``."""

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        """Replace the tokens in the message and its arguments; no record is dropped."""
        if isinstance(record.msg, str):
            record.msg = without_tokens(record.msg)
        if isinstance(record.args, tuple):
            record.args = tuple(_cleaned(each) for each in record.args)
        elif record.args:
            named: Mapping[str, object] = record.args
            record.args = {name: _cleaned(each) for name, each in named.items()}
        return True


def _cleaned(argument: object) -> object:
    return without_tokens(argument) if isinstance(argument, str) else argument
