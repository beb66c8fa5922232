"""QR codes, read back by a reader of other makers (ZXing)."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest

from paygate.drivers.bitcoin.payment_uri import write_uri
from paygate.slips import qr_png

ADDRESSES = (
    "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu",
    "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr",
    "1LqBGSKuX5yYUonjxT5qGfpUsXKYYWeabA",
)


def read(image: bytes) -> list[str]:
    zxingcpp: Any = pytest.importorskip("zxingcpp")
    from PIL import Image

    return [found.text for found in zxingcpp.read_barcodes(Image.open(BytesIO(image)))]


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("satoshis", [1, 38_879, 21 * 10**14])
def test_a_reader_finds_the_link_in_its_code(address: str, satoshis: int) -> None:
    uri = write_uri(address, satoshis, label="Łódź & Co", message="INV-7, INV-8 #1 50%")

    assert read(qr_png(uri)) == [uri]
