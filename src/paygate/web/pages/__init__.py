"""Pages on which payers pay: what each state says, and how it looks in every language."""
