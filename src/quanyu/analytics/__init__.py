"""Analytics: 人货场 (people, goods, places) over history, and the events behind every number.

What lives here: the overview with its definitions, RFM, the search of events and a person's timeline. What does not:
the sets of people that numbers open to (audiences evaluates those), names of stores and products (commerce).
"""
