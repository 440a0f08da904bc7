"""An endpoint, from its request to its stop."""
