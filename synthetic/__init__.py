"""Scenes and networks whose truth is known by construction, for tests, benchmarks and training."""
