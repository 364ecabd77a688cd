"""Audiences (人群包): which people, as versioned sets.

What lives here: the condition tree that operators edit, its predicates, the primitive conditions they lower to, the
evaluator that turns those into sets of `person_id`, the stored versions of a set and who entered or left between
two. What does not: any engine's SQL (the engine's Ibis tables are used), what an event or a trait is, and what is
done with the people (journeys, messaging).
"""
