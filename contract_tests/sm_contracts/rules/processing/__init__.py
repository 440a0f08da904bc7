"""Band 7: processing."""
