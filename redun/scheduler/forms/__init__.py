"""The special forms: scheduler tasks that decide what is evaluated, in which order, and what happens to errors."""
