"""The vocabulary: money, invoices, payments, receipts, and the rule that merges answers."""
