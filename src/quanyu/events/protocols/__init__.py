"""The protocols that events arrive in: each opens a body into single events and turns those into rows."""
