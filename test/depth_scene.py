"""Depth images whose truth is known by construction; where the benchmark has them from, too."""

from benchmark.depth_scene import (
    CAMERA,
    IMAGE_HW,
    believed,
    depth_image,
    figure_m,
    half,
    person_m,
    with_board,
)

__all__ = [
    'CAMERA',
    'IMAGE_HW',
    'believed',
    'depth_image',
    'figure_m',
    'half',
    'person_m',
    'with_board',
]
