"""Messaging: what is sent to whom, whether it may be sent now, and what became of it.

One gate stands between the product and a person; nothing goes around it. Providers are spoken to by channel
plugins; which person should get what is decided by journeys.
"""
