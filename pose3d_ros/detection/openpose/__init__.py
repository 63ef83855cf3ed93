"""Networks with heatmaps and part affinity fields, and optionally location maps."""
