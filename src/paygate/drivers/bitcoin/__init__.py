"""Bitcoin: an address for each payer or invoice, watched on chain."""
