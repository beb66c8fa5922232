"""Output descriptors and account keys: from what a merchant's wallet exports to scripts.

Everything is checked here before a native library sees it, because some of them
let a wrong checksum pass, and some end the process on a hardened step. A text
that may hold a private key is refused and never repeated in a message.
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
LAST: Final = HARDENED - 1  # one less than there are: the library counts so

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
# shares of a seed (codex32, BIP 93), and seed words however they are numbered and separated.
_PRIVATE: Final = re.compile(
    r"[xyztuvYZUV]prv[1-9A-HJ-NP-Za-km-z]|\b[5KLc9][1-9A-HJ-NP-Za-km-z]{50,51}\b"
    r"|\b6P[1-9A-HJ-NP-Za-km-z]{56}\b|\b[0-9a-fA-F]{64}\b"
    r"|(?i:\bms1[02-9ac-hj-np-z]{45,})"
    r"|(?i:[a-z]{3,8}(?:(?:\d*[^a-z0-9])+\d*[a-z]{3,8}){11})"
)
_SEVERAL: Final = re.compile(r"multi|musig|wsh\(|thresh|and_|or_")

_MAIN, _TEST = True, False
# Version bytes: which network, and the form that wallets mean by it; none for many signers.
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
    """Compute the eight characters that follow ``#``; `InvalidSettings` for foreign characters."""
    values: list[int] = []
    groups: list[int] = []
    for character in text:
        place = _SYMBOLS.find(character)
        if place < 0:
            raise InvalidSettings("the descriptor has characters that no descriptor has")
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
    """Take a checksum off *text*, or refuse one that is wrong."""
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
    """
    The addresses of one descriptor, by number, without any key that can spend.

    `descriptor` is the canonical text, without a key's origin, which changes no
    address. `depth` is how deep the exported key lies: 3 for an account of BIP 44
    and its successors.
    """

    descriptor: str
    network: BitcoinNetwork
    form: str
    depth: int
    _native: Any = field(repr=False, compare=False)

    @property
    def identity(self) -> str:
        """A name of the wallet, the same for every spelling of its descriptor."""
        return f"btc-{hashlib.sha256(self.descriptor.encode()).hexdigest()[:16]}"

    @property
    def described(self) -> str:
        """The descriptor with its checksum, as wallets import it."""
        return f"{self.descriptor}#{checksum_of(self.descriptor)}"

    @property
    def dust(self) -> int:
        """The satoshis below which nodes do not pass a payment to such an address on."""
        return {"wpkh": 294, "tr": 330, "sh(wpkh": 540}.get(self.form, 546)

    def script(self, number: int) -> bytes:
        """Return the script that pays to address *number*."""
        return bytes(_wally().descriptor_to_script(self._native, 0, 0, 0, 0, number, 0))

    def address(self, number: int) -> str:
        """Write address *number* as wallets do."""
        if not 0 <= number < LAST:
            raise InvalidSettings(f"an address has a number from 0 to {LAST - 1}")
        made: str = _wally().descriptor_to_address(self._native, 0, 0, number, 0)
        return made

    def first(self, count: int = 3) -> Sequence[str]:
        """List the first addresses, for the merchant to compare with the wallet."""
        return [self.address(number) for number in range(count)]


def read_wallet(text: str, network: BitcoinNetwork, form: str = "") -> Wallet:
    """
    Read a descriptor, or the key of an account, of *network*.

    *form* says how a bare xpub or tpub pays (``wpkh``, ``tr``, ``sh(wpkh)`` or
    ``pkh``), which it does not say itself. Raises `InvalidSettings`, and repeats
    nothing of what was given.
    """
    text = text.strip()
    if _PRIVATE.search(text):
        raise InvalidSettings(
            "this is, or holds, a private key or seed words: nobody but the wallet should have "
            "it; give the public descriptor or key (xpub) of the account"
        )
    form = form.removesuffix(")")
    if form and form not in _FORMS:
        raise InvalidSettings("the form is wpkh, tr, sh(wpkh) or pkh")
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
            "with an xpub or tpub as KEY and /0/* behind it"
        )
    if form and form != parts["form"]:
        raise InvalidSettings("the descriptor says how it pays; leave the form out, or fix it")
    return _made(parts["form"], parts["key"], _steps(parts["path"]), network)


def _read_bare(key: str, network: BitcoinNetwork, form: str) -> Wallet:
    _, meant = _version_of(_decoded(key), network)
    if meant and form and meant != form:
        raise InvalidSettings(f"the key is for {meant}) by its prefix, and the form says another")
    if not meant and not form:
        raise InvalidSettings(
            "an xpub or tpub does not say to what kind of address it pays: give the descriptor, "
            "or the form (wpkh, tr, sh(wpkh) or pkh)"
        )
    return _made(meant or form, key, "0/*", network)


def _steps(path: str) -> str:
    """Read the steps behind the key: unhardened, and one of them for all addresses."""
    steps = path.split("/")[1:]
    if not steps or not steps[-1].startswith("*"):
        raise InvalidSettings("the descriptor is of one address only; it must end in /*")
    kept: list[str] = []
    for step in steps:
        if step.endswith(("h", "'", "H")):
            raise InvalidSettings(
                "a hardened step after the public key cannot be derived: only the private key "
                "could; let the wallet export the key below that step"
            )
        several = _MULTIPATH.fullmatch(step)
        plain = several[1] if several else step
        if plain != "*" and not (_STEP.fullmatch(plain) and int(plain) < HARDENED):
            raise InvalidSettings("the path behind the key is not one of numbers and a final *")
        kept.append(plain)
    if kept.count("*") != 1:
        raise InvalidSettings("the path behind the key has more than one *")
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
        raise InvalidSettings("the key of the descriptor is no point on the curve") from None
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
    """Return the network and the form that the prefix of a key means."""
    if raw[:4] not in _VERSIONS:
        raise InvalidSettings("the key is no xpub, ypub or zpub, nor one of a test network")
    main, form = _VERSIONS[raw[:4]]
    if form is None:
        raise InvalidSettings("the key is one of several signers (multisig); not supported")
    if main is not network.live:
        theirs = "the main network" if main else "a test network"
        raise InvalidSettings(f"the key is for {theirs}, and the settings say {network}")
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
        # The types that SWIG makes are of no module, of which Python warns; if a host makes
        # warnings errors, wallycore is left half made, and ends the process with a crash.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            import wallycore  # pyright: ignore[reportMissingTypeStubs]
    except ImportError:
        raise MissingExtra(
            "Bitcoin needs wallycore; pip install 'paygate-sdk[bitcoin]'", extra="bitcoin"
        ) from None
    return wallycore
