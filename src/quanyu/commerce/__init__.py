"""Commerce: the stores and products of a brand, and what was bought.

What lives here so far: stores, products and categories with their names, their import, the dimensions that reports
and audiences join, and the predicate `bought`. What does not: orders themselves, which are events.
"""
