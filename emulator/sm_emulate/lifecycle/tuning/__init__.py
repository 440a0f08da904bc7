"""A tuning job, from its request to its result."""
