"""The only code that deletes objects, or judges them."""
