"""Band 5: batch transform and asynchronous inference."""
