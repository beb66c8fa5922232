"""The ledger: its tables, every statement over them, and the rules that they must satisfy."""
