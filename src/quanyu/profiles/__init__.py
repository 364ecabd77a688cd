"""Profiles: what is known of people, their traits, tags and totals, and how a list or a page shows them.

All of it is noted per identifier and read through the person who holds the identifier, so undoing a merge is exact.
Who a person is belongs to identity, what they agreed to belongs to consent.
"""
