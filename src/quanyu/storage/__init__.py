"""The two stores behind one door: state (SQLAlchemy Core) and history (Delta tables read through Ibis).

What lives here: connections and transactions, sets as SQL parameters, encryption at rest, the outbox, the
history tables and the engine that reads them. What does not: any table or word of a business context; they
declare their tables on `schema.metadata` and their dimensions with the engine.
"""
