"""Accuracy on recorded network outputs, beside that of the published implementation.

    python -m benchmark.golden FOLDER [--out predictions.npz]

FOLDER holds static_*.npz and sequence_*.npz with the arrays `heatmaps`, `pafs`, `features`, the
camera, the truth (`gt_*`) and the results of the published implementation (`ref_*`). Printed for
each category: people found of those with four visible keypoints, false people, share of keypoints
within one cell of the truth, assigned keypoints that are further away, and the 3D error of
detected body keypoints in the camera frame. --out writes the people in the arrays `key`,
`poses_3d` (cm), `poses_2d`, `score`.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pose3d_ros.camera import Intrinsics
from pose3d_ros.detection.detector import Thresholds
from pose3d_ros.detection.letterbox import Letterbox
from pose3d_ros.detection.openpose.channels import LOCATION_MAP_CHANNELS
from pose3d_ros.detection.openpose.outputs import Outputs
from pose3d_ros.people import People3D
from pose3d_ros.skeleton import PANOPTIC19
from pose3d_ros.tracking.tracker import Tracker
from synthetic.recorded import people_from_outputs

# Truth and reference are in the order of the location maps, except the face keypoints of the
# reference's 2D poses, which are in the order of PANOPTIC19.
TO_OURS = [LOCATION_MAP_CHANNELS.index(name) for name in PANOPTIC19.keypoints]
TO_THEIRS = np.argsort(TO_OURS)
BODY = slice(0, 15)
# Truth and prediction match if the mean distance of their keypoints is at most this, network px.
MATCH_PX = 16
# A keypoint is correct within this distance of the truth, network px: one cell.
KEYPOINT_PX = 8
MIN_VISIBLE = 4
SEQUENCE_HZ = 30
# The least scores of the published implementation.
THRESHOLDS = Thresholds(keypoint=0.1, person=0.1)


@dataclass(frozen=True)
class Frame:
    """One recorded output with its camera, truth and reference."""

    key: int
    category: str
    arrays: dict[str, Any]

    def letterbox(self) -> Letterbox:
        """Return the letterbox of the frame in the network's input: scaled, top left."""
        return Letterbox(float(self.arrays['input_scale']), stride=8)

    def intrinsics(self) -> Intrinsics:
        """Return the true intrinsics in frame px; the recorded centre is in edge coordinates."""
        a = self.arrays
        centre = np.array([a['cx'], a['cy']]) / a['input_scale'] - 0.5
        return Intrinsics(float(a['fx']), float(a['fx']), *centre)

    def estimate(self) -> People3D:
        """Estimate the people of the frame."""
        maps = (self.arrays[k].astype(np.float32) for k in ('heatmaps', 'pafs', 'features'))
        return people_from_outputs(
            Outputs(*maps), self.letterbox(), self.intrinsics(), thresholds=THRESHOLDS
        )


def frames(folder: Path) -> Iterator[Frame]:
    """Yield the frames of all files in a folder."""
    files = sorted(folder.glob('static_*.npz')) + sorted(folder.glob('sequence_*.npz'))
    if not files:
        raise SystemExit(f'{folder} holds neither static_*.npz nor sequence_*.npz')
    for file in files:
        with np.load(file) as archive:
            arrays = dict(archive)
        rows = {p: arrays[f'{p}_key'] for p in ('ref', 'gt')}
        for i, key in enumerate(arrays['key']):
            one = {
                name: array[rows[prefix] == key]
                if (prefix := name.split('_')[0]) in rows
                else array[i]
                for name, array in arrays.items()
                if not name.startswith('raw') and array.ndim
            }
            category = str(one['category']) if 'category' in one else 'sequence'
            yield Frame(int(key), category, one)


@dataclass
class Tally:
    """Counts and errors of one method in one category."""

    people: int = 0
    found: int = 0
    false: int = 0
    keypoints: int = 0
    correct: int = 0
    wrong: int = 0
    errors_cm: list[np.ndarray] = field(default_factory=list)

    def row(self) -> str:
        """Return the cells of the table."""
        share = f'{self.correct / self.keypoints:.3f}' if self.keypoints else '-'
        errors = np.concatenate(self.errors_cm) if self.errors_cm else np.zeros(0)
        cells = ['-'] * 3
        if len(errors):
            cells = [f'{v:.2f}' for v in (errors.mean(), *np.percentile(errors, [50, 95]))]
        counts = [f'{self.found}/{self.people}', str(self.false), share, str(self.wrong)]
        return ' | '.join(counts + cells)


def matches(truth: np.ndarray, found: np.ndarray, gate: float) -> list[tuple[int, int]]:
    """Pair people ``(N, 15, 2)`` and ``(M, 15, 2)`` one to one, nearest first. NaN: missing."""
    distance = np.linalg.norm(truth[:, None] - found[None], axis=-1)
    common = np.isfinite(distance).sum(-1)
    either = np.isfinite(truth[:, None, :, 0]) | np.isfinite(found[None, :, :, 0])
    total = np.nansum(distance, axis=-1)
    mean = np.where(common > 0, total / np.maximum(common, 1), np.inf)
    cost = mean + gate * (1 - common / np.maximum(either.sum(-1), 1))
    pairs: list[tuple[int, int]] = []
    for flat in np.argsort(cost, axis=None, kind='stable'):
        i, j = np.unravel_index(flat, cost.shape)
        free = all(i != a and j != b for a, b in pairs)
        if free and mean[i, j] <= gate:
            pairs.append((int(i), int(j)))
    return pairs


def tally(t: Tally, frame: Frame, xy: np.ndarray, xyz_cm: np.ndarray) -> None:
    """Compare people, ``(N, 19, 2)`` edge px with NaN and ``(N, 19, 3)``, with the truth."""
    a = frame.arrays
    scale = float(a['input_scale'])
    truth = np.where(a['gt_vis'][..., None], a['gt_2d'], np.nan)[:, BODY]
    pairs = matches(truth, xy[:, BODY], MATCH_PX / scale)
    wanted = np.isfinite(truth[..., 0]).sum(1) >= MIN_VISIBLE
    t.people += int(wanted.sum())
    t.keypoints += int(np.isfinite(truth[..., 0]).sum())
    t.false += len(xy) - len(pairs)
    for i, j in pairs:
        t.found += int(wanted[i])
        distance = np.linalg.norm(truth[i] - xy[j, BODY], axis=-1) * scale
        t.correct += int((distance < KEYPOINT_PX).sum())
        off = np.linalg.norm(a['gt_2d'][i, BODY] - xy[j, BODY], axis=-1) * scale
        t.wrong += int((off >= KEYPOINT_PX).sum())
        error = np.linalg.norm(xyz_cm[j, BODY] - a['gt_3d'][i, BODY], axis=-1)
        t.errors_cm.append(error[np.isfinite(distance)])


def reference(frame: Frame) -> tuple[np.ndarray, np.ndarray]:
    """Return the published implementation's people: ``(N, 19, 2)`` edge px, ``(N, 19, 3)`` cm."""
    a = frame.arrays
    xy = np.where(a['ref_poses_2d'][..., 2:] > 0, a['ref_poses_2d'][..., :2], np.nan)
    return xy, a.get('ref_poses_3d_unfiltered', a['ref_poses_3d'])[..., :3]


def prediction(people: People3D) -> dict[str, np.ndarray]:
    """Convert people to the recording's conventions: cm, edge px, -1 for missing."""
    detected = people.people_2d.detected[..., None]
    xy = np.where(detected, people.people_2d.xy_px + 0.5, -1)
    confidence = np.where(detected, people.people_2d.scores[..., None], -1)
    return {
        'poses_3d': np.nan_to_num(100 * people.xyz_m[:, TO_THEIRS], nan=-1),
        'poses_2d': np.concatenate([xy, confidence], axis=-1)[:, TO_THEIRS],
        'score': people.people_2d.score,
    }


@dataclass
class Ids:
    """Track ids of one method over sequences."""

    switches: int = 0
    assigned: set[tuple[int, int]] = field(default_factory=set)
    last: dict[tuple[int, int], int] = field(default_factory=dict)

    def add(self, frame: Frame, xy: np.ndarray, track_ids: np.ndarray) -> None:
        """Count people ``(N, 19, 2)`` edge px whose id has changed."""
        a = frame.arrays
        sequence = frame.key // 1000
        truth = np.where(a['gt_vis'][..., None], a['gt_2d'], np.nan)[:, BODY]
        for i, j in matches(truth, xy[:, BODY], MATCH_PX / float(a['input_scale'])):
            person = (sequence, int(a['gt_ids'][i]))
            track_id = int(track_ids[j])
            self.switches += self.last.get(person, track_id) != track_id
            self.last[person] = track_id
            self.assigned.add((sequence, track_id))


def id_switches(folder: Path) -> dict[str, Ids]:
    """Count id switches in all sequences: of the published tracker, and of this package."""
    ids = {'published': Ids(), 'ours': Ids()}
    trackers: dict[int, Tracker] = {}
    for frame in frames(folder):
        if frame.category != 'sequence':
            continue
        tracker = trackers.setdefault(frame.key // 1000, Tracker())
        tracked = tracker.update(frame.estimate(), frame.key % 1000 / SEQUENCE_HZ)
        ids['ours'].add(frame, tracked.people.people_2d.xy_px + 0.5, tracked.track_id)
        ids['published'].add(frame, reference(frame)[0], frame.arrays['ref_ids'])
    return ids


def compare(folder: Path) -> tuple[Tally, Tally]:
    """Return the counts of this package and of the published implementation over all frames."""
    ours, published = Tally(), Tally()
    for frame in frames(folder):
        people = frame.estimate()
        tally(ours, frame, people.people_2d.xy_px + 0.5, 100 * people.xyz_m)
        tally(published, frame, *reference(frame))
    return ours, published


def main(argv: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', type=Path)
    parser.add_argument('--out', type=Path, help='write the people to this .npz')
    arguments = parser.parse_args(argv)
    ours: dict[str, Tally] = {}
    published: dict[str, Tally] = {}
    rows: list[dict[str, np.ndarray]] = []
    for frame in frames(arguments.folder):
        people = frame.estimate()
        rows.append({'key': np.full(len(people), frame.key), **prediction(people)})
        xy = people.people_2d.xy_px + 0.5
        for name in (frame.category, 'all'):
            tally(ours.setdefault(name, Tally()), frame, xy, 100 * people.xyz_m)
            tally(published.setdefault(name, Tally()), frame, *reference(frame))
    print('| category | by | found | false | keypoints | wrong | mean cm | median cm | p95 cm |')
    print('|---|---|---|---|---|---|---|---|---|')
    for name in sorted(ours, key=lambda n: (n != 'all', n)):
        print(f'| {name} | published | {published[name].row()} |')
        print(f'| {name} | ours | {ours[name].row()} |')
    print('\n| ids in the sequences | people | ids | switches |\n|---|---|---|---|')
    for name, ids in id_switches(arguments.folder).items():
        print(f'| {name} | {len(ids.last)} | {len(ids.assigned)} | {ids.switches} |')
    if arguments.out:
        arrays: dict[str, Any] = {k: np.concatenate([r[k] for r in rows]) for k in rows[0]}
        np.savez(arguments.out, **arrays)


if __name__ == '__main__':
    main()
