"""The task decorator, its registry, and the source closure that a task hash covers."""
