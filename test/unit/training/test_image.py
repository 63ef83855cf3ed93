"""Training of the image network: targets that the package decodes, and a few steps."""

import json

import numpy as np
import pytest

pytest.importorskip('numba', reason='needs numba (training/requirements.txt)')
torch = pytest.importorskip('torch', reason='needs PyTorch (training/requirements.txt)')

from pose3d_ros.camera import Intrinsics
from pose3d_ros.demo import clip
from pose3d_ros.demo.clip import COVERED, OUTSIDE, VISIBLE
from pose3d_ros.detection.detector import Thresholds
from pose3d_ros.detection.letterbox import Letterbox
from pose3d_ros.detection.openpose.channels import HEATMAP_CHANNELS
from pose3d_ros.detection.openpose.grouping import group, keep_people
from pose3d_ros.inference import Network
from pose3d_ros.skeleton import PANOPTIC19
from synthetic.scene import CAMERA, people_m
from training.image import crops, train
from training.image.export import convert
from training.image.network import ImageNetwork
from training.image.targets import targets
from training.render.dataset import Example, Shard, write_shard

GRID_HW = (32, 56)


def seen_of(n, **hidden):
    seen = np.full((n, 19), VISIBLE, np.uint8)
    for name, what in hidden.items():
        seen[:, PANOPTIC19.index(name)] = what
    return seen


def parsed(wanted, letterbox):
    features = np.zeros((57, *GRID_HW), np.float32)
    groups = group(wanted.maps[:19], wanted.maps[19:], features, letterbox, Thresholds())
    return keep_people(groups, Thresholds())


def example(n=2):
    """Make an example of the people of `scene`, with a coloured disc at each keypoint."""
    xyz_m = people_m((-0.8, 0.1, 3.0), (0.7, 0, 3.5))[:n]
    xy = CAMERA.project(xyz_m)
    bgr = np.full((256, 448, 3), 128, np.uint8)
    for person in np.round(xy).astype(int):
        for k, (x, y) in enumerate(person):
            bgr[max(y - 3, 0) : y + 4, max(x - 3, 0) : x + 4] = (13 * k, 255 - 13 * k, 40)
    return Example(bgr, xy.astype(np.float32), xyz_m.astype(np.float32), seen_of(n), CAMERA)


def test_decoding_the_targets_gives_the_truth():
    one = example()
    letterbox = Letterbox(1.0)
    wanted = targets(letterbox.to_grid(one.xy_px), one.seen, GRID_HW)
    found = parsed(wanted, letterbox)
    assert len(found) == 2
    order = np.argsort(found.xy_px[:, PANOPTIC19.index('neck'), 0])
    keypoints = PANOPTIC19.indices(HEATMAP_CHANNELS)
    np.testing.assert_allclose(found.xy_px[order][:, keypoints], one.xy_px[:, keypoints], atol=0.3)


def test_weights_are_zero_where_a_keypoint_is_covered():
    letterbox = Letterbox(1.0)
    one = example(1)
    covered, outside, visible = (
        targets(letterbox.to_grid(one.xy_px), seen_of(1, left_wrist=what), GRID_HW)
        for what in (COVERED, OUTSIDE, VISIBLE)
    )
    x, y = letterbox.to_grid(one.xy_px)[0, PANOPTIC19.index('left_wrist')].astype(int)
    channel = HEATMAP_CHANNELS.index('left_wrist')
    assert covered.weights[channel, y, x] == 0
    assert covered.maps[channel].max() == 0
    assert outside.weights[channel, y, x] == 1
    assert visible.maps[channel, y, x] > 0.5
    assert visible.weights[channel, y, x] > 5
    # All other heatmaps are the same.
    others = [c for c in range(18) if c != channel]
    np.testing.assert_array_equal(covered.maps[others], visible.maps[others])


def test_targets_without_people_are_background():
    wanted = targets(np.zeros((0, 19, 2)), np.zeros((0, 19), np.uint8), GRID_HW)
    assert (wanted.maps[18] == 1).all()
    assert (np.delete(wanted.maps, 18, axis=0) == 0).all()
    assert (wanted.weights == 1).all()


@pytest.mark.parametrize('seed', range(8))
def test_crops_transform_keypoints_and_mirrored_crops_swap_sides(seed):
    one = example()
    random = np.random.default_rng(seed)
    bgr, wanted = crops.crop(one, random, (192, 192))
    # Left and right of the figure have other colours: where the left wrist's heatmap is high,
    # there is the left wrist's colour, or the right one's if mirrored.
    random = np.random.default_rng(seed)
    _, mirrored = crops._sample(one, random, (192, 192))
    for name in ('left_wrist', 'right_ankle', 'nose'):
        peak = wanted.maps[HEATMAP_CHANNELS.index(name)]
        y, x = np.unravel_index(peak.argmax(), peak.shape)
        if peak.max() < 0.7:
            continue
        swap = {'left': 'right', 'right': 'left'}
        side, _, part = name.partition('_')
        source = f'{swap[side]}_{part}' if mirrored and part else name
        k = PANOPTIC19.index(source)
        area = bgr[8 * y : 8 * y + 8, 8 * x : 8 * x + 8].reshape(-1, 3).astype(int)
        assert np.abs(area - (13 * k, 255 - 13 * k, 40)).max(1).min() < 15


def test_shards_round_trip(tmp_path):
    written = [example(2), example(1)]
    write_shard(tmp_path / '000001.npz', iter(written))
    shard = Shard(tmp_path / '000001.npz')
    assert len(shard) == 2
    for i, one in enumerate(written):
        np.testing.assert_array_equal(shard[i].xy_px, one.xy_px)
        np.testing.assert_array_equal(shard[i].seen, one.seen)
        assert np.abs(shard[i].bgr.astype(int) - one.bgr).mean() < 8  # JPEG
        assert shard[i].intrinsics == Intrinsics(
            *[getattr(CAMERA, k) for k in ('fx', 'fy', 'cx', 'cy')]
        )


def test_training_reduces_the_loss_and_continues_from_a_checkpoint(tmp_path):
    write_shard(tmp_path / '000001.npz', (example(1 + i % 2) for i in range(4)))
    arguments = {
        'frames': tmp_path, 'out': tmp_path / 'run', 'samples': 40, 'minutes': 10.0, 'only': None,
        'size': 64, 'batch': 4, 'rate': 2e-3, 'workers': 0, 'seed': 1,
    }  # fmt: skip
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    train.train(train.argparse.Namespace(**{**arguments, 'minutes': 0.0}))
    first = json.loads((tmp_path / 'run' / 'log.jsonl').read_text().splitlines()[0])
    assert first['samples'] == 4
    run = train.train(train.argparse.Namespace(**arguments))
    torch.set_num_threads(threads)
    last = json.loads((tmp_path / 'run' / 'log.jsonl').read_text().splitlines()[-1])
    assert run.samples == last['samples'] == 40
    assert last['loss'] < first['loss']


def test_the_package_runs_an_exported_network():
    network = ImageNetwork().eval()
    found = Network(convert(network, (64, 96)), 'CPU', precision='f32')
    assert (found.input_hw, found.stride) == ((64, 96), 8)
    bgr = np.random.default_rng(0).integers(0, 255, (64, 96, 3), np.uint8)
    out = found.infer(bgr)
    with torch.no_grad():
        image = torch.from_numpy(bgr.transpose(2, 0, 1)[np.newaxis].astype(np.float32))
        expected = network(image)[1][0].numpy()
    np.testing.assert_allclose(out.heatmaps, expected[:19], atol=2e-3)
    np.testing.assert_allclose(out.pafs, expected[19:], atol=2e-3)
    assert out.features is None


def test_targets_of_the_clip_match_its_truth():
    truth = clip.truth()
    letterbox = Letterbox.fit(truth.depth_m.shape[1:], (256, 448), 8)
    t = 100
    wanted = targets(letterbox.to_grid(truth.xy_px[t]), truth.seen[t], GRID_HW)
    found = parsed(wanted, letterbox)
    visible = truth.seen[t] == VISIBLE
    visible[:, PANOPTIC19.index('pelvis')] = False
    assert len(found) == 3
    apart = np.linalg.norm(found.xy_px[:, None] - truth.xy_px[t], axis=-1)
    right = ((apart < 6) & visible).sum(-1)
    assert (right.max(0) >= 0.9 * visible.sum(1)).all()
