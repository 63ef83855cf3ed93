"""Numerical methods without knowledge of people or images."""
