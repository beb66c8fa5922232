"""QR codes are drawn, or refused."""

from __future__ import annotations

import pytest
import segno

from paygate.errors import InvalidValue
from paygate.slips import qr_png, qr_svg, qr_text


def test_a_code_is_drawn_for_a_page_and_as_a_picture() -> None:
    assert qr_svg("bitcoin:x").startswith("<svg")
    assert qr_png("bitcoin:x").startswith(b"\x89PNG")
    assert qr_png("bitcoin:x") != qr_png("bitcoin:y")


@pytest.mark.parametrize("text", ["", "x" * 1001])
def test_what_nobody_could_read_is_not_drawn(text: str) -> None:
    with pytest.raises(InvalidValue):
        qr_svg(text)


def test_a_code_for_a_terminal_has_the_modules_of_the_code() -> None:
    lines = qr_text("bitcoin:x").splitlines()

    halves = {"█": (0, 0), "▀": (0, 1), "▄": (1, 0), " ": (1, 1)}
    drawn = [[halves[each][half] for each in line] for line in lines for half in (0, 1)]
    code = [list(row) for row in segno.make_qr("bitcoin:x", error="m").matrix_iter(border=2)]
    assert drawn[: len(code)] == code
    assert len(drawn) - len(code) <= 1
