"""Whole recordings into files: every image processed, none dropped."""
