"""The cashier: what a host calls. One definition of every verb, grouped by subject; two faces."""
