"""Band 1: the image, without running it."""
