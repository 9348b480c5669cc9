"""Read models to text or JSON."""
