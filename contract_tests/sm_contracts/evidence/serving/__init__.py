"""What was seen of a container that serves."""
