"""Files as values: identity by content, the stat cache, restoring."""
