"""A training job, from its request to its result."""
