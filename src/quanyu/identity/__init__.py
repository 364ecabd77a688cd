"""OneID: which identifiers belong to one person, on what evidence, and how to undo it.

Consent, traits and everything else that is known *about* a person lie above; events lie below.
"""
