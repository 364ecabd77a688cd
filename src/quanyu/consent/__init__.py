"""Consent: who may be contacted, for what, through which channel, on what proof. Nobody, until they said so.

The gate that reads it just before a message goes out is messaging's; how people come to be is identity's.
"""
