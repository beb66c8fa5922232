"""A secret is removed from a text in whatever way the other side repeats it."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from time import process_time
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from paygate.domain.private import without_private
from paygate.domain.secret import DOTS, Secret
from paygate.domain.spellings import Spellings

PASSWORD = "wäch+ter/ und&Hüter=7"
USER = "notices@shop.example"


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def url_safe(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


def whole(text: str) -> str:
    return "".join(f"%{each:02x}" for each in text.encode())


ECHOES: dict[str, Callable[[str], str]] = {
    "as it was": lambda secret: secret,
    "AUTH PLAIN": lambda secret: b64(f"\0{USER}\0{secret}"),
    "AUTH PLAIN for another": lambda secret: b64(f"a\0{USER}\0{secret}"),
    "AUTH LOGIN": b64,
    "HTTP Basic": lambda secret: b64(f"{USER}:{secret}"),
    "HTTP Basic of a key": lambda secret: b64(f"{secret}:"),
    "Base64 for URLs": url_safe,
    "Base64 without its end": lambda secret: b64(f"{USER}:{secret}").rstrip("="),
    "Base64 in a form": lambda secret: quote_plus(b64(f"\0{USER}\0{secret}")),
    "Base64 in JSON": lambda secret: b64(f"\0{USER}\0{secret}").replace("/", "\\/"),
    "Base64 in Base64": lambda secret: b64(b64(f"\0{USER}\0{secret}")),
    "a form": quote_plus,
    "a URL": quote,
    "a whole URL": lambda secret: quote(secret, safe=""),
    "percents in lower case": lambda secret: (
        quote(secret, safe="").lower() if secret.islower() else quote(secret, safe="")
    ),
    "percents only": whole,
    "a form in a form": lambda secret: quote_plus(quote_plus(secret)),
    "JSON": lambda secret: json.dumps(secret)[1:-1],
    "JSON with its slashes escaped": lambda secret: json.dumps(secret)[1:-1].replace("/", "\\/"),
    "bytes of Python": lambda secret: repr(f"\0{USER}\0{secret}".encode())[2:-1],
    "a text of Python": lambda secret: ascii(f"\0{USER}\0{secret}")[1:-1],
    "XML": html.escape,
    "XML in numbers": lambda secret: "".join(f"&#{ord(each)};" for each in secret),
    "hexadecimal": lambda secret: secret.encode().hex(),
    "hexadecimal with what was around it": lambda secret: f"\0{USER}\0{secret}".encode().hex(),
    "hexadecimal in capitals": lambda secret: secret.encode().hex().upper(),
}


@pytest.mark.parametrize("echo", ECHOES)
@pytest.mark.parametrize("secret", [PASSWORD, "hunter2", "sk_test_Zq81mYb/+77", "p" * 90])
def test_every_echo_of_a_secret_is_removed(echo: str, secret: str) -> None:
    spelled = ECHOES[echo](secret)

    left = Spellings([Secret(secret)]).blotted(f"535 no: '{spelled}', sorry", prose=True)

    assert DOTS in left
    assert spelled not in left
    assert left.startswith("535 no: ")


@pytest.mark.parametrize("echo", ["AUTH PLAIN", "AUTH LOGIN", "HTTP Basic of a key", "a URL"])
def test_a_short_secret_is_found_by_decoding(echo: str) -> None:
    spelled = ECHOES[echo]("a+1")

    left = Spellings([Secret("a+1")]).blotted(f"535 no {spelled}", prose=True)

    assert left == "535 no ••••"


@given(
    secret=st.text(st.characters(min_codepoint=33, max_codepoint=0x17F), min_size=6, max_size=40),
    before=st.text(max_size=7),
    after=st.text(max_size=7),
    said=st.sampled_from(["", "535 5.7.8 no: ", "a"]),
)
@example(secret="000000", before="0\x80\x80", after="", said="")
@example(secret="000\x80\xbf\u017e", before="", after="", said="")
def test_wherever_a_secret_is_in_a_text_in_base64_the_text_is_removed(
    secret: str, before: str, after: str, said: str
) -> None:
    spelled = b64(f"{before}{secret}{after}")

    left = Spellings([Secret(secret)]).blotted(said + spelled, prose=True)

    assert left in (DOTS, said + DOTS)


@pytest.mark.parametrize("end", ["", "…", "...", "'", "”…"])
@pytest.mark.parametrize("echo", ["as it was", "AUTH PLAIN", "AUTH LOGIN", "hexadecimal"])
def test_a_beginning_is_removed_if_the_text_was_cut(echo: str, end: str) -> None:
    secret = "sk_live_Zq81mYb77WrTu"
    spelled = ECHOES[echo](secret)

    left = Spellings([Secret(secret)]).blotted(f"535 no {spelled[:-7]}{end}", prose=True)

    assert left == f"535 no {DOTS}{end}"


def test_a_reference_keeps_what_only_begins_like_a_secret() -> None:
    spellings = Spellings([Secret("pi_1NwX9dKk_secret_77aB")])

    assert spellings.blotted("pi_1NwX9dKk", prose=False, whole=True) == "pi_1NwX9dKk"
    assert spellings.blotted("no pi_1NwX9dKk here", prose=True) == "no pi_1NwX9dKk here"


@pytest.mark.parametrize(
    "said",
    [
        "535 5.7.8 Username and Password not accepted",
        "basic authentication is not supported; use a bearer token",
        "id 7f9d2c1ab04e, trace 4bf92f3577b34da6a3ce929d0e0e4736 of cmVxdWVzdA==",
        "50% off &amp; more \\u00e4 =C3=A4",
    ],
)
def test_other_texts_stay_as_they_are(said: str) -> None:
    spellings = Spellings([Secret(PASSWORD), Secret("739")])

    assert spellings.blotted(said, prose=True) is said
    assert without_private(said) == said


@pytest.mark.parametrize(
    ("said", "left"),
    [
        (f"Authorization: Basic {b64('ann:77-secret')}", "Authorization: Basic ••••"),
        ("bad 'Bearer A21AAFq.x-7_wq9' given", "bad 'Bearer ••••' given"),
        ("{'assertion': 'eyJhbGciOiJ.eyJpc3MiOi.c2ln-bm_F'}", "{'assertion': '••••'}"),
        ("eyJhbGciOiJIUzI1.eyJpc3MiOi.", "••••"),
    ],
)
def test_credentials_are_removed_though_nobody_knows_them(said: str, left: str) -> None:
    assert without_private(said) == left


@pytest.mark.parametrize("unit", ["a", "ab+/", "%2B", "\\u0041", "hunter", "aHVudGVyM", "&#4"])
def test_a_long_text_takes_time_in_proportion(unit: str) -> None:
    spellings = Spellings([Secret("hunter2"), Secret("sk_test_Zq81mYb/+77")])

    def cost(size: int) -> float:
        text = f"{b64('hunter2')} " + unit * (size // len(unit))
        before = process_time()
        spellings.blotted(text, prose=True)
        return process_time() - before

    assert cost(200_000) < max(0.5, 100 * cost(20_000))
