"""Bitcoin: an address for each payer or invoice, watched on chain."""

from paygate.drivers.bitcoin.gateway import Bitcoin
from paygate.drivers.bitcoin.rates import CalledRates, FixedRates, HttpRates, Rate, RateSource
from paygate.drivers.bitcoin.settings import BitcoinSettings, RateServer

__all__ = [
    "Bitcoin",
    "BitcoinSettings",
    "CalledRates",
    "FixedRates",
    "HttpRates",
    "Rate",
    "RateServer",
    "RateSource",
]
