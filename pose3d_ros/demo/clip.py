"""The bundled clip: rendered people in a rendered hall, so that the truth about them is known.

Three rendered people walk, cross and raise their arms in front of a robot's camera. Made by
`python -m training.render.clip`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera import CameraPose, Intrinsics
from pose3d_ros.evaluation.oks import Labels, match, select_labels
from pose3d_ros.evaluation.pose_errors import pose_errors

NAME = 'clip'
PATH = Path(__file__).parent / 'data' / 'clip.webm'
# Values of `Truth.seen`.
OUTSIDE, COVERED, TURNED_AWAY, VISIBLE = range(4)
# Of its camera, which stands still: CAMERA_M and TARGET_M of training/render/clip.py.
CAMERA_HEIGHT_M, CAMERA_PITCH_RAD = 1.1, float(np.arctan2(0.12, 3.4))


@dataclass(frozen=True)
class Truth:
    """The truth of a clip: T images, N people, the same in all of them.

    Parameters
    ----------
    stamps_s
        ``(T,)``, from the first image on.
    intrinsics
        Of the camera.
    ids
        ``(N,)``, of the people.
    xyz_m
        ``(T, N, K, 3)``, camera optical frame; outside the image too.
    xy_px
        ``(T, N, K, 2)``.
    seen
        ``(T, N, K)`` uint8: OUTSIDE the image, COVERED by a thing or another person, TURNED_AWAY
        (behind the person's own body), or VISIBLE.
    depth_m
        ``(D, H, W)`` float32 along the optical axis, of every `depth_every`-th image.
    depth_every
        See there.
    """

    stamps_s: NDArray[np.float64]
    intrinsics: Intrinsics
    ids: NDArray[np.int64]
    xyz_m: NDArray[np.float32]
    xy_px: NDArray[np.float32]
    seen: NDArray[np.uint8]
    depth_m: NDArray[np.float32]
    depth_every: int

    def labels(self, image: int) -> tuple[Labels, NDArray[np.intp]]:
        """Return the people of an image that are to be found, and their rows."""
        return select_labels(self.xy_px[image], self.seen[image] > COVERED)


def camera_pose() -> CameraPose:
    """Return attitude and height of the camera of the bundled clip."""
    c, s = np.cos(CAMERA_PITCH_RAD), np.sin(CAMERA_PITCH_RAD)
    return CameraPose(np.array([0.0, -c, -s]), CAMERA_HEIGHT_M)


def truth(path: Path = PATH) -> Truth:
    """Read the truth of a clip from the file beside it."""
    with np.load(path.with_suffix('.npz')) as arrays:
        # Stored as differences from image to image, mm modulo 2**16.
        depth_mm = np.cumsum(arrays['depth_mm'], axis=0, dtype=np.uint16)
        return Truth(
            stamps_s=arrays['stamps_s'],
            intrinsics=Intrinsics(*arrays['intrinsics'].tolist()),
            ids=arrays['ids'],
            xyz_m=arrays['xyz_m'],
            xy_px=arrays['xy_px'],
            seen=arrays['seen'],
            depth_m=np.asarray(depth_mm / 1000, np.float32),
            depth_every=int(arrays['depth_every']),
        )


@dataclass
class Score:
    """Compares the people found in the images of a clip with the truth."""

    truth: Truth
    people: int = 0
    found: int = 0
    false: int = 0
    errors_px: list[float] = field(default_factory=list)
    errors_m: list[float] = field(default_factory=list)
    distances: list[float] = field(default_factory=list)

    def add(self, image: int, xy_px: NDArray[np.float64], xyz_m: NDArray[np.float64]) -> None:
        """Compare the people ``(N, K, 2)`` px and ``(N, K, 3)`` m that were found in an image."""
        labels, rows = self.truth.labels(image)
        matched = match(labels, xy_px)
        self.people += len(rows)
        self.found += len(matched.found)
        self.false += len(matched.false)
        for i, j in matched.found:
            error_px = np.linalg.norm(xy_px[j] - labels.xy_px[i], axis=-1)
            self.errors_px.append(float(np.nanmean(error_px)))
            self._add_3d(self.truth.xyz_m[image, rows[i]], xyz_m[j])

    def correct(self, image: int, xy_px: NDArray[np.float64]) -> int:
        """Return the number of people found in an image; 0 if any of them is false."""
        _, found, false = match(self.truth.labels(image)[0], xy_px)
        return 0 if len(false) else len(found)

    def _add_3d(self, truth_m: NDArray[np.float32], xyz_m: NDArray[np.float64]) -> None:
        errors = pose_errors(truth_m, xyz_m)
        self.errors_m.append(errors.root_relative)
        self.distances.append(errors.root_distance_share)

    def lines(self) -> list[str]:
        """Return the results as lines of a table."""
        found = f'{self.found} of {self.people} people found, {self.false} false'
        if not self.found:
            return [f'against the truth   {found}']
        distance = 100 * np.nanmedian(self.distances)
        return [
            f'against the truth   {found}',
            f'2D error            {np.mean(self.errors_px):.1f} px on average, visible keypoints',
            f'3D error            {1e3 * np.nanmean(self.errors_m):.0f} mm on average, relative '
            'to the pelvis',
            f'distance error      {distance:.1f} % (median)',
        ]
