"""Documents of invoices, drawn from what the ledger has: HTML by Jinja, PDF by reportlab.

Both show the same `InvoiceSheet`. The HTML is the accessible form; the PDF is not tagged. A PDF
draws Latin, Greek, Cyrillic and what else DejaVu has; scripts that are shaped or written from right
to left, such as Arabic, are refused, and left to the HTML and a browser.
"""

from paygate.documents.html import to_html
from paygate.documents.pdf import to_pdf
from paygate.documents.sheet import InvoiceSheet, sheet_of

__all__ = ["InvoiceSheet", "sheet_of", "to_html", "to_pdf"]
