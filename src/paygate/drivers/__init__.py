"""Built-in gateway drivers, one processor per folder; each is found by its entry point."""
