"""Output descriptors and account keys, which a merchant's wallet exports, and their scripts.

Everything is checked here before a native library sees it, because some libraries accept a wrong
checksum, and some end the process on a hardened step. A text that may hold a private key is
refused and never repeated in a message.
"""

from __future__ import annotations

import hashlib
import re
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from paygate.driver import InvalidSettings, MissingExtra
from paygate.drivers.bitcoin.networks import BitcoinNetwork

if TYPE_CHECKING:
    from collections.abc import Sequence

HARDENED: Final = 2**31
LAST: Final = HARDENED - 1  # the library derives one address fewer than there are

_FORMS: Final = ("wpkh", "tr", "sh(wpkh", "pkh")
_DESCRIPTOR: Final = re.compile(
    r"(?P<form>wpkh|tr|pkh|sh\(wpkh)\("
    r"(?:\[(?P<origin>[0-9a-fA-F]{8}(?:/[0-9]{1,10}[h']?)*)\])?"
    r"(?P<key>[1-9A-HJ-NP-Za-km-z]{100,120})"
    r"(?P<path>(?:/[^/()]*)*)"
    r"(?P<end>\)+)"
)
_BARE: Final = re.compile(r"[1-9A-HJ-NP-Za-km-z]{100,120}")
_STEP: Final = re.compile(r"[0-9]{1,10}")
_MULTIPATH: Final = re.compile(r"<([0-9]{1,10})(?:;[0-9]{1,10})+>")
# Extended private keys, keys in wallet import format (also encrypted, BIP 38), bare keys in hex,
# shares of a seed (codex32, BIP 93), and seed words with any numbering and separators.
_PRIVATE: Final = re.compile(
    r"[xyztuvYZUV]prv[1-9A-HJ-NP-Za-km-z]|\b[5KLc9][1-9A-HJ-NP-Za-km-z]{50,51}\b"
    r"|\b6P[1-9A-HJ-NP-Za-km-z]{56}\b|\b[0-9a-fA-F]{64}\b"
    r"|(?i:\bms1[02-9ac-hj-np-z]{45,})"
    r"|(?i:[a-z]{3,8}(?:(?:\d*[^a-z0-9])+\d*[a-z]{3,8}){11})"
)
_SEVERAL: Final = re.compile(r"multi|musig|wsh\(|thresh|and_|or_")

_MAIN, _TEST = True, False
# Version bytes: the network, and the form that wallets mean by them; None for several signers.
_VERSIONS: Final[dict[bytes, tuple[bool, str | None]]] = {
    bytes.fromhex("0488b21e"): (_MAIN, ""),
    bytes.fromhex("049d7cb2"): (_MAIN, "sh(wpkh"),
    bytes.fromhex("04b24746"): (_MAIN, "wpkh"),
    bytes.fromhex("0295b43f"): (_MAIN, None),
    bytes.fromhex("02aa7ed3"): (_MAIN, None),
    bytes.fromhex("043587cf"): (_TEST, ""),
    bytes.fromhex("044a5262"): (_TEST, "sh(wpkh"),
    bytes.fromhex("045f1cf6"): (_TEST, "wpkh"),
    bytes.fromhex("024289ef"): (_TEST, None),
    bytes.fromhex("02575483"): (_TEST, None),
}
_PLAIN_VERSION: Final = {_MAIN: bytes.fromhex("0488b21e"), _TEST: bytes.fromhex("043587cf")}


# --- The checksum of BIP 380 ------------------------------------------------------------------

_SYMBOLS: Final = (
    "0123456789()[],'/*abcdefgh@:$%{}"
    "IJKLMNOPQRSTUVWXYZ&+-.;<=>?!^_|~"
    'ijklmnopqrstuvwxyzABCDEFGH`#"\\ '
)
_CHARSET: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR: Final = (0xF5DEE51989, 0xA9FDCA3312, 0x1BAB10E32D, 0x3706B1677A, 0x644D626FFD)


def checksum_of(text: str) -> str:
    """Return the eight characters that follow ``#``; refuse characters that BIP 380 lacks."""
    values: list[int] = []
    groups: list[int] = []
    for character in text:
        place = _SYMBOLS.find(character)
        if place < 0:
            raise InvalidSettings("the descriptor has characters that no descriptor may have")
        values.append(place & 31)
        groups.append(place >> 5)
        if len(groups) == 3:
            values.append(groups[0] * 9 + groups[1] * 3 + groups[2])
            groups.clear()
    if groups:
        values.append(groups[0] if len(groups) == 1 else groups[0] * 3 + groups[1])
    rest = 1
    for value in (*values, *([0] * 8)):
        top = rest >> 35
        rest = (rest & 0x7FFFFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATOR):
            rest ^= generator if top >> bit & 1 else 0
    rest ^= 1
    return "".join(_CHARSET[rest >> 5 * (7 - place) & 31] for place in range(8))


def without_checksum(text: str) -> str:
    """Return *text* without its checksum; refuse a wrong one."""
    payload, mark, given = text.partition("#")
    computed = checksum_of(payload)
    if mark and given != computed:
        raise InvalidSettings(
            "the checksum of the descriptor is wrong: a character was lost or changed; "
            "copy it from the wallet again"
        )
    return payload


# --- The wallet -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wallet:
    """The addresses of one descriptor, by number, without any key that can spend.

    `descriptor` is the canonical text without the key's origin, which does not affect addresses.
    `depth` is the depth of the exported key: 3 for an account of BIP 44 and its successors.
    """

    descriptor: str
    network: BitcoinNetwork
    form: str
    depth: int
    _native: Any = field(repr=False, compare=False)

    @property
    def identity(self) -> str:
        """The id of the wallet, the same for every spelling of its descriptor."""
        return f"btc-{hashlib.sha256(self.descriptor.encode()).hexdigest()[:16]}"

    @property
    def described(self) -> str:
        """The descriptor with its checksum, in the form that wallets import."""
        return f"{self.descriptor}#{checksum_of(self.descriptor)}"

    @property
    def dust(self) -> int:
        """The satoshis below which nodes do not relay a payment to such an address."""
        return {"wpkh": 294, "tr": 330, "sh(wpkh": 540}.get(self.form, 546)

    def script(self, number: int) -> bytes:
        """Return the script that pays to address *number*."""
        return bytes(_wally().descriptor_to_script(self._native, 0, 0, 0, 0, number, 0))

    def address(self, number: int) -> str:
        """Return address *number* as wallets write it."""
        if not 0 <= number < LAST:
            raise InvalidSettings(f"an address has a number from 0 to {LAST - 1}")
        made: str = _wally().descriptor_to_address(self._native, 0, 0, number, 0)
        return made

    def first(self, count: int = 3) -> Sequence[str]:
        """Return the first addresses, for the merchant to compare with the wallet."""
        return [self.address(number) for number in range(count)]


def read_wallet(text: str, network: BitcoinNetwork, form: str = "") -> Wallet:
    """Return the wallet of a descriptor, or of an account's key, on *network*.

    *form* is the kind of address (``wpkh``, ``tr``, ``sh(wpkh)`` or ``pkh``) of a bare xpub or
    tpub, which does not state it. Raises `InvalidSettings`, which quotes nothing of *text*.
    """
    text = text.strip()
    if _PRIVATE.search(text):
        raise InvalidSettings(
            "this is, or holds, a private key or seed words, which only the wallet should have; "
            "give the public descriptor or key (xpub) of the account"
        )
    form = form.removesuffix(")")
    if form and form not in _FORMS:
        raise InvalidSettings("the form must be wpkh, tr, sh(wpkh) or pkh")
    bare = _BARE.fullmatch(text)
    if bare:
        return _read_bare(text, network, form)
    text = without_checksum(text)
    if _SEVERAL.search(text):
        raise InvalidSettings("a descriptor of several signers (multisig) is not supported")
    parts = _DESCRIPTOR.fullmatch(text)
    if parts is None or parts["end"] != ")" * (1 + parts["form"].count("(")):
        raise InvalidSettings(
            "the descriptor has none of the forms wpkh(KEY), tr(KEY), sh(wpkh(KEY)) and pkh(KEY), "
            "where KEY is an xpub or tpub with /0/* after it"
        )
    if form and form != parts["form"]:
        raise InvalidSettings("the descriptor states another form; leave the form out, or fix it")
    return _made(parts["form"], parts["key"], _steps(parts["path"]), network)


def _read_bare(key: str, network: BitcoinNetwork, form: str) -> Wallet:
    _, meant = _version_of(_decoded(key), network)
    if meant and form and meant != form:
        raise InvalidSettings(f"the key is for {meant}) by its prefix, but the form says another")
    if not meant and not form:
        raise InvalidSettings(
            "an xpub or tpub does not say which kind of address it stands for: give the "
            "descriptor, or the form (wpkh, tr, sh(wpkh) or pkh)"
        )
    return _made(meant or form, key, "0/*", network)


def _steps(path: str) -> str:
    """Return the steps after the key: none hardened, and one of them a ``*``."""
    steps = path.split("/")[1:]
    if not steps or not steps[-1].startswith("*"):
        raise InvalidSettings("the descriptor is for one address only; it must end in /*")
    kept: list[str] = []
    for step in steps:
        if step.endswith(("h", "'", "H")):
            raise InvalidSettings(
                "a hardened step after the public key needs the private key; have the wallet "
                "export the key below that step"
            )
        several = _MULTIPATH.fullmatch(step)
        plain = several[1] if several else step
        if plain != "*" and not (_STEP.fullmatch(plain) and int(plain) < HARDENED):
            raise InvalidSettings("the path after the key must be numbers and a final *")
        kept.append(plain)
    if kept.count("*") != 1:
        raise InvalidSettings("the path after the key has more than one *")
    return "/".join(str(int(step)) if step != "*" else step for step in kept)


def _made(form: str, key: str, path: str, network: BitcoinNetwork) -> Wallet:
    wally, raw = _wally(), _decoded(key)
    main, _ = _version_of(raw, network)
    plain = _PLAIN_VERSION[main] + raw[4:]
    if plain[45] not in (2, 3):
        raise InvalidSettings("the key is not a public one")
    try:
        wally.bip32_key_unserialize(plain)  # it also checks that the point is on the curve
        spelled: str = wally.base58_from_bytes(plain, wally.BASE58_FLAG_CHECKSUM)
        descriptor = f"{form}({spelled}/{path}){')' * form.count('(')}"
        native = wally.descriptor_parse(descriptor, None, _native_network(network), 0)
    except ValueError:
        raise InvalidSettings("the key of the descriptor is not a point on the curve") from None
    return Wallet(descriptor, network, form, plain[4], native)


def _decoded(key: str) -> bytes:
    wally = _wally()
    try:
        raw = bytes(wally.base58_to_bytes(key, wally.BASE58_FLAG_CHECKSUM))
    except ValueError:
        raw = b""
    if len(raw) != 78:
        raise InvalidSettings("the key has a wrong checksum or length; copy it again")
    return raw


def _version_of(raw: bytes, network: BitcoinNetwork) -> tuple[bool, str]:
    """Return whether a key's prefix is of the main network, and the form it stands for."""
    if raw[:4] not in _VERSIONS:
        raise InvalidSettings("the key is not an xpub, ypub or zpub, nor one of a test network")
    main, form = _VERSIONS[raw[:4]]
    if form is None:
        raise InvalidSettings("the key is for several signers (multisig), which is not supported")
    if main is not network.live:
        theirs = "the main network" if main else "a test network"
        raise InvalidSettings(f"the key is for {theirs}, but the settings say {network}")
    return main, form


def _native_network(network: BitcoinNetwork) -> int:
    wally = _wally()
    found: int = {
        BitcoinNetwork.MAIN: wally.WALLY_NETWORK_BITCOIN_MAINNET,
        BitcoinNetwork.REGTEST: wally.WALLY_NETWORK_BITCOIN_REGTEST,
    }.get(network, wally.WALLY_NETWORK_BITCOIN_TESTNET)
    return found


def _wally() -> Any:
    try:
        # Python warns that the types made by SWIG have no module. If a host turns warnings into
        # errors, wallycore stays half initialized, and crashes the process.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            import wallycore  # pyright: ignore[reportMissingTypeStubs]
    except ImportError:
        raise MissingExtra(
            "Bitcoin needs wallycore; pip install 'paygate-sdk[bitcoin]'", extra="bitcoin"
        ) from None
    return wallycore
