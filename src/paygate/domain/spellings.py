r"""Spellings: the ways in which a secret is repeated by the other side of a conversation.

A processor, a mail server or a proxy on the way repeats what it was sent: as it was, as one line of
its own log shows it, or as it came over the wire. So a secret is searched for verbatim and in every
encoding that is in use for text:

- Base64, in both alphabets, by itself or as a part of something longer, such as the ``key:`` of
  HTTP's basic authentication and the ``\0user\0password`` of a mail server. Base64 encodes three
  bytes at a time, so a secret has three spellings in it, which depend on what precedes it.
- Percent-encoding, whole or only what must be; hexadecimal; the escapes of JSON, Python, XML and
  quoted-printable text.
- Digits in groups, as people write card numbers.
- All of these cut short, since messages are: if a text ends with the beginning of a secret, that
  is removed, too.

Whatever decodes to a text with a secret in it is one more spelling, up to two encodings deep.
"""

from __future__ import annotations

import base64
import binascii
import html
import json
import quopri
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, quote_plus, unquote_plus

from paygate.domain.private import in_ascii_digits
from paygate.domain.secret import DOTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from paygate.domain.secret import Secret

SHORT: Final = 6
"""Secrets with fewer characters occur by chance, so they are removed only as a word of prose."""

_CARD_LONG: Final = 13
_HEAD: Final = SHORT
"""How many characters of a spelling must be there before the whole of it is searched for."""

_PART: Final = re.compile(r"\w+")
_PART_MIN: Final = 4
_NAME_MIN: Final = 8
"""A part of this length with letters and digits does not occur elsewhere by chance."""

_RUN: Final = re.compile(r"(?:[A-Za-z0-9+/_=-]|%2[BbFf]|%3[Dd]|\\/|\\u00(?:2[BbFf]|3[Dd]))+")
"""A text in Base64, with its marks escaped or not."""
_CUT: Final = re.compile(r"\W*(?:\.\.\.|…|$)")
_ESCAPED: Final = re.compile(r"%[0-9A-Fa-f]{2}|\\[uUxX][0-9A-Fa-f]|&#?\w{1,8};|=[0-9A-F]{2}|\\/")
_HEX_ESCAPE: Final = re.compile(r"\\(?:[uU]([0-9A-Fa-f]{4})|[xX]([0-9A-Fa-f]{2}))")
_WORD: Final = re.compile(r"\S+")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]{12,}={0,2}")
"""What may be a text in Base64 with a secret in it; a single one is found without decoding."""
_BASE64_SHORT: Final = re.compile(r"[A-Za-z0-9+/_-]{4,}={0,2}")
_UNESCAPED: Final = re.compile(r"[\w.~-]+", re.ASCII)
_HEX: Final = re.compile(r"(?:[0-9A-Fa-f]{2}){6,}")
_DEPTH_MAX: Final = 2


@dataclass(frozen=True, slots=True)
class _Spelling:
    """One spelling, and how it begins; with *runs*, what surrounds it belongs to it."""

    head: str
    text: str
    runs: bool = False

    def removed_from(self, text: str, *, cut: bool) -> str:
        """Return *text* without this; with *cut*, without its beginning at the end of the text."""
        if self.text in text and self.runs:
            text = _RUN.sub(lambda run: DOTS if self.text in run[0] else run[0], text)
        elif self.text in text:
            text = text.replace(self.text, DOTS)
        return self._without_beginning(text) if cut and self.head in text else text

    def _without_beginning(self, text: str) -> str:
        at = text.find(self.head)
        while at >= 0:
            end = at + _common(self.text, text, at)
            if _CUT.match(text, end):
                start, end = self._whole(text, at, end)
                return text[:start] + DOTS + text[end:]
            at = text.find(self.head, end)
        return text

    def _whole(self, text: str, at: int, end: int) -> tuple[int, int]:
        """Return where the run begins and ends that the characters from *at* to *end* are in."""
        runs = _RUN.finditer(text) if self.runs else ()
        found = (run for run in runs if run.start() <= at < run.end())
        return next(((run.start(), max(end, run.end())) for run in found), (at, end))


def _common(spelling: str, text: str, at: int) -> int:
    """Return how many characters of *spelling* are in *text* at this position."""
    length = 0
    for ours, theirs in zip(spelling, text[at:], strict=False):
        if ours != theirs:
            break
        length += 1
    return length


class Spellings:
    """The ways in which secrets are repeated: verbatim, encoded, or in groups of digits."""

    __slots__ = ("_grouped", "_long", "_parts", "_short")

    def __init__(self, secrets: Iterable[Secret[str]] = ()) -> None:
        texts = {secret.reveal() for secret in secrets} - {""}
        self._short = tuple(text for text in texts if len(text) < SHORT)
        long = [text for text in texts if len(text) >= SHORT]
        self._long = tuple(each for text in long for each in _spellings(text))
        self._grouped = tuple(text for text in long if text.isdigit())
        self._parts: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Spellings({DOTS})"

    def __bool__(self) -> bool:
        return bool(self._short or self._long)

    def and_those(self, other: Spellings) -> Spellings:
        """Return the spellings of both."""
        both = Spellings()
        both._short = self._short + other._short
        both._long = self._long + other._long
        both._grouped = self._grouped + other._grouped
        both._parts = self._parts + other._parts
        return both

    def and_parts(self, token: Secret[str]) -> Spellings:
        """Return these with the parts of *token*, if it is joined from parts."""
        found = [part for part in _PART.findall(token.reveal()) if part != token.reveal()]
        parts = Spellings()
        parts._parts = tuple(part for part in found if _is_name(part))
        parts._short = tuple(
            part for part in found if not _is_name(part) and len(part) >= _least(part)
        )
        return self.and_those(parts)

    def covers(self, secret: Secret[str]) -> bool:
        """Return whether nothing of *secret* is left without these, as of a key in Base64."""
        left = self.blotted(secret.reveal(), prose=False, whole=True)
        return not _PART.search(left)

    def blotted(self, text: str, *, prose: bool, whole: bool = False) -> str:
        """
        Return *text* with dots for each spelling; short ones only as a word of *prose*.

        With *whole*, the text identifies something: parts of a token and beginnings of a secret
        are kept, and so is what would have to be decoded first.
        """
        for each in self._long:
            if each.head in text:
                text = each.removed_from(text, cut=not whole)
        if not whole:
            for part in self._parts:
                if part in text:
                    text = text.replace(part, DOTS)
        for digits in self._grouped:
            text = _without_digits(text, digits)
        if prose:
            for word in self._short:
                if word in text:
                    text = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", DOTS, text)
        return text if whole else self._decoded(text, prose=prose)

    def _decoded(self, text: str, *, prose: bool) -> str:
        """Return *text* with dots for each word that decodes to one of the spellings."""
        short = prose and bool(self._short)
        if not (self._long or short):
            return text
        plain, based = text, _BASE64_SHORT if short else _BASE64
        if _ESCAPED.search(plain):
            plain = _WORD.sub(lambda word: self._unless(word[0], _unescaped(word[0])), plain)
            plain = self._unless(plain, _unescaped(plain))  # of several words
        plain = based.sub(lambda run: self._unless(run[0], _unbased(run[0])), plain)
        return text if plain == text else plain

    def _unless(self, word: str, decoded: Iterable[str]) -> str:
        return DOTS if any(self._holds(each, _DEPTH_MAX) for each in decoded) else word

    def _holds(self, text: str, depth: int) -> bool:
        """Return whether *text*, or what it decodes to, has a spelling in it."""
        if not text or depth == 0:
            return False
        if any(each.head in text and each.text in text for each in self._long):
            return True
        if any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) for word in self._short):
            return True
        inner = [each for run in _BASE64_SHORT.findall(text) for each in _unbased(run)]
        if _ESCAPED.search(text):
            inner += _unescaped(text)
        return any(self._holds(each, depth - 1) for each in inner)


def _unescaped(word: str) -> Iterator[str]:
    """Yield what *word* means if it is escaped, by any of the usual rules."""
    if "%" in word:
        yield unquote_plus(word)
    if "&" in word:
        yield html.unescape(word)
    if "\\" in word:
        plain = _HEX_ESCAPE.sub(lambda found: chr(int(found[1] or found[2], 16)), word)
        yield plain.replace("\\/", "/")
        with suppress(UnicodeError):  # the escapes of bytes
            yield plain.encode("latin-1").decode()
    if "=" in word:
        yield quopri.decodestring(word.encode("utf-8", "replace")).decode("utf-8", "replace")


def _unbased(run: str) -> Iterator[str]:
    """Yield the texts that *run* is the Base64 or hexadecimal digits of, cut short or not."""
    if _HEX.fullmatch(run):
        yield bytes.fromhex(run).decode("utf-8", "replace")
    digits = run.rstrip("=").replace("-", "+").replace("_", "/")
    with suppress(binascii.Error, ValueError):
        whole = digits[: len(digits) - (len(digits) % 4 == 1)]
        text = base64.b64decode(whole + "=" * (-len(whole) % 4)).decode("utf-8", "strict")
        yield text


def _without_digits(text: str, digits: str) -> str:
    """Return *text* with dots for *digits* in groups; a card number's may have any separators."""
    between = r"[\W_]{0,3}" if len(digits) >= _CARD_LONG else "[ -]?"
    written, at = "", 0
    for found in re.finditer(between.join(digits), in_ascii_digits(text)):
        written += text[at : found.start()] + DOTS
        at = found.end()
    return written + text[at:]


def _is_name(part: str) -> bool:
    """Return whether *part* of a token is neither word nor number, and too long for chance."""
    return len(part) >= _NAME_MIN and not part.isalpha() and not part.isdigit()


def _least(part: str) -> int:
    """Return the minimum length of a *part* to hide in prose; short words are too common."""
    return _NAME_MIN if part.isalpha() else _PART_MIN


def _spellings(text: str) -> list[_Spelling]:
    data = text.encode("utf-8", "replace")
    plain = {text, data.hex(), data.hex().upper()}
    if not _UNESCAPED.fullmatch(text):
        plain |= _escapes(text)
    cores = {core for before in range(3) if len(core := _core(data, before)) >= _HEAD}
    cores |= {core.replace("+", "-").replace("/", "_") for core in cores}
    cores |= {quote(core, safe="") for core in cores} | {core.replace("/", "\\/") for core in cores}
    found = [_Spelling(each[:_HEAD], each) for each in plain]
    return found + [_Spelling(each[:_HEAD], each, runs=True) for each in cores - plain]


def _escapes(text: str) -> set[str]:
    percents, quoted = quote(text, safe=""), json.dumps(text)[1:-1]
    return {
        percents,
        quote(text),
        quote_plus(text),
        re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), percents),
        quoted,
        quoted.replace("/", "\\/"),
        repr(text)[1:-1],
        ascii(text)[1:-1],
        repr(text.encode("utf-8", "replace"))[2:-1],
        html.escape(text),
    }


def _core(data: bytes, before: int) -> str:
    """Return what *data* is in Base64 after *before* bytes, without what its neighbors change."""
    digits = base64.b64encode(bytes(before) + data).decode().rstrip("=")
    return digits[-(-before * 8 // 6) : (before + len(data)) * 8 // 6]
