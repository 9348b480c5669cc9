"""Push, fetch, pull and clone: one verb a file, over the Storage contract."""
