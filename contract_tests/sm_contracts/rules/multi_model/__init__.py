"""Band 4: what a multi-model endpoint asks of a container."""
