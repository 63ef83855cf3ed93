"""Render synthetic people with their complete truth."""
