"""Addresses: what a payer's wallet reads out of one, which is the script to pay to."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

NETWORKS: Final = {"main": "bc", "test": "tb", "signet": "tb", "regtest": "bcrt"}
"""By network, how its addresses of witness programs begin (BIP 173)."""

_BECH32: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_GENERATORS: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_KEY_HASH: Final = (b"\x00", b"\x6f")
_SCRIPT_HASH: Final = (b"\x05", b"\xc4")


def script_of(address: str, network: str) -> bytes:
    """Return the script that *address* stands for; raise `ValueError` if it is not valid."""
    begin = f"{NETWORKS[network]}1"
    if address.lower().startswith(begin):
        version, program = _witness(address, begin)
        return bytes([version + 0x50 if version else 0, len(program)]) + program
    version_byte, payload = _base58(address)
    test = network != "main"
    if version_byte == _KEY_HASH[test]:
        return b"\x76\xa9\x14" + payload + b"\x88\xac"
    if version_byte == _SCRIPT_HASH[test]:
        return b"\xa9\x14" + payload + b"\x87"
    raise _refused(address)


def _witness(address: str, begin: str) -> tuple[int, bytes]:
    """Read version and program (BIP 173, and BIP 350 from version 1 on)."""
    lower = address.lower()
    words = [_BECH32.find(each) for each in lower[len(begin) :]]
    if address not in (lower, lower.upper()) or -1 in words or len(words) < 8:
        raise _refused(address)
    letters = begin[:-1].encode()
    spread = [each >> 5 for each in letters] + [0] + [each & 31 for each in letters]
    version, bits = words[0], words[1:-6]
    number = 0
    for word in bits:
        number = number << 5 | word
    size, padding = divmod(5 * len(bits), 8)
    program = (number >> padding).to_bytes(size, "big")
    right = _checksum([*spread, *words]) == (0x2BC830A3 if version else 1)
    clean = padding < 5 and not number & ((1 << padding) - 1)
    fits = size in (20, 32) if version == 0 else version <= 16 and 2 <= size <= 40
    if not (right and clean and fits):
        raise _refused(address)
    return version, program


def _checksum(words: list[int]) -> int:
    rest = 1
    for word in words:
        top = rest >> 25
        rest = (rest & 0x1FFFFFF) << 5 ^ word
        for bit, generator in enumerate(_GENERATORS):
            rest ^= generator if top >> bit & 1 else 0
    return rest


def _base58(address: str) -> tuple[bytes, bytes]:
    """Read the version byte and the 20 bytes after it."""
    number = 0
    for letter in address:
        number = number * 58 + _BASE58.find(letter)
        if letter not in _BASE58 or number >= 1 << 200:
            raise _refused(address)
    raw = number.to_bytes(25, "big")
    if sha256(sha256(raw[:21]).digest()).digest()[:4] != raw[21:]:
        raise _refused(address)
    return raw[:1], raw[1:21]


def _refused(address: str) -> ValueError:
    return ValueError(f"{address[:100]!r} is not an address of this network")
