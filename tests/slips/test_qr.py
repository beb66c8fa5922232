"""QR codes are drawn, or refused."""

from __future__ import annotations

import pytest

from paygate.errors import InvalidValue
from paygate.slips import qr_png, qr_svg


def test_a_code_is_drawn_for_a_page_and_as_a_picture() -> None:
    assert qr_svg("bitcoin:x").startswith("<svg")
    assert qr_png("bitcoin:x").startswith(b"\x89PNG")
    assert qr_png("bitcoin:x") != qr_png("bitcoin:y")


@pytest.mark.parametrize("text", ["", "x" * 1001])
def test_what_nobody_could_read_is_not_drawn(text: str) -> None:
    with pytest.raises(InvalidValue):
        qr_svg(text)
