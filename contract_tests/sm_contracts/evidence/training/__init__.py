"""What the training probe saw."""
