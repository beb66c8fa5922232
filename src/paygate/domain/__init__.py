"""What the words mean: money, invoices, payments, receipts, and the rule that merges answers."""
