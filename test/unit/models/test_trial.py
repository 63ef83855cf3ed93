"""`pose3d model try`: people are drawn into files, and lines say what was found."""

import re

import cv2
import numpy as np
import pytest

from pose3d_ros.models import ModelError
from pose3d_ros.models.trial import Trial, try_images
from synthetic.fixed_network import write_network
from synthetic.scene import CAMERA, outputs, people_m

GREY = np.full((256, 448, 3), 128, np.uint8)
SIZE = GREY.shape[:2]


@pytest.fixture
def image(tmp_path):
    path = tmp_path / 'grey.png'
    cv2.imwrite(str(path), GREY)
    return path


def test_people_are_drawn_and_counted(two_people_xml, image, tmp_path):
    trial = Trial(two_people_xml, 'CPU', SIZE)
    lines = list(try_images(trial, [image], tmp_path / 'out'))
    assert 'input 256 x 448 px' in lines[0]
    assert '  family: openpose' in lines
    assert re.search(r'grey\.png: people: 2, scores: [01]\.\d\d [01]\.\d\d, \d+ ms -> ', lines[-2])
    assert re.fullmatch(r'median \d+ ms per image, on CPU', lines[-1])
    drawn = cv2.imread(str(tmp_path / 'out' / 'grey.png'))
    changed = (drawn != GREY).any(axis=-1)
    neck_px = CAMERA.project(people_m((-0.5, 0.1, 3.0), (0.6, 0, 3.5)))[:, 0]
    for x, y in np.rint(neck_px).astype(int):
        assert changed[y, x]
    assert changed.mean() < 0.2
    np.testing.assert_array_equal(cv2.imread(str(image)), GREY)


def test_an_image_without_people_stays_as_it_was(tmp_path, image):
    xml = write_network(tmp_path / 'none.xml', outputs(people_m(), CAMERA))
    lines = list(try_images(Trial(xml, 'CPU', SIZE), [image], tmp_path / 'out'))
    assert 'people: 0, scores: -' in lines[-2]
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / 'out' / 'grey.png')), GREY)


def test_thresholds_are_those_of_the_user(two_people_xml, image, tmp_path):
    trial = Trial(two_people_xml, 'CPU', SIZE, person_threshold=1.0)
    assert 'people: 0' in list(try_images(trial, [image], tmp_path))[-2]


def test_an_image_that_cannot_be_read_is_named_before_the_network_is_opened(tmp_path, image):
    (tmp_path / 'a.png').write_text('no image')
    unreadable, missing = tmp_path / 'a.png', tmp_path / 'none.png'
    for bad, message in (
        (unreadable, 'is not an image'),
        (tmp_path, 'is not an image'),
        (missing, 'does not exist'),
    ):
        with pytest.raises(ModelError, match=f'{bad} {message}'):
            list(try_images(Trial(tmp_path / 'none.xml'), [image, bad], tmp_path / 'out'))


def test_images_of_the_same_name_do_not_overwrite_each_other(two_people_xml, image, tmp_path):
    other = tmp_path / 'other' / image.name
    other.parent.mkdir()
    cv2.imwrite(str(other), np.zeros_like(GREY))
    list(try_images(Trial(two_people_xml, 'CPU', SIZE), [image, other], tmp_path / 'out'))
    assert len(list((tmp_path / 'out').iterdir())) == 2
