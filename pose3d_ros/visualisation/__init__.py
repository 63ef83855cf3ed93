"""Drawings of people, on images and in 3D."""
