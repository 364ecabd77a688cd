"""Plugins: channels and connectors, each a folder that sees only the SDK."""
