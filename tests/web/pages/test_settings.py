"""Settings that would make pages unreadable or unsafe are refused at the start."""

from __future__ import annotations

from typing import Any

import pytest

from paygate.domain.origin import origin_of
from paygate.errors import InvalidValue
from paygate.web.settings import WebSettings, is_safe
from paygate.web.theme import DARK_PAGE, LIGHT_PAGE, Theme, contrast

RIGHT: dict[str, Any] = {"payee": "Alder Telecom", "base_url": "https://alder.example/pay"}


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [("#000", "#ffffff", 21.0), ("#fff", "#FFF", 1.0), ("#767676", "#fff", 4.54)],
)
def test_contrast_is_that_of_wcag(one: str, other: str, ratio: float) -> None:
    assert contrast(one, other) == pytest.approx(ratio, abs=0.005)
    assert contrast(other, one) == contrast(one, other)


@pytest.mark.parametrize(
    "colors",
    [
        {"brand": "#777777"},
        {"brand": "#1a4bd1", "brand_ink": "#1a4b00"},
        {"brand": "#ffcc00", "brand_ink": "#000000"},
        {"dark_brand": "#1a4bd1", "dark_brand_ink": "#ffffff"},
    ],
)
def test_a_theme_that_cannot_be_read_is_refused(colors: dict[str, str]) -> None:
    with pytest.raises(InvalidValue, match=r"4\.5:1"):
        Theme(**colors)


@pytest.mark.parametrize(
    "wrong",
    [
        {"brand": "red"},
        {"brand": "#12345"},
        {"brand": "#1a4bd1;}*{display:none"},
        {"radius": "1em;color:red"},
        {"radius": "-1px"},
        {"font": "Inter;}</style>"},
        {"font": "url(https://evil.example/f)"},
        {"font": ""},
    ],
)
def test_a_theme_cannot_contain_other_css(wrong: dict[str, str]) -> None:
    with pytest.raises(InvalidValue):
        Theme(**wrong)


def test_the_theme_of_the_pages_can_be_read() -> None:
    theme = Theme()

    for brand, ink, page in (
        (theme.brand, theme.brand_ink, LIGHT_PAGE),
        (theme.dark_brand, theme.dark_brand_ink, DARK_PAGE),
    ):
        assert min(contrast(brand, other) for other in (ink, *page)) >= 4.5


@pytest.mark.parametrize(
    "wrong",
    [
        {"payee": " "},
        {"payee": "Alder\nTelecom"},
        {"payee": "Alder\u202eTelecom"},
        {"base_url": "http://alder.example/pay"},
        {"base_url": "https://alder.example/pay?x=1"},
        {"base_url": "//alder.example"},
        {"base_url": "https://user@alder.example"},
        {"base_url": "https://alder.example/pay;x"},
        {"return_origins": ["https://alder.example/path"]},
        {"return_origins": ["https://alder.example:443"]},
        {"return_origins": ["javascript:alert(1)"]},
        {"embed_origins": ["*"]},
        {"embed_origins": ["https://*.example"]},
        {"embed_origins": ["https://a.example; script-src *"]},
        {"support_phone": "call us"},
        {"support_email": "nobody"},
        {"support_email": "a@b.example?bcc=c@d.example"},
        {"zone": "Atlantis"},
        {"languages": []},
        {"languages": ["en", "tlh"]},
        {"logo": b"GIF89a"},
        {"logo": b"<svg></svg>" + b" " * 2_500},
    ],
)
def test_what_is_not_safe_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue):
        WebSettings(**{**RIGHT, **wrong})


def test_loopback_needs_no_encryption() -> None:
    settings = WebSettings(payee="Demo", base_url="http://127.0.0.1:8000/pay/")

    assert settings.root == "http://127.0.0.1:8000/pay"
    assert settings.origin == "http://127.0.0.1:8000"


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://alder.example:443/pay", "https://alder.example"),
        ("https://ALDER.example/pay", "https://alder.example"),
        ("http://[::1]:8000/", "http://[::1]:8000"),
    ],
)
def test_an_origin_is_written_as_browsers_write_it(url: str, origin: str) -> None:
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    "url",
    [
        "https://a.example\\@evil.example",
        "https://a.example/\r\nset-cookie: x",
        "https://a.example:0/",
        "https://a.example:99999/",
        "https://[::1",
        "ftp://a.example",
        "https:///path",
        "https://exämple.example",
        "",
    ],
)
def test_an_address_that_browsers_read_otherwise_is_not_safe(url: str) -> None:
    assert not is_safe(url)
