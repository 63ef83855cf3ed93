"""Numerical methods that know nothing of people."""
