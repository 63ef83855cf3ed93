"""The comparison of networks, on stand-ins and counts that are known."""

import cv2
import numpy as np

from benchmark import latency_of_networks, networks
from benchmark.accuracy_2d import Counts
from pose3d_ros.evaluation.annotations import LabelledImage
from pose3d_ros.evaluation.oks import bounding_boxes
from pose3d_ros.people import K
from synthetic.scene import CAMERA, people_m

TRUE_M = people_m((-0.5, 0.1, 3.0), (0.6, 0, 3.5))


def labelled(folder):
    """Return a labelled grey image of the two people of the fixture two_people_xml."""
    path = folder / 'a.png'
    cv2.imwrite(str(path), np.full((256, 448, 3), 200, np.uint8))
    xy_px = CAMERA.project(TRUE_M)
    return LabelledImage(
        xy_px=xy_px, boxes=bounding_boxes(xy_px), ignore=np.zeros((0, 4)), path=path, group='all',
        xyz_m=TRUE_M, visible=np.ones((2, K), bool), intrinsics=CAMERA, ids=[0, 1], sequence=None,
        time_s=0.0,
    )  # fmt: skip


def test_networks_in_a_folder_are_found_and_unreadable_files_reported(
    two_people_xml, tmp_path, capsys
):
    (tmp_path / 'broken.xml').write_text('no network')
    (tmp_path / 'sub').mkdir()
    (tmp_path / 'sub' / 'people.xml').write_bytes(two_people_xml.read_bytes())
    bin_file = two_people_xml.with_suffix('.bin')
    (tmp_path / 'sub' / 'people.bin').write_bytes(bin_file.read_bytes())
    found = networks.networks_in(tmp_path)
    assert found == {'people': tmp_path / 'sub' / 'people.xml'}
    assert 'broken.xml' in capsys.readouterr().out


def test_a_perfect_network_has_perfect_counts(two_people_xml, tmp_path, monkeypatch):
    monkeypatch.setattr(networks.reach, 'DISTANCES_M', ())
    monkeypatch.setattr(networks.accuracy_2d, 'average_precision', lambda labels, people: (1.0,))
    detector = networks.open_source(two_people_xml, 'f32')
    result = networks.evaluate(detector, [labelled(tmp_path)], [])
    assert result.counts == Counts(people=2, found=2, false=0, keypoints=34, correct=34)
    assert (result.size, result.reach_m) == ('256x448', 0)


def test_rows_have_ratios_to_the_first_network():
    counts = Counts(people=10, found=8, false=2, keypoints=0, correct=0)
    result = networks.Result('256x448', counts, 0.5, 110.4, 70.6, 8)
    times = {
        ('a', 1): np.array([0.02]), ('a', 5): np.array([0.02]),
        ('b', 1): np.array([0.01]), ('b', 5): np.array([0.04]),
    }  # fmt: skip
    first, second = networks.rows({'a': result, 'b': result}, times)
    assert first == (
        '| a | 256x448 | 8/10 | 2 | 0.80 / 0.80 | 0.500 | 110 / 71 | 8 | 20 (1.00) | 20 (1.00) |'
    )
    assert second.endswith('| 10 (0.50) | 40 (2.00) |')


def test_latency_is_measured_in_every_round_for_each_number_of_people(tmp_path):
    class Detector:
        def __init__(self):
            self.shapes = []

        def detect(self, images):
            self.shapes += [image.bgr.shape for image in images]

    detector = Detector()
    times = latency_of_networks.measure({'one': detector}, [labelled(tmp_path)], rounds=4)
    assert {key: len(seconds) for key, seconds in times.items()} == {('one', 1): 4, ('one', 5): 4}
    assert set(detector.shapes) == {(*latency_of_networks.SIZE_HW, 3)}


def test_people_side_by_side_are_copies_of_one(tmp_path):
    image = labelled(tmp_path)
    noise = np.random.default_rng(0).integers(0, 256, (256, 448, 3), np.uint8)
    cv2.imwrite(str(image.path), noise)
    five = latency_of_networks.side_by_side([image], 5)
    width = latency_of_networks.SIZE_HW[1] // 5
    np.testing.assert_array_equal(five[:, :width], five[:, 3 * width : 4 * width])
