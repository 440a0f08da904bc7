"""Band 2: training."""
