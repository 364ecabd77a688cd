"""The HTTP server around the contexts' routes: problem details, request ids, metrics, the console's files.

No business rule lives here; a route parses, calls a context and formats.
"""
