"""Accuracy of people with and without a depth image, on synthetic scenes.

    python -m benchmark.depth [--scenes N] [--distance M]

Bodies of spheres (synthetic/depth_scene.py) in random poses, turned by up to 40 degrees; heights
1.20, 1.80 and 1.95 m with an assumed height of 1.80 m; limbs 0.75, 1 and 1.25 times as thick. The
network's errors have a standard deviation of 1 cm across the view and 5 cm along it. Printed for
each fault of the sensor: 3D errors without depth; of detected keypoints with the depth of their
own pixel, for comparison; with depth, of all keypoints and by their source; and the share of
detected keypoints that were measured.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from pose3d_ros.depth.measurement import measure
from pose3d_ros.images import DepthImage
from pose3d_ros.people import People3D, Source
from pose3d_ros.skeleton import PANOPTIC19
from synthetic import depth_scene as scene

HEIGHTS_M = (1.2, 1.8, 1.95)
FATNESS = (0.75, 1.0, 1.25)
TURN_RAD = 0.7
# A person is found if the mean distance of the keypoints in the image is at most this, px.
MATCH_PX = 40
# A measured keypoint with a larger error counts as wrong, m.
WRONG_M = 0.2
ROOT = PANOPTIC19.index(PANOPTIC19.root)
# 90 % quantile of the chi-square distribution with three degrees of freedom.
CHI2_90 = 6.251

Fault = Callable[[DepthImage, scene.Array, np.random.Generator], DepthImage]


class Condition(NamedTuple):
    """A fault of the sensor and differences of the scene.

    Parameters
    ----------
    fault
        Changes the depth image.
    half
        Whether the depth image has half the resolution.
    people
        Number of people.
    along_m, mirrored
        See `depth_scene.estimated_without_depth`.
    """

    fault: Fault = lambda depth, person, rng: depth
    half: bool = False
    people: int = 1
    along_m: float = 0.05
    mirrored: bool = False


def _all(depth: DepthImage, person: scene.Array, rng: np.random.Generator) -> DepthImage:
    board = scene.with_board(depth, person)
    noisy = scene.with_noise(scene.with_flying_edges(board, rng), rng)
    return scene.with_holes(noisy, rng)


CONDITIONS = {
    'clean': Condition(),
    'noise': Condition(lambda depth, _, rng: scene.with_noise(depth, rng)),
    'holes': Condition(lambda depth, _, rng: scene.with_holes(depth, rng)),
    'edges': Condition(lambda depth, _, rng: scene.with_flying_edges(depth, rng)),
    'table edge in front': Condition(lambda depth, person, rng: scene.with_board(depth, person)),
    'half resolution': Condition(half=True),
    'two people overlapping': Condition(people=2),
    'network 10 cm off along the view': Condition(along_m=0.10),
    'forearms, lower legs mirrored': Condition(mirrored=True),
    'all sensor faults': Condition(_all),
    'all of it': Condition(_all, True, 2, 0.10),
}


@dataclass
class Tally:
    """Errors of keypoints, m, over all scenes of one condition."""

    people: int = 0
    found: int = 0
    one_pixel_m: list[np.ndarray] = field(default_factory=list)
    before_m: list[np.ndarray] = field(default_factory=list)
    after_m: list[np.ndarray] = field(default_factory=list)
    source: list[np.ndarray] = field(default_factory=list)
    root_inside: list[bool] = field(default_factory=list)

    def add(
        self, truth_m: np.ndarray, before: People3D, after: People3D, depth: DepthImage
    ) -> None:
        """Add the people of one image."""
        true_px = scene.CAMERA.project(truth_m)
        rays = scene.CAMERA.unproject(before.people_2d.xy_px)
        one_pixel_m = np.insert(rays, 2, 1, axis=-1) * depth.at(rays)[..., np.newaxis]
        self.people += len(truth_m)
        for i in range(len(truth_m)):
            off_px = np.linalg.norm(before.people_2d.xy_px - true_px[i], axis=-1)
            mean_px = np.array([row[np.isfinite(row)].mean() for row in off_px])
            if not len(mean_px) or mean_px.min() > MATCH_PX:
                continue
            j = int(mean_px.argmin())
            self.found += 1
            self.one_pixel_m.append(np.linalg.norm(one_pixel_m[j] - truth_m[i], axis=-1))
            self.before_m.append(np.linalg.norm(before.xyz_m[j] - truth_m[i], axis=-1))
            self.after_m.append(np.linalg.norm(after.xyz_m[j] - truth_m[i], axis=-1))
            self.source.append(after.source[j])
            off = after.xyz_m[j, ROOT] - truth_m[i, ROOT]
            covariance = after.root_covariance_m2[j]
            self.root_inside.append(bool(off @ np.linalg.solve(covariance, off) < CHI2_90))

    def row(self) -> str:
        """Return the cells of the table."""
        before, one_pixel, after, source = (
            np.concatenate(part)
            for part in (self.before_m, self.one_pixel_m, self.after_m, self.source)
        )
        known = np.isfinite(after)
        of = {s: after[known & (source == s)] for s in Source}
        seen = (source == Source.DEPTH) | (source == Source.OBSERVED)
        wrong = np.mean(of[Source.DEPTH] > WRONG_M)
        cells = [
            f'{self.found}/{self.people}',
            _cm(before[known]),
            _cm(one_pixel[np.isfinite(one_pixel)]),
            _cm(after[known]),
            *(_cm(of[s]) for s in (Source.DEPTH, Source.OBSERVED, Source.INFERRED)),
            f'{(source == Source.DEPTH).sum() / seen.sum():.2f}',
            f'{100 * wrong:.1f} %',
            f'{np.mean(self.root_inside):.2f}',
        ]
        return ' | '.join(cells)


def _cm(error_m: np.ndarray) -> str:
    if not len(error_m):
        return '-'
    return ' / '.join(f'{100 * np.percentile(error_m, p):.1f}' for p in (50, 95))


def run(condition: Condition, scenes: int, distance_m: float) -> Tally:
    """Measure scenes, which depend only on the number of people in the condition."""
    tally = Tally()
    for i in range(scenes):
        rng = np.random.default_rng(i)
        height_m = HEIGHTS_M[i % len(HEIGHTS_M)]
        fatness = FATNESS[i // len(HEIGHTS_M) % len(FATNESS)]
        heights_m = [height_m, HEIGHTS_M[(i + 1) % len(HEIGHTS_M)]][: condition.people]
        x_m = rng.uniform(-0.4, 0.4)
        places = [(x_m, 0.1, distance_m), (x_m + 0.35, 0.1, distance_m + 0.6)]
        people_m = np.array(
            [
                scene.person_m(scene.figure_m(rng, rng.uniform(-TURN_RAD, TURN_RAD)), h, place)
                for h, place in zip(heights_m, places, strict=False)
            ]
        )
        hidden = scene.self_occluded(people_m, heights_m, fatness)
        before = scene.estimated_without_depth(
            people_m, heights_m, rng, condition.along_m, hidden, condition.mirrored
        )
        camera, hw = scene.CAMERA, scene.IMAGE_HW
        if condition.half:
            camera, hw = scene.half(camera), (hw[0] // 2, hw[1] // 2)
        depth = scene.depth_image(people_m, heights_m, fatness, camera, hw)
        depth = condition.fault(depth, people_m[0], rng)
        after = measure(before, depth, scene.CAMERA, scene.ASSUMED_PERSON_HEIGHT_M)
        tally.add(people_m, before, after, depth)
    return tally


def main(argv: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--scenes', type=int, default=90, help='(default: %(default)s)')
    parser.add_argument('--distance', type=float, default=3.0, help='m (default: %(default)s)')
    args = parser.parse_args(argv)
    print(f'{args.distance:g} m, {args.scenes} scenes; errors in cm: median / 95 %\n')
    print(
        '| | people | without depth | one pixel | with depth | DEPTH | OBSERVED | INFERRED |',
        end='',
    )
    print(' measured share | DEPTH wrong by over 20 cm | roots in their 90 % ellipsoid |')
    print(f'|{"---|" * 11}')
    for name, condition in CONDITIONS.items():
        print(f'| {name} | {run(condition, args.scenes, args.distance).row()} |')


if __name__ == '__main__':
    main()
