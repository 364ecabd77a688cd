"""Who may do what: users, roles, data scopes, sessions, API clients and the audit ledger.

Every door of the product takes a `Caller`; the scope inside it is applied in the data layer, not on screens.
"""
