"""Reduces expressions to values: plans, runs, caches and records jobs."""
