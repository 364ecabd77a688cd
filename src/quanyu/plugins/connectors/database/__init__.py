"""A database, read by an SQL query with an increasing key."""
