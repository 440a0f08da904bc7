"""Band 6: what only some containers can do, and announce."""
