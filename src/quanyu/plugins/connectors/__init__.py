"""Connectors: they read a brand's data where it lies and hand it over as Arrow tables."""
