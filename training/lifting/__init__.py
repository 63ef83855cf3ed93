"""Training of the lifting network (docs/models/lifting.md)."""
