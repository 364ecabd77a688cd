"""What every part of Quanyu stands on: ids, clock, money, labels, errors, settings.

Standard library only. Nothing here knows a store, a protocol or a context.
"""
