"""QR codes and barcodes, read back by a reader of other makers (ZXing)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest

from paygate import Cashier, Letterhead, Money
from paygate.drivers.bitcoin.payment_uri import write_uri
from paygate.slips import code128_svg, epc_svg, itf_svg, pdf417_svg, qr_png, qr_svg

ADDRESSES = (
    "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu",
    "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr",
    "1LqBGSKuX5yYUonjxT5qGfpUsXKYYWeabA",
)


def read(image: bytes) -> list[str]:
    return [text for _, text in found_in(image)]


def found_in(image: bytes) -> list[tuple[str, str]]:
    zxingcpp: Any = pytest.importorskip("zxingcpp")
    from PIL import Image

    found = zxingcpp.read_barcodes(Image.open(BytesIO(image)))
    return [(str(each.format), each.text) for each in found]


def printed(svg: str, scale: int = 4) -> bytes:
    """Draw the strokes of *svg* in black on white, as a printer does."""
    from PIL import Image, ImageDraw

    size = re.search(r'viewBox="0 0 (\d+) (\d+)"', svg)
    assert size is not None
    image = Image.new("L", (int(size[1]) * scale, int(size[2]) * scale), 255)
    draw = ImageDraw.Draw(image)
    for left, right, top, bottom in strokes(svg):
        draw.rectangle((left * scale, top * scale, right * scale - 1, bottom * scale - 1), fill=0)
    file = BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def strokes(svg: str) -> Iterator[tuple[float, float, float, float]]:
    wide = re.search(r'stroke-width="(\d+)"', svg)
    half = int(wide[1]) / 2 if wide else 0.5
    path = re.search(r' d="([^"]*)"', svg)
    assert path is not None
    x = y = 0.0
    for command, first, second in re.findall(r"([Mmh])(-?[\d.]+)(?: (-?[\d.]+))?", path[1]):
        if command == "h":
            yield x, x + float(first), y - half, y + half
            x += float(first)
        elif command == "M":
            x, y = float(first), float(second)
        else:
            x, y = x + float(first), y + float(second or 0)


def drawn(pdf: bytes) -> bytes:
    """Return the first page of *pdf* as a picture."""
    import pypdfium2

    file = BytesIO()
    pypdfium2.PdfDocument(pdf)[0].render(scale=3).to_pil().save(file, "PNG")
    return file.getvalue()


def test_a_reader_finds_the_transfer_and_the_link_on_an_invoice() -> None:
    with Cashier.in_memory() as cashier:
        cashier.set_letterhead(Letterhead(name="Acme", iban="DE89370400440532013000"))
        total = Money.of("EUR", "42.50")
        cashier.issue(number="RE-7", customer="C-1", due="2031-03-01", total=total)
        transfer = cashier.invoice_document("RE-7")
        link = cashier.invoice_document("RE-7", pay_url="https://pay.example/l/AbC")

    [text] = read(drawn(transfer.content))
    assert text.split("\n")[5:8] == ["Acme", "DE89370400440532013000", "EUR42.5"]
    assert text.endswith("RE-7")
    assert read(drawn(link.content)) == ["https://pay.example/l/AbC"]


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("satoshis", [1, 38_879, 21 * 10**14])
def test_a_reader_finds_the_link_in_its_code(address: str, satoshis: int) -> None:
    uri = write_uri(address, satoshis, label="Łódź & Co", message="INV-7, INV-8 #1 50%")

    assert read(qr_png(uri)) == [uri]


@pytest.mark.parametrize(
    ("svg", "kind", "text"),
    [
        (code128_svg("84100742931651"), "Code 128", "84100742931651"),
        (code128_svg("PAY-7KQ2/M4TD 1"), "Code 128", "PAY-7KQ2/M4TD 1"),
        (itf_svg("23793381286000782713695000063305975520000067500"[:44]), "ITF", None),
        (pdf417_svg("Łódź & Co 7KQ2-M4TD " * 10), "PDF417", "Łódź & Co 7KQ2-M4TD " * 10),
        (qr_svg("https://pay.example/p/x", scale=None), "QR Code", "https://pay.example/p/x"),
    ],
    ids=["digits", "text", "boleto", "pdf417", "qr"],
)
def test_a_reader_finds_what_a_slip_shows(svg: str, kind: str, text: str | None) -> None:
    expected = text or "23793381286000782713695000063305975520000067500"[:44]

    assert found_in(printed(svg)) == [(kind, expected)]


def test_a_reader_finds_the_transfer_that_a_code_asks_for() -> None:
    svg = epc_svg(
        name="Zoë Müller & Söhne",
        iban="DE89 3704 0044 0532 0130 00",
        amount=Money.of("EUR", "67.50"),
        remittance="7KQ2M4TD",
        scale=None,
    )

    [lines] = read(printed(svg))
    service, version, _, kind, _, name, iban, amount, *_, text = lines.splitlines()
    assert (service, version, kind) == ("BCD", "002", "SCT")
    assert (name, iban) == ("Zoë Müller & Söhne", "DE89370400440532013000")
    assert (amount, text) == ("EUR67.5", "7KQ2M4TD")
