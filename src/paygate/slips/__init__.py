"""What a payer is shown or given to pay with: QR codes and barcodes."""

from paygate.slips.barcodes import code128_modules, code128_svg, itf_svg, pdf417_svg
from paygate.slips.qr import epc_modules, epc_svg, qr_modules, qr_png, qr_svg, qr_text

__all__ = [
    "code128_modules",
    "code128_svg",
    "epc_modules",
    "epc_svg",
    "itf_svg",
    "pdf417_svg",
    "qr_modules",
    "qr_png",
    "qr_svg",
    "qr_text",
]
