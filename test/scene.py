"""Scenes whose truth is known by construction; where the benchmarks have them from, too."""

from benchmark.scene import BODY_HEIGHT_M, CAMERA, GRID_HW, figure_m, outputs, people_m

__all__ = ['BODY_HEIGHT_M', 'CAMERA', 'GRID_HW', 'figure_m', 'outputs', 'people_m']
