"""Scenes and networks with known truth, for tests, benchmarks and training."""
