"""Currencies, and how many digits each has after the decimal point.

Source: ISO 4217, list one (the tests compare this table with a published copy
of it), plus BTC, counted in satoshi. Codes without a minor unit, such as gold,
cannot be money here.
"""

from __future__ import annotations

from paygate.errors import InvalidCurrency
from paygate.printing import shown_value

_CODES_BY_SCALE: dict[int, str] = {
    0: """
        BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF
    """,
    2: """
        AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN
        BWP BYN BZD CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP
        ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR
        IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT
        MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP
        PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC
        SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD
        XCD XCG YER ZAR ZMW ZWG
    """,
    3: """
        BHD IQD JOD KWD LYD OMR TND
    """,
    4: """
        CLF UYW
    """,
    8: "BTC",
}

SCALES: dict[str, int] = {
    code: scale for scale, codes in _CODES_BY_SCALE.items() for code in codes.split()
}
"""Digits after the decimal point, by currency code."""


def scale_of(currency: str) -> int:
    """Return the digits of *currency* after the decimal point, or raise `InvalidCurrency`."""
    try:
        return SCALES[currency]
    except (KeyError, TypeError):
        raise InvalidCurrency(
            f"{shown_value(currency)} is not an ISO 4217 currency code (three capital letters) "
            "or BTC",
            currency=currency,
        ) from None
