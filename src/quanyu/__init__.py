"""Quanyu (全域): a self-hosted customer growth platform for retail brands.

The package is cut into contexts (`docs/decisions/0001-layout-and-imports.md`); each has its own folder and
its door, `api.py`. Only the version lives here, so that importing `quanyu` costs nothing.
"""

__version__ = "0.1.0"
