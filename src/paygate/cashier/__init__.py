"""The cashier: what a host calls. Every verb is defined once, by subject, and has two faces."""
