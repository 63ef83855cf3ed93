"""Networks with heatmaps and part affinity fields, and perhaps location maps."""
