"""A batch transform job, from its request to its result."""
