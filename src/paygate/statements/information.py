"""Field 86 of MT940: the text of an entry, which many banks give a structure of their own.

German banks begin it with a business transaction code and mark each part with ``?`` and two digits;
Dutch banks write ``/WORD/value``. A mark may be cut by the end of a line, so lines are joined
before the text is split.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_GERMAN: Final = re.compile(r"([0-9]{3})\?", re.ASCII)
_MARK: Final = re.compile(r"\?([0-9]{2})", re.ASCII)
_DUTCH: Final = re.compile(r"/([A-Z]{3,4})/", re.ASCII)
_PURPOSE: Final = frozenset({*range(20, 30), *range(60, 64)})
_NAMES: Final = (32, 33)
_ACCOUNT: Final = 31
_REASON: Final = 34
_POSTING: Final = 0
_WORDS: Final = (
    *("EREF", "KREF", "MREF", "CRED", "DEBT", "COAM", "OAMT", "SVWZ"),
    *("ABWA", "ABWE", "PURP", "IBAN", "BIC", "BREF", "RREF"),
)
# A word may be cut between two parts.
_WORD: Final = re.compile("(" + "|".join("\n?".join(each) for each in _WORDS) + r")\n?\+", re.ASCII)
_NOT_GIVEN: Final = frozenset({"NOTPROVIDED", "NONREF"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Information:
    """The parts of a field 86."""

    text: str
    gvc: str = ""
    end_to_end: str = ""
    reference: str = ""
    party: str = ""
    account: str = ""
    reason: str = ""
    charges: str = ""


def read_information(text: str) -> Information:
    """Return the parts of a field 86."""
    joined = text.replace("\n", "")
    german = _GERMAN.match(joined)
    if german is not None:
        return _german(german[1], joined[3:])
    if _DUTCH.match(joined):
        return _dutch(joined)
    return Information(text=text.strip())


def _german(gvc: str, text: str) -> Information:
    pieces = _MARK.split(text)
    fields = list(zip(map(int, pieces[1::2]), pieces[2::2], strict=True))
    purpose = "\n".join(value for mark, value in fields if mark in _PURPOSE)
    words = _words(purpose)
    posting = "".join(value for mark, value in fields if mark == _POSTING).strip()
    name = "".join(value for mark, value in fields if mark in _NAMES).strip()
    account = "".join(value for mark, value in fields if mark == _ACCOUNT).strip()
    return Information(
        text=(words.get("SVWZ", "") or ("" if words else purpose) or posting).strip(),
        gvc=gvc,
        end_to_end=_given(words.get("EREF", "")),
        party=name,
        account=account or _plain(words.get("IBAN", "")),
        reason="".join(value for mark, value in fields if mark == _REASON).strip(),
        charges=_amount(words.get("COAM", "")),
    )


def _words(text: str) -> dict[str, str]:
    """Return the value of each word, such as ``EREF+``, with the line ends inside it."""
    pieces = _WORD.split(text)
    return {
        word.replace("\n", ""): value
        for word, value in zip(pieces[1::2], pieces[2::2], strict=True)
    }


def _dutch(text: str) -> Information:
    pieces = _DUTCH.split(text)
    words = dict(zip(pieces[1::2], pieces[2::2], strict=True))
    remittance = words.get("REMI", "").strip()
    return Information(
        text=remittance.removeprefix("USTD//").strip("/ ") if remittance else text,
        end_to_end=_given(words.get("EREF", "")),
        party=words.get("NAME", "").strip(),
        account=words.get("IBAN", "").strip(),
        reason=words.get("RTRN", "").strip(),
    )


def _plain(text: str) -> str:
    return text.replace("\n", "").strip()


def _given(text: str) -> str:
    plain = _plain(text)
    return "" if plain in _NOT_GIVEN else plain


def _amount(text: str) -> str:
    found = re.match(r"[0-9]+,[0-9]+", _plain(text), re.ASCII)
    return "" if found is None else found[0]
