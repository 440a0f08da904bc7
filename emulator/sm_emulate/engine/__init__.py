"""The only package that knows a container engine."""
