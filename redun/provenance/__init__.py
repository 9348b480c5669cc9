"""Read models over objects: plain data, no printing."""
