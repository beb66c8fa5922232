"""Descriptors and keys: the vectors of the BIPs, and what is refused."""

from __future__ import annotations

import subprocess
import sys

import pytest
import wallycore

from paygate.drivers.bitcoin.descriptors import checksum_of, read_wallet, without_checksum
from paygate.drivers.bitcoin.networks import BitcoinNetwork
from paygate.errors import InvalidSettings, PaygateError

MAIN, TEST, REGTEST = BitcoinNetwork.MAIN, BitcoinNetwork.TEST, BitcoinNetwork.REGTEST

# BIP 84, 86, 49 and 44: the account keys and their first addresses.
ZPUB = (
    "zpub6rFR7y4Q2AijBEqTUquhVz398htDFrtymD9xYYfG1m4wAcvPhXNfE3EfH1r1ADqtfSdVCToUG868RvUUkgDKf31m"
    "GDtKsAYz2oz2AGutZYs"
)
XPUB86 = (
    "xpub6BgBgsespWvERF3LHQu6CnqdvfEvtMcQjYrcRzx53QJjSxarj2afYWcLteoGVky7D3UKDP9QyrLprQ3VCECoY49yf"
    "dDEHGCtMMj92pReUsQ"
)
XPRV = (
    "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGt"
    "RBeJgk33yuGBxrMPHi"
)
SEED = "abandon " * 11 + "about"


def account(path: list[int], version: str, words: str = SEED) -> str:
    """Derive the public key of an account, as a wallet of these words would export it."""
    seed = wallycore.bip39_mnemonic_to_seed512(words, None)
    root = wallycore.bip32_key_from_seed(seed, wallycore.BIP32_VER_MAIN_PRIVATE, 0)
    hardened = [step | 0x80000000 for step in path]
    key = wallycore.bip32_key_from_parent_path(root, hardened, wallycore.BIP32_FLAG_KEY_PRIVATE)
    raw = wallycore.bip32_key_serialize(key, wallycore.BIP32_FLAG_KEY_PUBLIC)
    made: str = wallycore.base58_from_bytes(
        bytes.fromhex(version) + raw[4:], wallycore.BASE58_FLAG_CHECKSUM
    )
    return made


@pytest.mark.parametrize(
    ("text", "form", "network", "addresses"),
    [
        (
            ZPUB,
            "",
            MAIN,
            [
                "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu",
                "bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g",
            ],
        ),
        (
            XPUB86,
            "tr",
            MAIN,
            [
                "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr",
                "bc1p4qhjn9zdvkux4e44uhx8tc55attvtyu358kutcqkudyccelu0was9fqzwh",
            ],
        ),
        # BIP 49 gives a test account of the same words.
        (account([49, 1, 0], "044a5262"), "", TEST, ["2Mww8dCYPUpKHofjgcXcBCEGmniw9CoaiD2"]),
        (account([44, 0, 0], "0488b21e"), "pkh", MAIN, ["1LqBGSKuX5yYUonjxT5qGfpUsXKYYWeabA"]),
        (
            f"wpkh({XPUB86}/0/*)",
            "",
            MAIN,
            ["bc1qalwlmdxd2ggue4290ekzxl9tetg56neexr6amw"],
        ),
    ],
)
def test_the_addresses_are_those_of_the_bips(
    text: str, form: str, network: BitcoinNetwork, addresses: list[str]
) -> None:
    wallet = read_wallet(text, network, form)

    assert list(wallet.first(len(addresses))) == addresses
    assert wallet.depth == 3


def test_a_script_is_what_its_address_means() -> None:
    for form in ("wpkh", "tr", "sh(wpkh)", "pkh"):
        wallet = read_wallet(XPUB86, MAIN, form)
        for number in (0, 1, 77, 2**31 - 2):
            address, script = wallet.address(number), wallet.script(number)
            if address.startswith("bc1"):
                expected = wallycore.addr_segwit_to_bytes(address, "bc", 0)
            else:
                expected = wallycore.address_to_scriptpubkey(
                    address, wallycore.WALLY_NETWORK_BITCOIN_MAINNET
                )
            assert script == expected


def test_a_step_is_the_public_derivation_of_bip_32() -> None:
    parent = (
        "xpub68Gmy5EdvgibQVfPdqkBBCHxA5htiqg55crXYuXoQRKfDBFA1WEjWgP6LHhwBZeNK1VTsfTFUHCdrfp1bgwQ9xv"
        "5ski8PX9rL2dZXvgGDnw"
    )
    child = (
        "xpub6ASuArnXKPbfEwhqN6e3mwBcDTgzisQN1wXN9BJcM47sSikHjJf3UFHKkNAWbWMiGj7Wf5uMash7SyYq527Hqck2"
        "AxYysAA7xmALppuCkwQ"
    )
    ours = read_wallet(f"pkh({parent}/1/*)", MAIN)
    theirs = read_wallet(f"pkh({child}/*)", MAIN)

    assert [ours.script(n) for n in range(20)] == [theirs.script(n) for n in range(20)]


@pytest.mark.parametrize(
    ("address", "script"),
    [
        (
            "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
            "0014751e76e8199196d454941c45d1b3a323f1433bd6",
        ),
        (
            "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
            "512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
        ),
    ],
)
def test_the_library_writes_segwit_addresses_as_bip_173_and_350_say(
    address: str, script: str
) -> None:
    assert wallycore.addr_segwit_to_bytes(address.lower(), "bc", 0).hex() == script
    assert wallycore.addr_segwit_from_bytes(bytes.fromhex(script), "bc", 0) == address.lower()


# --- BIP 380 ----------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["raw(deadbeef)#89f8spxm", "raw(deadbeef)"])
def test_a_right_checksum_is_taken_off(text: str) -> None:
    assert without_checksum(text) == "raw(deadbeef)"


@pytest.mark.parametrize(
    "text",
    [
        "raw(deadbeef)#",
        "raw(deadbeef)#89f8spxmx",
        "raw(deadbeef)#89f8spx",
        "raw(dedbeef)#89f8spxm",
        "raw(deedbeef)#89f8spxm",
        "raw(deedbeef)##9f8spxm",
        "raw(Ü)#00000000",
    ],
)
def test_a_wrong_checksum_is_refused(text: str) -> None:
    with pytest.raises(InvalidSettings):
        without_checksum(text)


def test_our_checksum_is_that_of_the_library() -> None:
    for form in ("wpkh", "tr", "sh(wpkh)", "pkh"):
        text = read_wallet(XPUB86, MAIN, form).descriptor
        native = wallycore.descriptor_parse(text, None, wallycore.WALLY_NETWORK_BITCOIN_MAINNET, 0)
        assert checksum_of(text) == wallycore.descriptor_get_checksum(native, 0)


# --- One wallet, many spellings ---------------------------------------------------------------


def test_spellings_that_change_no_address_name_the_same_wallet() -> None:
    plain = f"wpkh({XPUB86}/0/*)"
    spelled = [
        plain,
        f"{plain}#{checksum_of(plain)}",
        f"wpkh([d34db33f/84h/0h/0h]{XPUB86}/0/*)",
        f"wpkh([d34db33f/84'/0'/0']{XPUB86}/<0;1>/*)",
        f"  {plain}\n",
    ]

    wallets = [read_wallet(text, MAIN) for text in spelled]

    assert len({wallet.identity for wallet in wallets}) == 1
    assert read_wallet(XPUB86, MAIN, "wpkh").identity == wallets[0].identity
    assert read_wallet(XPUB86, MAIN, "tr").identity != wallets[0].identity


# --- What is refused --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "network", "says"),
    [
        (XPUB86, MAIN, "does not say"),
        (f"wpkh({XPUB86}/0h/*)", MAIN, "hardened"),
        (f"wpkh({XPUB86}/0'/*)", MAIN, "hardened"),
        (f"wpkh({XPUB86}/0/*h)", MAIN, "hardened"),
        (f"wpkh({XPUB86}/0/1)", MAIN, "one address only"),
        (f"wpkh({XPUB86})", MAIN, "one address only"),
        (f"wpkh({XPUB86}/*/*)", MAIN, r"more than one \*"),
        (f"wpkh({XPUB86}/4294967296/*)", MAIN, "path"),
        (f"wsh(multi(1,{XPUB86}/0/*,{XPUB86}/1/*))", MAIN, "multisig"),
        (f"sh(sortedmulti(1,{XPUB86}/0/*))", MAIN, "multisig"),
        (account([48, 0, 0], "02aa7ed3"), MAIN, "multisig"),
        (account([48, 0, 0], "0295b43f"), MAIN, "multisig"),
        (f"wpkh({XPUB86}/0/*)", REGTEST, "main network"),
        (account([84, 1, 0], "045f1cf6"), MAIN, "test network"),
        (ZPUB[:-1] + "t", MAIN, "checksum"),
        (f"wpkh({XPUB86}/0/*)#qqqqqqqq", MAIN, "checksum"),
        (f"addr({ZPUB})", MAIN, "none of"),
        (f"sh(wpkh({XPUB86}/0/*)", MAIN, "none of"),
        (f"wpkh({XPUB86}/0/*))", MAIN, "none of"),
        ("", MAIN, "none of"),
    ],
)
def test_what_cannot_be_watched_is_refused_with_the_reason(
    text: str, network: BitcoinNetwork, says: str
) -> None:
    with pytest.raises(InvalidSettings, match=says):
        read_wallet(text, network)


@pytest.mark.parametrize(
    "secret",
    [
        XPRV,
        f"wpkh({XPRV}/0/*)",
        f"wpkh([d34db33f/84h/0h/0h]{XPRV}/0/*)#qqqqqqqq",
        "5KYZdUEo39z3FPrtuX2QbbwGnNP5zTd7yyr2SC1j299sBCnWjss",
        "KwDiBf89QgGbjEhKnhXJuH7LrciVrZi3qYjgd9M7rFU73sVHnoWn",
        "e9873d79c6d87dc0fb6a5778633389f4453213303da61f20bd67fc233aa33262",
        SEED,
        SEED.upper(),
        ", ".join(SEED.split()),
        "\n".join(f"{place}. {word}" for place, word in enumerate(SEED.split(), start=1)),
        " ".join(f"{place}{word}," for place, word in enumerate(SEED.split(), start=1)),
        "6PRVWUbkzzsbcVac2qwfssoUJAN1Xhrg6bNk8J7Nzm5H7kxEbn2Nh2ZoGg",  # BIP 38
        "ms10testsxxxxxxxxxxxxxxxxxxxxxxxxxx4nzvca9cmczlw",  # BIP 93
        "MS12NAMEA320ZYXWVUTSRQPNMLKJHGFEDCAXRPP870HKKQRM",
    ],
)
def test_a_private_key_is_refused_and_repeated_nowhere(secret: str) -> None:
    with pytest.raises(PaygateError) as caught:
        read_wallet(secret, MAIN)

    assert "private" in caught.value.message
    told = f"{caught.value!r} {caught.value} {caught.value.__cause__!r} {caught.value.facts!r}"
    assert secret.strip("()")[:20] not in told
    assert "prv" not in told


def test_a_form_that_contradicts_is_refused() -> None:
    for text, form in ((ZPUB, "tr"), (f"wpkh({XPUB86}/0/*)", "tr"), (XPUB86, "wsh")):
        with pytest.raises(InvalidSettings):
            read_wallet(text, MAIN, form)


def test_a_host_that_makes_warnings_errors_ends_well() -> None:
    program = (
        "from paygate.drivers.bitcoin.descriptors import read_wallet\n"
        "from paygate.drivers.bitcoin.networks import BitcoinNetwork\n"
        f"print(read_wallet({ZPUB!r}, BitcoinNetwork.MAIN).address(0))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout[:4]) == (0, "bc1q")
