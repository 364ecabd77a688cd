"""Collect, check and keep events: the log, the collector, the protocols, the books, quarantine and replay."""
