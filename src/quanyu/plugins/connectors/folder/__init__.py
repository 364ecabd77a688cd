"""A watched folder of the machine."""
