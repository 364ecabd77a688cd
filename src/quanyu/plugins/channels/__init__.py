"""Channels: one folder each, found by their `plugin.toml`."""
