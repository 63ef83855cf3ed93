"""Training of the networks that the package brings along; not installed with it."""
