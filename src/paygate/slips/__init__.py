"""What a payer is shown or given to pay with: QR codes."""

from paygate.slips.qr import qr_png, qr_svg, qr_text

__all__ = ["qr_png", "qr_svg", "qr_text"]
