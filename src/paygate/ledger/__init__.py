"""What is written down: the tables, every statement over them, and the rules they must keep."""
