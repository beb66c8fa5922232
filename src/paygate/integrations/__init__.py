"""Integrations: paygate on engines that hosts run already, each in a module of its own."""
