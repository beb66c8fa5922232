"""The networks of Bitcoin, and the first block of each."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class BitcoinNetwork(StrEnum):
    """The real network, or one for tests."""

    MAIN = "main"
    TEST = "test"
    SIGNET = "signet"
    REGTEST = "regtest"

    @property
    def live(self) -> bool:
        """Whether its coins are money."""
        return self is BitcoinNetwork.MAIN

    @property
    def genesis(self) -> str:
        """The hash of its first block, as nodes write it."""
        return _GENESIS[self]


_GENESIS: Final = {
    BitcoinNetwork.MAIN: "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f",
    BitcoinNetwork.TEST: "000000000933ea01ad0ee984209779baaec3ced90fa3f408719526f8d77f4943",
    BitcoinNetwork.SIGNET: "00000008819873e925422c1ff0f99f7cc9bbb232af63a077a480a3633bee1ef6",
    BitcoinNetwork.REGTEST: "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206",
}
